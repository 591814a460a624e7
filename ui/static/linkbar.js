/*
 * The link bar: how far a screen may be believed, in a sign and words.
 *
 *     ● Live 0.1 s      ◐ Reconnecting, data from 19:04:12      ○ Offline, 3 actions queued
 *
 * It also turns its whole board visibly stale (`data-stale`), within a second of the loss.
 */

import { timeOfDay } from "./clock.js";
import { make, setAttribute, setText } from "./dom.js";

const ENDED = {
  signed_out: "○ Signed out. Sign in again to go on",
  forbidden: "○ You may not see this",
  revoked: "○ Your right to see this has ended",
};

export class LinkBar {
  /** `board` is the element that turns stale; the bar itself is `this.node`. */
  constructor(board) {
    this.board = board;
    this.sign = make("span.link-text");
    this.spoken = make("span.visually-hidden", { role: "status", "aria-live": "polite" });
    this.node = make("div.link-bar", {}, this.sign, this.spoken);
    this.queued = 0;
    this.zone = undefined;
    this.show({ kind: "reconnecting", isStale: true, ageSeconds: Infinity, dataFrom: null });
  }

  /** Show a state of `Live`. */
  show(state) {
    this.last = state;
    setText(this.sign, this.#words(state));
    setAttribute(this.node, "data-link", ENDED[state.kind] ? "ended" : state.kind);
    setAttribute(this.board, "data-stale", state.isStale);
    if (this.kind !== state.kind) setText(this.spoken, state.kind === "live" ? "Live" : this.#words(state));
    this.kind = state.kind;
  }

  /** Tell how many actions wait for the network. */
  showQueue(count) {
    this.queued = count;
    this.show(this.last);
  }

  #words({ kind, ageSeconds, dataFrom }) {
    if (ENDED[kind]) return ENDED[kind];
    const queued = this.queued === 0 ? "" : `, ${this.queued} ${this.queued === 1 ? "action" : "actions"} queued`;
    if (kind === "live") return `● Live ${ageSeconds.toFixed(1)} s${queued}`;
    const since = dataFrom === null ? "" : `, data from ${timeOfDay(dataFrom, { zone: this.zone, withSeconds: true })}`;
    if (kind === "offline") return `○ Offline${queued || since}`;
    return `◐ ${dataFrom === null ? "Connecting" : "Reconnecting"}${since}${queued}`;
  }
}
