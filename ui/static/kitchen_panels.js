/* The dialogs of the kitchen board: dishes that are off (86), and tickets to call back. */

import { timeOfDay } from "./clock.js";
import { button, isolate, make, openDialog, patchList, setAttribute, setText } from "./dom.js";
import { linesByOrder } from "./kitchen_rules.js";

const RECALLED_AT_MOST = 100;

/** The dishes of this kitchen; one more tap takes one off the menu or returns it. */
export function showDishes(board) {
  const { dialog, body } = openDialog("Dishes: tap to 86 or bring back", { host: board.root });
  const list = make("ul.choices");
  body.append(list);
  const draw = () => {
    const items = board.fold.rows("item").sort((one, other) => one.is_available - other.is_available || one.name.localeCompare(other.name));
    patchList(list, items, {
      key: (item) => item.id,
      create: () => make("li", {}, button("", (event) => toggle(board, event.currentTarget.item))),
      update: ({ firstChild: tap }, item) => {
        const left = item.portions_left === null || item.portions_left === undefined ? "" : ` · ${item.portions_left} left`;
        tap.item = item;
        setText(tap, `${item.is_available ? "●" : "⊘ 86"} ${isolate(item.name)}${left}`);
        setAttribute(tap, "aria-pressed", String(!item.is_available));
      },
    });
    if (items.length === 0) setText(list, "This kitchen has no dishes.");
  };
  draw();
  board.panel = draw; // drawn again with the board, until it is closed
  dialog.addEventListener("close", () => (board.panel = null));
}

/** What was finished lately and may come back: a station's lines, or at the pass whole orders. */
export function showRecall(board) {
  const { dialog, body } = openDialog("Recall", { host: board.root });
  const lines = linesByOrder(board.fold);
  const list = make("ul.choices");
  for (const entry of recallable(board, lines).slice(0, RECALLED_AT_MOST)) {
    const recall = () => {
      dialog.close();
      for (const path of entry.paths) board.actions.act(path, entry.body);
      board.recalled.add(entry.order.id);
    };
    const at = timeOfDay(Date.parse(entry.at), { zone: board.bar.zone });
    list.append(make("li", {}, button(`#${entry.order.code} · ${entry.text} · ${at}`, recall)));
  }
  body.append(list.childElementCount > 0 ? list : make("p.empty", {}, "Nothing was finished in the last 30 minutes."));
}

function recallable(board, lines) {
  const entries = [];
  for (const order of board.fold.rows("order")) {
    if (order.status !== "ready" && order.status !== "preparing") continue;
    if (board.mode === "expediter") {
      if (order.status !== "ready") continue;
      const body = { reason: "recalled at the pass" };
      entries.push({ order, at: order.ready_at, text: "ready", paths: [`/v1/orders/${order.id}/recall`], body });
      continue;
    }
    const own = (lines.get(order.id) ?? []).filter(
      (line) => line.state === "done" && (board.stationId === null || line.station_id === board.stationId),
    );
    if (own.length === 0) continue;
    const text = own.map((line) => `${line.quantity} ${isolate(line.name)}`).join(", ");
    entries.push({ order, at: own.at(-1).done_at, text, paths: own.map((line) => `/v1/lines/${line.id}/undo`), body: {} });
  }
  return entries.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

async function toggle(board, item) {
  const move = item.is_available ? "86" : "back";
  const { isDone } = await board.actions.act(`/v1/kitchens/${board.kitchenId}/items/${item.id}/${move}`);
  if (isDone) board.toasts.show(`${isolate(item.name)}: ${move === "86" ? "off the menu" : "back on the menu"}`);
}
