/*
 * One active delivery: where to go, what to carry, and the next step of the way.
 *
 *     ARRIVED → PICKED UP (code on the bag) → AT DOOR → DELIVERED (PIN, cash)        Problem → going back → returned
 */

import { button, isolate, make, setAttribute, setShown, setText } from "./dom.js";
import { distance, minorOf, money } from "./money.js";
import { slide } from "./slide.js";
import { LOOKS } from "./theme.js";

const STEPS = {
  assigned: { move: "arrive", words: "ARRIVED AT THE KITCHEN" },
  at_kitchen: { move: "pick-up", words: "PICKED UP" },
  picked_up: { move: "at-door", words: "AT THE DOOR" },
  at_door: { move: "deliver", words: "DELIVERED" },
  failed: { move: "return", words: "GOING BACK" },
  returning: { move: "return", words: "RETURNED TO THE KITCHEN" },
};
const PROBLEMS = ["Customer does not answer", "Wrong address", "Customer refused", "Accident or breakdown"];
const NO_PIN = ["Customer has no code", "Left with the neighbour", "Left at the door as asked"];

/** A card without content; `move(delivery, name, body)` asks the hub, `say(text)` tells the rider what is missing. */
export function createDelivery(move, say) {
  const parts = {
    state: make("span.chip"),
    code: make("strong.delivery-code"),
    where: make("p.delivery-where"),
    what: make("p.delivery-what"),
    navigate: make("a.button", { target: "_blank", rel: "noreferrer" }, "Navigate"),
    code_input: field("Code on the bag", { autocapitalize: "characters", autocomplete: "off", maxlength: 8 }),
    pin: field("Customer's code", { inputmode: "numeric", autocomplete: "off", maxlength: 8 }),
    cash: field("Cash received", { inputmode: "decimal", autocomplete: "off", maxlength: 12 }),
    reason: choice("No code, because…", NO_PIN),
    step: slide(() => takeStep(card, move, say)),
    problem: choice("Problem…", PROBLEMS),
  };
  parts.problem.select.addEventListener("change", () => reportProblem(card, move));
  const top = make("div.delivery-top", {}, parts.state, parts.code);
  const fields = [parts.code_input.node, parts.pin.node, parts.reason.node, parts.cash.node];
  const foot = make("div.pair", {}, parts.navigate, parts.problem.node);
  const card = make("article.card.delivery", {}, top, parts.where, parts.what, ...fields, parts.step, foot);
  card.parts = parts;
  return card;
}

/** Make a card show its delivery and the order that belongs to it (or null). */
export function updateDelivery(card, delivery, order, { isBusy }) {
  const { parts } = card;
  const isNewStep = card.delivery?.status !== delivery.status;
  const { status } = delivery;
  const isBefore = status === "assigned" || status === "at_kitchen";
  const look = LOOKS.delivery[status];
  card.delivery = delivery;
  setAttribute(card, "aria-label", `Delivery ${delivery.order_code}`);
  setAttribute(card, "data-delivery", delivery.id);
  setAttribute(card, "data-status", status);
  setAttribute(parts.state, "data-state", `delivery-${status}`);
  setText(parts.state, `${look.sign} ${look.word}`);
  setText(parts.code, `#${delivery.order_code}`);
  setText(parts.where, whereText(delivery, order));
  setText(parts.what, whatText(delivery, order));
  setShown(parts.code_input.node, status === "at_kitchen");
  setShown(parts.pin.node, status === "at_door");
  setShown(parts.reason.node, status === "at_door");
  setShown(parts.cash.node, status === "at_door" && delivery.cash_due_minor > 0);
  if (isNewStep) parts.cash.input.placeholder = money(delivery.cash_due_minor ?? 0, delivery.currency);
  const place = isBefore || status === "failed" || status === "returning" ? "pickup" : "drop";
  const [lat, lon] = [Number(delivery[`${place}_lat`]), Number(delivery[`${place}_lon`])];
  setAttribute(parts.navigate, "href", `geo:${lat},${lon}?q=${lat},${lon}`);
  setShown(parts.step, STEPS[status] !== undefined);
  parts.step.setLabel(isBusy ? "Sending…" : STEPS[status]?.words ?? "");
  setAttribute(parts.step, "disabled", isBusy);
  setShown(parts.problem.node, status === "picked_up" || status === "at_door");
}

function takeStep(card, move, say) {
  const { delivery, parts } = card;
  const step = STEPS[delivery.status];
  if (step === undefined) return;
  if (step.move === "pick-up") {
    const code = parts.code_input.input.value.trim().toUpperCase();
    if (code === "") return missing(parts.code_input.input, "Type the code that is written on the bag", say);
    move(delivery, step.move, { code });
  } else if (step.move === "deliver") deliver(card, move, say);
  else move(delivery, step.move, {});
}

function deliver({ delivery, parts }, move, say) {
  const pin = parts.pin.input.value.trim();
  const reason = parts.reason.select.value;
  if (pin === "" && reason === "") return missing(parts.pin.input, "Ask the customer for the code, or say why there is none", say);
  const body = { ...(pin && { pin }), ...(reason && { reason }) };
  if (delivery.cash_due_minor > 0) {
    const typed = parts.cash.input.value;
    const cash = minorOf(typed, delivery.currency);
    if (cash === null && typed.trim() !== "") return missing(parts.cash.input, "How much cash did you get?", say);
    body.cash_minor = cash ?? delivery.cash_due_minor;
  }
  move(delivery, "deliver", body);
}

function reportProblem({ delivery, parts }, move) {
  const reason = parts.problem.select.value;
  parts.problem.select.value = "";
  if (reason !== "") move(delivery, "fail", { reason });
}

function missing(input, text, say) {
  say(text);
  input.focus();
}

function whereText(delivery, order) {
  if (delivery.status === "assigned" || delivery.status === "at_kitchen") return `Pick up at ${isolate(delivery.pickup_name)}`;
  if (delivery.status === "failed" || delivery.status === "returning") return `Bring it back to ${isolate(delivery.pickup_name)}`;
  return `Bring it to ${order ? isolate(order.customer_name) : "the customer"} · ${distance(delivery.distance_metres)}`;
}

function whatText(delivery, order) {
  const items = order === null ? "" : `${order.items_count} ${order.items_count === 1 ? "item" : "items"}`;
  const state = order === null ? "" : `${LOOKS.order[order.status].word.toLowerCase()}`;
  const cash = delivery.cash_due_minor > 0 ? `cash ${money(delivery.cash_due_minor, delivery.currency)}` : "paid";
  const fee = Number.isFinite(delivery.fee_minor) ? `earns ${money(delivery.fee_minor, delivery.currency)}` : "";
  const note = order?.note ? `“${isolate(order.note)}”` : "";
  return [items, state, cash, fee, note].filter(Boolean).join(" · ");
}

function field(label, attributes) {
  const input = make("input.button", { type: "text", ...attributes });
  return { input, node: make("label.field", {}, make("span", {}, label), input) };
}

function choice(label, texts) {
  const options = texts.map((text) => make("option", { value: text }, text));
  const select = make("select.button", { "aria-label": label }, make("option", { value: "" }, label), ...options);
  return { select, node: select };
}
