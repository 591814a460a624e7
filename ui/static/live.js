/*
 * The live client of every screen: one socket to the hub, topics kept up to date for ever.
 *
 *     opened ──connect──► asking ──acknowledged──► live ──gap, resync, behind a head──► asking
 *        ▲                                           │
 *        └────────────── socket closed ──────────────┘
 *
 * Invariants: a screen never shows as live what may be old (`state.isStale`), and never needs F5. Framework-free; needs the
 * global `io` of the Socket.IO client. The contract with the hub is written in PROTOCOL: offsets are 1, 2, 3, … per topic.
 */

import { ProductClock } from "./clock.js";
import { loadState, saveState } from "./saved.js";
import { Refused, Subscription } from "./subscription.js";

const ANSWER_MILLISECONDS = 5000; // an acknowledgement that takes longer is asked for again
const SILENCE_MILLISECONDS = 12000; // heads come every 5 s
const CLOSED_MILLISECONDS = 500; // a worker that hands over is back sooner
const OFFLINE_MILLISECONDS = 10000;
const LOOK_MILLISECONDS = 250;
const SAVE_MILLISECONDS = 3000;
const SIGNED_OUT = new Set(["auth.revoked", "auth.required"]);

export class Live {
  /**
   * `hubUrl` is the hub's origin; `auth({isFresh})` resolves to the connect payload ({token} or {tracking}).
   * Watchers: onRows() after any row changed, onChange(change) for each live change, onPosition(payload), onState(state).
   */
  constructor({ hubUrl, topics, auth, onRows, onChange, onPosition, onState }) {
    this.clock = new ProductClock();
    this.auth = auth;
    this.watch = { onRows, onChange, onPosition, onState };
    this.topics = new Map(topics.map((topic) => [topic, new Subscription(topic)]));
    this.hubUrl = hubUrl;
    this.heardAt = 0;
    this.heardWall = 0;
    this.heardProduct = null;
    this.closedAt = performance.now();
    this.ended = null; // why it will not come back by itself: "signed_out", "forbidden", "revoked"
    this.wantsFreshToken = false;
    this.isClosed = false;
    this.#start();
  }

  /** The fold of a topic. */
  fold(topic) {
    return this.topics.get(topic).fold;
  }

  /** Keep one more topic up to date; resolves to its fold, with what an earlier visit saved. */
  async subscribe(topic) {
    const one = new Subscription(topic);
    this.topics.set(topic, one);
    await this.#restore(one);
    if (this.socket?.connected) this.#ask(topic);
    this.watch.onRows?.();
    return one.fold;
  }

  /** Send an event; resolves to the acknowledgement, rejects on a refusal, a time-out or a closed socket. */
  async ask(event, payload) {
    if (!this.socket?.connected) throw new Refused({ code: "closed", message: "no socket" });
    const answer = await this.socket.timeout(ANSWER_MILLISECONDS).emitWithAck(event, payload);
    if (answer?.ok !== true) throw new Refused(answer?.error ?? { code: "malformed", message: "no answer" });
    return answer;
  }

  /** Stop for good. */
  close() {
    this.isClosed = true;
    clearInterval(this.looking);
    clearInterval(this.saving);
    removeEventListener("pagehide", this.save);
    this.socket?.disconnect();
  }

  /** How far the screen may be believed: {kind, isStale, ageSeconds, dataFrom (product milliseconds or null)}. */
  get state() {
    const now = performance.now();
    const age = this.heardAt === 0 ? Infinity : Math.max(now - this.heardAt, Date.now() - this.heardWall);
    const isOpen = this.socket?.connected === true;
    const subscriptions = [...this.topics.values()];
    const isBehind = subscriptions.some((one) => one.isBehind(now));
    const isAsking = subscriptions.some((one) => !one.isLive && now - one.askedAt > CLOSED_MILLISECONDS);
    const isAway = !isOpen && now - this.closedAt > CLOSED_MILLISECONDS;
    const isStale = this.ended !== null || isAway || isBehind || isAsking || age > SILENCE_MILLISECONDS;
    const isOffline = !isOpen && (!navigator.onLine || now - this.closedAt > OFFLINE_MILLISECONDS);
    const kind = this.ended ?? (isOffline ? "offline" : isStale ? "reconnecting" : "live");
    return { kind, isStale, ageSeconds: age / 1000, dataFrom: this.heardProduct };
  }

