/*
 * What a person does on a screen: one idempotency key per action, sent until the hub answered.
 *
 * Invariant: an action happens once or not at all. It is written down before it is sent, survives a reload and a lost
 * network, goes out in the order of the taps, and always under the key it was born with.
 */

import { accessToken } from "./session.js";

const REQUEST_MILLISECONDS = 8000;
const FIRST_PAUSE_MILLISECONDS = 200;
const LONGEST_PAUSE_MILLISECONDS = 5000;
const PASSING_STATUSES = new Set([429, 502, 503, 504]);

export class Commands {
  /**
   * `name` tells the screens of one device apart; `onQueue(count)` hears how many actions still wait for an answer,
   * `onLate(result)` the answer to an action of an earlier visit.
   */
  constructor({ hubUrl, name, onQueue, onLate }) {
    this.hubUrl = hubUrl;
    this.place = `hotpass.action.${name}.`;
    this.onQueue = onQueue;
    this.onLate = onLate;
    this.answers = new Map(); // key -> the function that resolves the caller's promise
    this.queue = this.#load();
    this.isSending = false;
    addEventListener("online", () => this.wake?.());
    this.onQueue(this.queue.length);
    this.#send();
  }

  /** Actions without an answer yet. */
  get waiting() {
    return this.queue.length;
  }

  /** POST `body` to `path`. Resolves to {isDone, status, answer}; a refusal is an answer too, never an exception. */
  act(path, body = {}) {
    const action = { key: newKey(), path, body, at: Date.now() };
    this.queue.push(action);
    this.#keep(action);
    const promise = new Promise((resolve) => this.answers.set(action.key, resolve));
    this.#send();
    return promise;
  }

  async #send() {
    if (this.isSending) return;
    this.isSending = true;
    while (this.queue.length > 0) {
      const action = this.queue[0];
      const result = await this.#untilAnswered(action);
      this.queue.shift();
      this.#forget(action);
      (this.answers.get(action.key) ?? this.onLate)(result);
      this.answers.delete(action.key);
    }
    this.isSending = false;
  }

  async #untilAnswered(action) {
    let pauseMilliseconds = FIRST_PAUSE_MILLISECONDS;
    let isFresh = false;
    for (;;) {
      try {
        const result = await this.#once(action, isFresh);
        const isPassing = PASSING_STATUSES.has(result.status) || result.answer.code === "idempotency.in_progress";
        if (result.status === 401 && !isFresh) {
          isFresh = true;
          continue;
        }
        if (!isPassing) return result;
      } catch (error) {
        if (error.isSignedOut) return { isDone: false, status: 401, answer: { code: "auth.required", detail: "Sign in again" } };
      }
      await this.#rest(pauseMilliseconds * (0.5 + Math.random()));
      pauseMilliseconds = Math.min(pauseMilliseconds * 2, LONGEST_PAUSE_MILLISECONDS);
    }
  }

  async #once({ key, path, body }, isFresh) {
    const response = await fetch(this.hubUrl + path, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${await accessToken({ isFresh })}`,
        "Content-Type": "application/json",
        "Idempotency-Key": key,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MILLISECONDS),
    });
    const answer = await response.json().catch(() => ({}));
    return { isDone: response.ok, status: response.status, answer };
  }

  #rest(milliseconds) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, milliseconds);
    });
  }

  #keep(action) {
    try {
      localStorage.setItem(this.place + action.key, JSON.stringify(action));
    } catch {
      // a full or forbidden storage only loses the queue at a reload
    }
    this.onQueue(this.queue.length);
  }

  #forget(action) {
    localStorage.removeItem(this.place + action.key);
    this.onQueue(this.queue.length);
  }

  #load() {
    const places = Object.keys(localStorage).filter((place) => place.startsWith(this.place));
    return places.map((place) => JSON.parse(localStorage.getItem(place))).sort((one, other) => one.at - other.at);
  }
}

/** A key that no other action of any device has. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a refusal says to the person who tapped. */
export function refusalText({ status, answer }) {
  if (status === 403 || status === 404) return "You may not do that here";
  if (status === 409 && answer.present) return `Too late: it is already “${String(answer.present).replaceAll("_", " ")}”`;
  return answer.detail || `Not done (${status})`;
}
