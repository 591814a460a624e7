/*
 * What a kitchen screen shows, computed from the rows of its topic; no drawing here.
 *
 * Risk: a ticket is late when its food cannot be finished before the promise, or is not finished by the time it was
 * expected; it warns when, at the present pace, it will miss the expected time by more than a minute.
 */

import { MOVES } from "./theme.js";

const STEPS = ["start", "done", "check"];
const TARGETS = { start: "cooking", done: "done", check: "checked" };
const UNCOOKED = new Set(["held", "fired", "cooking", "remake"]);
const IN_KITCHEN = new Set(["placed", "accepted", "preparing", "ready"]);
const SLACK_SECONDS = 60;

/** The lines of each order id, in their order on the ticket. */
export function linesByOrder(fold) {
  const lines = new Map();
  for (const line of fold.rows("line")) {
    if (!lines.has(line.order_id)) lines.set(line.order_id, []);
    lines.get(line.order_id).push(line);
  }
  for (const list of lines.values()) list.sort((one, other) => one.position - other.position || compare(one.id, other.id));
  return lines;
}

/**
 * The tickets of a screen, oldest promise first: {order, lines, others, delivery}.
 * A station sees what it still has to cook; the pass sees everything that has not left. Both see what was taken from
 * them, until somebody has seen it.
 */
export function tickets(fold, { stationId, mode, struck, marks }) {
  const lines = linesByOrder(fold);
  const deliveries = new Map(fold.rows("delivery").map((delivery) => [delivery.order_id, delivery]));
  const stations = new Map(fold.rows("station").map((station) => [station.id, station]));
  const shown = [];
  for (const order of fold.rows("order")) {
    const all = lines.get(order.id) ?? [];
    const own = stationId === null ? all : all.filter((line) => line.station_id === stationId);
    const isOpen = mode === "expediter" ? IN_KITCHEN.has(order.status) : isToCook(order, own);
    if (!isOpen && !struck.has(order.id) && !own.some((line) => marks.isTakenBack(line))) continue;
    const others = mode === "expediter" || stationId === null ? [] : progress(all, stationId, stations);
    shown.push({ order, lines: own, others, delivery: deliveries.get(order.id) ?? null, isStruck: !isOpen });
  }
  const urgency = ({ order }) => Date.parse(order.promised_at) - (order.is_rush ? 1e12 : 0);
  return shown.sort((one, other) => urgency(one) - urgency(other) || compare(one.order.id, other.order.id));
}

/** The move that a tap on a line makes, or null. `may(permission)` says what this person is allowed. */
export function nextMove(state, { mode, may }) {
  const legal = MOVES.line[state] ?? [];
  return STEPS.find((step) => legal.includes(step) && (step !== "check" || mode === "expediter") && may(`line.${step}`)) ?? null;
}

/** The state that a step leads to. */
export function target(step) {
  return TARGETS[step];
}

/** What Bump does to a ticket: {step, lines} for its lines, {step: "accept" | "ready"} for the order, or null. */
export function bumpOf({ order, lines, isStruck, isMarked }, stateOf, rights) {
  if (isStruck || isMarked) return { step: "dismiss", lines: [] };
  if (order.status === "placed") return rights.mode === "expediter" && rights.may("order.accept") ? { step: "accept" } : null;
  for (const step of ["start", "done"]) {
    const ready = lines.filter((line) => nextMove(stateOf(line), rights) === step);
    if (ready.length > 0) return { step, lines: ready };
  }
  const isCooked = lines.length > 0 && !lines.some((line) => UNCOOKED.has(stateOf(line)));
  const isAtPass = rights.mode === "expediter" && order.status === "preparing" && rights.may("order.ready");
  return isCooked && isAtPass ? { step: "ready" } : null;
}

/** "ok", "warn" or "late", at the product time `now` (milliseconds). */
export function risk({ order, lines }, now) {
  if (order.status === "ready" || lines.every((line) => !UNCOOKED.has(line.state))) {
    return now > Date.parse(order.promised_at) ? "late" : "ok";
  }
  const finish = now + Math.max(0, ...lines.map((line) => leftSeconds(line, now))) * 1000;
  const expected = Date.parse(order.ready_expected_at);
  if (finish > Date.parse(order.promised_at) || now > expected + SLACK_SECONDS * 1000) return "late";
  return finish > expected + SLACK_SECONDS * 1000 ? "warn" : "ok";
}

/** How much of each dish is still to be cooked, most first: [{name, quantity}], by name and options. */
export function allDay(fold, stationId) {
  const open = new Map(fold.rows("order").filter((order) => IN_KITCHEN.has(order.status)).map((order) => [order.id, order]));
  const counts = new Map();
  for (const line of fold.rows("line")) {
    if (!open.has(line.order_id) || !UNCOOKED.has(line.state)) continue;
    if (stationId !== null && line.station_id !== stationId) continue;
    const name = line.options ? `${line.name} (${line.options})` : line.name;
    counts.set(name, (counts.get(name) ?? 0) + line.quantity);
  }
  const rows = [...counts].map(([name, quantity]) => ({ name, quantity }));
  return rows.sort((one, other) => other.quantity - one.quantity || compare(one.name, other.name));
}

/** How many orders are new, cooking and ready. */
export function countOrders(fold) {
  const counts = { placed: 0, accepted: 0, preparing: 0, ready: 0 };
  for (const order of fold.rows("order")) if (order.status in counts) counts[order.status] += 1;
  return { fresh: counts.placed + counts.accepted, cooking: counts.preparing, ready: counts.ready };
}

/** Everything that a guest must be warned of on a ticket. */
export function allergens(lines) {
  return [...new Set(lines.flatMap((line) => (line.state === "voided" ? [] : line.allergens ?? [])))].sort();
}

function isToCook(order, lines) {
  return (order.status === "accepted" || order.status === "preparing") && lines.some((line) => UNCOOKED.has(line.state));
}

function progress(lines, stationId, stations) {
  const counts = new Map();
  for (const line of lines) {
    if (line.station_id === stationId || line.state === "voided") continue;
    const code = stations.get(line.station_id)?.code ?? "?";
    const count = counts.get(code) ?? { done: 0, all: 0 };
    counts.set(code, { done: count.done + (UNCOOKED.has(line.state) ? 0 : 1), all: count.all + 1 });
  }
  return [...counts].map(([code, { done, all }]) => `${code} ${done}/${all}`);
}

function leftSeconds(line, now) {
  if (!UNCOOKED.has(line.state)) return 0;
  if (line.state !== "cooking" || !line.started_at) return line.prep_seconds;
  return Math.max(0, line.prep_seconds - (now - Date.parse(line.started_at)) / 1000);
}

function compare(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}