  async #start() {
    await Promise.all([...this.topics.values()].map((one) => this.#restore(one)));
    if (this.isClosed) return;
    this.watch.onRows?.();
    this.#askClock();
    this.socket = globalThis.io(this.hubUrl, {
      transports: ["websocket"],
      auth: (give) => this.#credentials(give),
      reconnectionDelay: 150,
      reconnectionDelayMax: 2000,
      timeout: 5000,
      forceNew: true,
    });
    this.#listen();
    this.looking = setInterval(() => this.#look(), LOOK_MILLISECONDS);
    this.saving = setInterval(() => this.#save(), SAVE_MILLISECONDS);
    this.save = () => this.#save();
    addEventListener("pagehide", this.save);
  }

  #listen() {
    const on = (event, handle) => this.socket.on(event, handle);
    on("connect", () => this.#opened());
    on("disconnect", (reason) => this.#lost(reason));
    on("connect_error", (error) => this.#refused(error));
    on("change", (change) => this.#changed(change));
    on("head", (head) => this.#headed(head));
    on("position", (payload) => {
      this.#heard();
      this.watch.onPosition?.(payload);
    });
    on("resync", ({ topic }) => this.#ask(topic));
    on("revoked", ({ topic, reason }) => this.#revoked(topic, reason));
    on("expiring", () => this.#authenticate());
    on("draining", ({ reconnect_in_ms }) => setTimeout(() => this.#reopen(), reconnect_in_ms ?? 0));
    on("closing", ({ code, reconnect }) => {
      this.wantsFreshToken = true;
      if (reconnect === false) this.#end(SIGNED_OUT.has(code) ? "signed_out" : "revoked");
    });
  }

  async #credentials(give) {
    try {
      const isFresh = this.wantsFreshToken;
      this.wantsFreshToken = false;
      give(await this.auth({ isFresh }));
    } catch (error) {
      if (error.isSignedOut) this.#end("signed_out");
      else give({}); // refused by the hub, and tried again
    }
  }

  #opened() {
    this.closedAt = null;
    for (const topic of this.topics.keys()) this.#ask(topic);
  }

  #lost(reason) {
    this.closedAt ??= performance.now();
    for (const one of this.topics.values()) Object.assign(one, { isLive: false, askedAt: performance.now() });
    this.#look();
    // the Socket.IO client does not come back by itself when the server closed
    if (reason === "io server disconnect" && this.ended === null) this.#connectSoon();
  }

  #refused(error) {
    const code = error?.data?.code ?? "";
    if (code.startsWith("auth.")) {
      this.wantsFreshToken = true;
      if (code === "auth.revoked") this.refusals = (this.refusals ?? 0) + 1;
      if (this.refusals > 2) this.#end("signed_out");
    }
    if (!this.socket.active && this.ended === null) this.#connectSoon();
  }

  #connectSoon() {
    setTimeout(() => !this.isClosed && this.ended === null && this.socket.connect(), 200 + Math.random() * 800);
  }

  #reopen() {
    if (this.isClosed || this.ended !== null) return;
    this.socket.disconnect().connect();
  }

  #end(kind) {
    this.ended = kind;
    if (kind !== "signed_out") this.watch.onRows?.();
    this.#look();
    this.socket?.disconnect();
  }

  #changed(change) {
    const one = this.topics.get(change.topic);
    if (one === undefined || !one.isLive) return; // the answer that is being waited for contains it
    this.#heard();
    const taken = one.fold.take(change);
    if (taken === "gap") this.#ask(change.topic);
    if (taken !== "applied") return;
    one.catchUp();
    this.isUnsaved = true;
    this.watch.onChange?.(change);
    this.watch.onRows?.();
  }

  #headed({ at, rate, topics }) {
    this.clock.tell(at, rate);
    this.#heard();
    for (const [topic, offset] of Object.entries(topics ?? {})) {
      const one = this.topics.get(topic);
      if (one?.isLive) one.headed(offset);
    }
  }

  #heard() {
    this.heardAt = performance.now();
    this.heardWall = Date.now();
    this.heardProduct = this.clock.now();
  }

  #revoked(topic, reason) {
    const one = this.topics.get(topic);
    if (one === undefined) return;
    one.fold.clear();
    saveState(one.fold.saved());
    this.reason = reason;
    this.#end("revoked");
  }

  async #authenticate() {
    const { token } = await this.auth({ isFresh: true }).catch(() => ({}));
    if (token) await this.ask("authenticate", { token }).catch(() => this.#reopen());
  }

  #ask(topic) {
    const one = this.topics.get(topic);
    if (one === undefined) return;
    if (one.isLive) one.askedAt = performance.now();
    one.isLive = false;
    this.#agree(one, ++one.asked);
  }

  async #agree(one, asked) {
    const isCurrent = () => one.asked === asked && this.socket.connected;
    while (isCurrent()) {
      try {
        const pages = await one.answer((...asked) => this.ask(...asked));
        if (isCurrent()) this.#take(one, pages);
        return;
      } catch (error) {
        if (!isCurrent() || error.code === "superseded") return;
        if (error.code === "forbidden" || error.code === "bad_request") return this.#forbidden(one);
        await pause((error.retry_after ?? 0) * 1000 || 150 + Math.random() * 350);
      }
    }
  }

  #take(one, pages) {
    if (!one.take(pages)) return this.#ask(one.fold.topic);
    this.isUnsaved = true;
    this.refusals = 0;
    this.#heard();
    this.#save();
    this.watch.onRows?.();
    this.#look();
  }

  #forbidden(one) {
    one.fold.clear();
    saveState(one.fold.saved());
    this.#end("forbidden");
  }

  #look() {
    const now = performance.now();
    for (const [topic, one] of this.topics) if (one.isLive && one.isBehind(now)) this.#ask(topic);
    const state = this.state;
    // a socket that looks open and says nothing is dead
    const isDeaf = state.ageSeconds * 1000 > SILENCE_MILLISECONDS && this.heardAt !== 0 && this.socket?.connected;
    if (isDeaf && now - (this.revivedAt ?? 0) > SILENCE_MILLISECONDS) {
      this.revivedAt = now;
      this.#reopen();
    }
    this.watch.onState?.(state);
  }

  async #askClock() {
    try {
      const answer = await fetch(`${this.hubUrl}/v1/clock`);
      const { at, rate } = await answer.json();
      if (!this.clock.isTold) this.clock.tell(at, rate);
      this.watch.onRows?.();
    } catch {
      return; // the next head tells it
    }
  }

  async #restore(one) {
    const saved = await loadState(one.fold.topic);
    if (saved === null || saved.epoch === null) return;
    one.fold.restore(saved);
    this.heardProduct = saved.at;
  }

  #save() {
    if (!this.isUnsaved || this.ended !== null) return;
    this.isUnsaved = false;
    for (const { fold } of this.topics.values()) if (fold.isKnown) saveState({ ...fold.saved(), at: this.heardProduct });
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
