/*
 * A control for what cannot be taken back: slide it to the end, or press it twice (keyboard, or a thumb that cannot slide).
 */

import { make, setAttribute, setText } from "./dom.js";

const ENOUGH = 0.7;
const ARMED_MILLISECONDS = 4000;

/** A slide with the label; `act` runs when it is confirmed. */
export function slide(act) {
  const label = make("span.slide-label");
  const thumb = make("span.slide-thumb", { "aria-hidden": "true" }, "»");
  const node = make("button.slide", { type: "button" }, thumb, label);
  node.setLabel = (text) => {
    node.words = text;
    setText(label, node.hasAttribute("data-armed") ? `Press again: ${text}` : text);
  };
  let from = null;
  let hasSlid = false;
  const move = (event) => {
    if (from === null) return;
    const forward = getComputedStyle(node).direction === "rtl" ? from - event.clientX : event.clientX - from;
    const way = Math.max(0, Math.min(1, forward / (node.clientWidth - thumb.clientWidth)));
    if (way > 0.08) hasSlid = true;
    node.style.setProperty("--way", way);
    node.way = way;
  };
  const finish = () => {
    const isThere = from !== null && node.way >= ENOUGH;
    from = null;
    node.way = 0;
    node.style.setProperty("--way", 0);
    if (isThere) confirm();
  };
  const confirm = () => {
    disarm();
    act();
  };
  const disarm = () => {
    setAttribute(node, "data-armed", null);
    setText(label, node.words);
  };
  node.addEventListener("pointerdown", (event) => {
    from = event.clientX;
    hasSlid = false;
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", move);
  node.addEventListener("pointerup", finish);
  node.addEventListener("pointercancel", finish);
  node.addEventListener("click", () => {
    if (hasSlid) return;
    if (node.hasAttribute("data-armed")) confirm();
    else {
      setAttribute(node, "data-armed", true);
      setText(label, `Press again: ${node.words}`);
      setTimeout(disarm, ARMED_MILLISECONDS);
    }
  });
  return node;
}
