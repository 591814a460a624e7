/*
 * One ticket of the kitchen board as a card. It is made once and patched; its lines and its button ask the board.
 *
 * `board` answers: rights, select(orderId), and actions: stateOf(line), tapLine(line), bump(ticket).
 */

import { span } from "./clock.js";
import { button, isolate, make, patchList, setAttribute, setShown, setText } from "./dom.js";
import { allergens, bumpOf, nextMove, risk } from "./kitchen_rules.js";
import { LOOKS } from "./theme.js";

const BUMP_WORDS = { start: "START ▸", done: "DONE ▸", ready: "READY ▸", accept: "ACCEPT ▸", dismiss: "SEEN ✓" };

/** A card without content; `updateTicket` fills it. */
export function createTicket(board) {
  const parts = {
    number: make("span.ticket-number", { "aria-hidden": "true" }),
    code: make("strong.ticket-code"),
    age: make("span.ticket-age"),
    due: make("span.ticket-due"),
    tags: make("span.ticket-tags"),
    brand: make("span.ticket-brand"),
    allergens: make("p.ticket-allergens"),
    note: make("p.ticket-note", { dir: "auto" }),
    lines: make("ul.ticket-lines"),
    others: make("p.ticket-others"),
    rider: make("p.ticket-rider"),
    bump: button("", () => board.actions.bump(card.ticket)),
  };
  parts.bump.classList.add("bump");
  const top = make("header.ticket-top", {}, parts.number, parts.code, parts.age);
  const second = make("div.ticket-second", {}, parts.tags, parts.brand, parts.due);
  const card = make(
    "article.ticket", { tabindex: 0, on: { focus: () => board.select(card.ticket.order.id) } },
    top, second, parts.allergens, parts.note, parts.lines, parts.others, parts.rider, parts.bump,
  );
  card.parts = parts;
  return card;
}

/** Make a card show its ticket. */
export function updateTicket(card, ticket, board) {
  const { order, lines, others, delivery } = ticket;
  const { parts } = card;
  card.ticket = ticket;
  setAttribute(card, "aria-label", `Order ${order.code}`);
  setAttribute(card, "data-order", order.id);
  setAttribute(card, "data-status", order.status);
  setAttribute(card, "data-struck", ticket.isStruck);
  setText(parts.number, ticket.number <= 10 ? ticket.number % 10 : "");
  setText(parts.code, `#${order.code}`);
  setText(parts.brand, order.brand_name);
  setText(parts.tags, ticket.tags.join(" · "));
  setShown(parts.tags, ticket.tags.length > 0);
  const warned = allergens(lines);
  setText(parts.allergens, `⚠ ${warned.join(", ").toUpperCase()}`);
  setShown(parts.allergens, warned.length > 0);
  setText(parts.note, order.note ? `“${isolate(order.note)}”` : "");
  setShown(parts.note, Boolean(order.note) || board.marks.textOf(order) !== "");
  setAttribute(parts.note, "data-changed", board.marks.textOf(order) || null);
  setText(parts.others, `also at: ${others.join(", ")}`);
  setShown(parts.others, others.length > 0);
  const told = riderText(delivery);
  setText(parts.rider, told);
  setShown(parts.rider, told !== "");
  patchList(parts.lines, lines, {
    key: (line) => line.id,
    create: () => createLine(board),
    update: (node, line) => updateLine(node, line, board),
    stamp: (line) => `${line.version} ${board.actions.stateOf(line)} ${board.rightsStamp} ${board.marks.textOf(line)}`,
  });
  const bump = bumpOf(ticket, board.actions.stateOf, board.rights);
  setText(parts.bump, bump === null ? waitingText(ticket) : BUMP_WORDS[bump.step]);
  setAttribute(parts.bump, "disabled", bump === null);
  setAttribute(parts.bump, "aria-label", bump === null ? null : `${BUMP_WORDS[bump.step].slice(0, -2)} order ${order.code}`);
}

/** What changes by the clock alone: age, due time, risk. Answers the risk. */
export function tickTicket(card, clock) {
  const { order } = card.ticket;
  const { parts } = card;
  const now = clock.now();
  const level = card.ticket.isStruck ? "ok" : risk(card.ticket, now);
  const look = LOOKS.risk[level];
  setText(parts.age, span((now - Date.parse(order.accepted_at ?? order.placed_at)) / 1000));
  const left = clock.secondsUntil(order.ready_expected_at);
  const time = left >= 0 ? `due in ${span(left)}` : `over by ${span(-left)}`;
  const word = level === "ok" ? "" : `${look.sign} ${look.word.toUpperCase()} `;
  setText(parts.due, word + (order.status === "ready" ? "" : time));
  setAttribute(card, "data-state", `risk-${level}`);
  for (const line of parts.lines.children) tickLine(line, clock);
  return level;
}

function createLine(board) {
  const parts = {
    sign: make("span.line-sign", { "aria-hidden": "true" }),
    quantity: make("span.line-quantity"),
    name: make("span.line-name", { dir: "auto" }),
    options: make("span.line-options", { dir: "auto" }),
    word: make("span.line-word"),
    changed: make("span.line-changed"),
  };
  const words = make("span.line-words", {}, parts.changed, parts.name, parts.options, parts.word);
  const tap = make(
    "button.line", { type: "button", on: { click: () => board.actions.tapLine(node.line) } },
    parts.sign, parts.quantity, words,
  );
  const node = make("li", {}, tap);
  node.parts = parts;
  node.tap = tap;
  return node;
}

function updateLine(node, line, board) {
  const state = board.actions.stateOf(line);
  const look = LOOKS.line[state] ?? { word: state, sign: "?" };
  node.line = line;
  setAttribute(node.tap, "data-state", `line-${state}`);
  setAttribute(node.tap, "data-line", line.id);
  setAttribute(node.tap, "data-pending", state !== line.state);
  const isIdle = nextMove(state, board.rights) === null && board.marks.textOf(line) === "";
  setAttribute(node.tap, "aria-disabled", isIdle ? "true" : null);
  setText(node.parts.sign, look.sign);
  setText(node.parts.quantity, line.quantity);
  setText(node.parts.name, line.name);
  setText(node.parts.options, line.options ? `– ${isolate(line.options)}` : "");
  setText(node.parts.word, look.word);
  const changed = board.marks.textOf(line);
  setText(node.parts.changed, changed && `▲ ${changed}`);
  setAttribute(node.tap, "data-changed", changed !== "");
}

function tickLine(node, clock) {
  const { line } = node;
  if (line.state !== "held") return;
  const left = clock.secondsUntil(line.fire_at);
  setText(node.parts.word, left > 0 ? `fires in ${span(left)}` : "fires now");
}

function riderText(delivery) {
  if (delivery === null || delivery.status === "waiting" || delivery.status === "offered") return "";
  const look = LOOKS.delivery[delivery.status];
  return `${look.sign} ${look.word}${delivery.rider_name ? `: ${isolate(delivery.rider_name)}` : ""}`;
}

function waitingText({ order, lines }) {
  if (order.status === "ready") return "Waiting for pick-up";
  if (lines.some((line) => line.state === "held")) return "Held until its time";
  return "At the pass";
}
