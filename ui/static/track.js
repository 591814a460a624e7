/*
 * The customer's page, kept current by the order's own topic; only real events move it.
 *
 * The rider is on the map only between pick-up and the door, by first name; the code is shown until the delivery.
 */

import { CityMap } from "./city_map.js";
import { timeOfDay } from "./clock.js";
import { isolate, make, oncePerFrame, patchList, setAttribute, setText } from "./dom.js";
import { LinkBar } from "./linkbar.js";
import { Live } from "./live.js";
import { money } from "./money.js";
import { LOOKS } from "./theme.js";

const STAGES = ["placed", "accepted", "started", "ready", "picked_up", "delivered"];
const ON_THE_WAY = new Set(["picked_up", "at_door"]);
const HAS_PIN = new Set(["accepted", "preparing", "ready", "out_for_delivery"]);
const MOVING = new Set(["placed", "accepted", "preparing", "ready", "out_for_delivery"]);
const RANGE_MINUTES = { placed: 5, accepted: 4, preparing: 4, ready: 3, out_for_delivery: 2 };

const root = document.querySelector("[data-order]");
const field = (name) => root.querySelector(`[data-field="${name}"]`);
const orderId = root.dataset.order;
const topic = `order:${orderId}`;
const zone = root.dataset.zone;
const bar = new LinkBar(root);
const map = new CityMap({ title: "The rider, your home and the kitchen", height: 60 });
const draw = oncePerFrame(show);
let rider = null;

navigator.serviceWorker?.register("/worker.js").catch(() => null); // without it the page only needs a network
bar.zone = zone;
root.querySelector("header").append(bar.node);
document.getElementById("map").append(map.node);

const live = new Live({
  hubUrl: location.origin,
  topics: [topic],
  auth: async () => ({ tracking: root.dataset.tracking }),
  onRows: draw,
  onPosition: ({ riders }) => {
    rider = riders[0] ?? rider;
    draw();
  },
  onState: (state) => bar.show(state),
});

function show() {
  const fold = live.fold(topic);
  const order = fold.row("order", orderId);
  if (order === null) return;
  const [delivery] = fold.rows("delivery");
  const look = LOOKS.order[order.status];
  setAttribute(root, "data-status", order.status);
  setText(field("code"), order.code);
  setText(field("kitchen"), order.kitchen_name);
  setText(field("status_word"), `${look.sign} ${delivery?.status === "at_door" ? "The rider is at your door" : look.word}`);
  setText(field("arriving"), arriving(order));
  setText(field("reason"), order.reason ?? slip(order));
  for (const stage of STAGES) setText(field(`${stage}_at`), order[`${stage}_at`] ? time(order[`${stage}_at`]) : "");
  setText(field("rider"), delivery?.visible_rider_name ?? "");
  setText(field("pin"), HAS_PIN.has(order.status) ? order.delivery_pin : "");
  setText(field("cash"), cash(fold, order));
  showLines(fold.rows("line"));
  showMap(delivery);
}

function showLines(lines) {
  if (lines.length === 0) return;
  const list = field("lines");
  if (list.keyed === undefined) list.replaceChildren(); // what the server wrote
  lines.sort((one, other) => one.position - other.position);
  patchList(list, lines, {
    key: (line) => line.id,
    create: () => make("li"),
    update: (node, line) => setText(node, `${line.quantity} × ${isolate(line.name)}${line.options ? ` – ${isolate(line.options)}` : ""}${line.state === "voided" ? " (not available)" : ""}`),
    stamp: (line) => line.version,
  });
}

function showMap(delivery) {
  const isVisible = Boolean(delivery) && ON_THE_WAY.has(delivery.status);
  document.getElementById("map").hidden = !isVisible;
  if (!isVisible) return;
  const points = [
    { id: "kitchen", kind: "kitchen", lat: delivery.pickup_lat, lon: delivery.pickup_lon, label: delivery.pickup_name },
    { id: "home", kind: "home", lat: delivery.drop_lat, lon: delivery.drop_lon, label: "you" },
  ];
  if (rider !== null) points.push({ id: "rider", kind: "rider", lat: rider.lat, lon: rider.lon, label: delivery.visible_rider_name ?? "" });
  map.draw(points, rider === null ? [["kitchen", "home"]] : [["rider", "home"]]);
}

function arriving(order) {
  if (!MOVING.has(order.status)) return "";
  const until = Math.max(Date.parse(order.promised_at), live.clock.now());
  const from = Math.max(until - RANGE_MINUTES[order.status] * 60000, live.clock.now());
  return `${timeOfDay(from, { zone })}–${timeOfDay(until + RANGE_MINUTES[order.status] * 60000, { zone })}`;
}

function slip(order) {
  const isLate = MOVING.has(order.status) && live.clock.isTold && live.clock.now() > Date.parse(order.promised_at);
  return isLate ? "It takes longer than we promised. We are sorry." : "";
}

function cash(fold, order) {
  const [payment] = fold.rows("payment");
  if (order.payment_method !== "cash" || !MOVING.has(order.status) || (payment && payment.state !== "due")) return "";
  return money(order.total_minor, order.currency);
}

function time(at) {
  return timeOfDay(Date.parse(at), { zone });
}
