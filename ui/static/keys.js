/* Keys of a screen: a list of [key, what it does, act]; nothing happens while someone types or a dialog is open. */

import { make, openDialog } from "./dom.js";

const TYPING = new Set(["INPUT", "SELECT", "TEXTAREA"]);

/** Listen for the keys; answers the function that stops it. */
export function handleKeys(keys) {
  const acts = new Map(keys.filter(([, , act]) => act !== null).map(([key, , act]) => [key, act]));
  const listen = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || TYPING.has(event.target.tagName)) return;
    if (document.querySelector("dialog[open]")) return;
    // Enter on a focused button presses that button
    if (event.key === "Enter" && event.target.tagName === "BUTTON") return;
    const act = acts.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  addEventListener("keydown", listen);
  return () => removeEventListener("keydown", listen);
}

/** Show what each key does. */
export function showKeys(keys, host) {
  const { body } = openDialog("Keys", { host });
  const told = keys.filter(([, what]) => what !== null);
  body.append(make("dl.keys", {}, ...told.flatMap(([key, what]) => [make("dt", {}, key), make("dd", {}, what)])));
}
