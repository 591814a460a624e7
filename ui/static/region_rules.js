/* What the operations screen shows, computed from the rows of `operations:<region>`; no drawing here. */

const OPEN = new Set(["placed", "accepted", "preparing"]);
const MOVING = new Set(["placed", "accepted", "preparing", "ready", "out_for_delivery", "delivery_failed"]);
const WITH_RIDER = new Set(["assigned", "at_kitchen", "picked_up", "at_door", "failed", "returning"]);
const STAGES = ["placed", "accepted", "preparing", "ready", "out_for_delivery", "delivered"];
const MINUTE = 60000;
const BUSY_FROM = 0.6;
const FULL_FROM = 0.9;

/** One pass over the region at the product time `now`: kitchens, stages, late orders, riders, figures. */
export function overview(fold, now) {
  const orders = fold.rows("order");
  const kitchens = new Map(fold.rows("kitchen").map((kitchen) => [kitchen.id, { kitchen, open: 0, late: 0 }]));
  const stages = Object.fromEntries(STAGES.map((stage) => [stage, 0]));
  const late = [];
  let recent = 0;
  for (const order of orders) {
    if (order.status in stages) stages[order.status] += 1;
    if (now - Date.parse(order.placed_at) < 15 * MINUTE) recent += 1;
    const load = kitchens.get(order.kitchen_id);
    if (load && OPEN.has(order.status)) load.open += 1;
    if (!MOVING.has(order.status) || now <= Date.parse(order.promised_at)) continue;
    late.push(order);
    if (load) load.late += 1;
  }
  late.sort((one, other) => Date.parse(one.promised_at) - Date.parse(other.promised_at));
  return {
    kitchens: [...kitchens.values()].map(withLoad).sort((one, other) => one.kitchen.code.localeCompare(other.kitchen.code)),
    stages: STAGES.map((stage) => ({ stage, count: stages[stage] })),
    late,
    riders: riders(fold),
    perMinute: recent / 15,
    minutesToDoor: medianToDoor(orders),
  };
}

/** Each rider with what they do: "free", "busy", "break" or "off", the busy first. */
export function riders(fold) {
  const carrying = new Map();
  for (const delivery of fold.rows("delivery")) {
    if (!WITH_RIDER.has(delivery.status)) continue;
    carrying.set(delivery.rider_id, [...(carrying.get(delivery.rider_id) ?? []), delivery]);
  }
  const told = fold.rows("rider").map((rider) => {
    const deliveries = carrying.get(rider.id) ?? [];
    const doing = deliveries.length > 0 ? "busy" : rider.shift === "on" ? "free" : rider.shift;
    return { rider, deliveries, doing };
  });
  const rank = { busy: 0, free: 1, break: 2, off: 3 };
  return told.sort((one, other) => rank[one.doing] - rank[other.doing] || one.rider.name.localeCompare(other.rider.name));
}

function withLoad({ kitchen, open, late }) {
  const load = open / kitchen.capacity_orders;
  return { kitchen, open, late, load, level: load >= FULL_FROM ? "full" : load >= BUSY_FROM ? "busy" : "calm" };
}

function medianToDoor(orders) {
  const minutes = orders.filter((order) => order.delivered_at).map((order) => (Date.parse(order.delivered_at) - Date.parse(order.placed_at)) / MINUTE);
  if (minutes.length === 0) return null;
  return minutes.sort((one, other) => one - other)[Math.floor(minutes.length / 2)];
}
