/* Short messages at the foot of a screen, read aloud politely, with at most one action (undo, cancel). */

import { refusalText } from "./commands.js";
import { button, make } from "./dom.js";

export class Toasts {
  constructor() {
    this.node = make("div.toasts", { role: "status", "aria-live": "polite" });
    this.latest = null;
  }

  /** Show `text` for `seconds`; `action` is {label, act}; `after` runs when the time passed without the action. */
  show(text, { seconds = 5, action = null, after = null, isProblem = false } = {}) {
    const entry = { act: null };
    const node = make("div.toast", { "data-problem": isProblem }, make("span", {}, text));
    const end = () => {
      clearTimeout(timer);
      node.remove();
      if (this.latest === entry) this.latest = null;
    };
    if (action !== null) {
      entry.act = () => {
        end();
        action.act();
      };
      node.append(button(action.label, entry.act));
      this.latest = entry;
    }
    const timer = setTimeout(() => {
      end();
      after?.();
    }, seconds * 1000);
    this.node.append(node);
    while (this.node.childElementCount > 4) this.node.firstElementChild.remove();
  }

  /** Do the action of the newest toast that has one; false when there is none. */
  actLatest() {
    const entry = this.latest;
    entry?.act();
    return entry !== null;
  }

  /** Tell a person that the hub refused, given the result of an action; nothing when it was done. */
  refused(result) {
    if (!result.isDone) this.show(refusalText(result), { isProblem: true, seconds: 7 });
  }
}
