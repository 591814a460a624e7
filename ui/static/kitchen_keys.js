/* The keys of the kitchen board, as SCREENS lists them: [key, what it does, act]. */

import { showKeys } from "./keys.js";
import { showRecall } from "./kitchen_panels.js";

/** The keys, acting on a board. */
export function kitchenKeys(board) {
  const cards = () => board.parts.tickets.children;
  const digits = [..."1234567890"].map((digit, index) => [digit, null, () => cards()[index]?.focus()]);
  return [
    ["1–0", "select a ticket", null],
    ...digits,
    ["Enter", "bump the selected ticket", () => board.actions.bump(board.selectedTicket())],
    ["u", "undo", () => board.toasts.actLatest()],
    ["r", "recall", () => showRecall(board)],
    ["a", "all-day counts", () => board.toggleAllDay()],
    ["p", "rush the selected ticket", () => board.actions.rush(board.selectedTicket())],
    ["ArrowRight", "next ticket", () => board.focusCard(1)],
    ["ArrowLeft", "ticket before", () => board.focusCard(-1)],
    ["ArrowDown", "ticket below", () => board.focusCard(board.columns)],
    ["ArrowUp", "ticket above", () => board.focusCard(-board.columns)],
    ["PageDown", "next page", () => board.turn(1)],
    ["PageUp", "page before", () => board.turn(-1)],
    ["s", "next station", () => board.nextStation()],
    ["m", "mute", () => board.bell.tapped()],
    ["?", "these keys", () => showKeys(board.keys, board.root)],
  ];
}
