/*
 * One topic of a live client: what it holds, whether it is up to date, and how an answer of the hub is taken in.
 *
 * Frames of a topic that is being asked for are left out by `live.js`: the answer contains them.
 */

import { Fold } from "./fold.js";

const BEHIND_MILLISECONDS = 700; // a change may still be on its way when a head names it

export class Subscription {
  constructor(topic) {
    this.fold = new Fold(topic);
    this.isLive = false;
    this.asked = 0;
    this.askedAt = performance.now();
    this.head = 0;
    this.behindSince = null;
  }

  /** Ask from where the fold stands; resolves to every page of the answer. */
  async answer(ask) {
    const { fold } = this;
    const place = fold.isKnown ? { epoch: fold.epoch, offset: fold.offset } : {};
    const pages = [await ask("subscribe", { topic: fold.topic, ...place })];
    while (pages.at(-1).more) {
      const page = pages.at(-1).page ?? pages.length;
      pages.push(await ask("subscribe", { topic: fold.topic, page }));
    }
    return pages;
  }

  /** Take an answer in; false when it does not fit what is held: then the whole state has to be asked for. */
  take(pages) {
    const { epoch, offset, recovered } = pages.at(-1);
    const all = (name) => pages.flatMap((page) => page[name] ?? []);
    if (recovered) {
      for (const change of all("changes")) this.fold.take(change);
      if (this.fold.offset !== offset) {
        this.fold.epoch = null;
        return false;
      }
    } else {
      this.fold.snapshot(epoch, offset, all("rows"), all("gone"));
    }
    this.isLive = true;
    this.behindSince = null;
    return true;
  }

  /** A head named this offset. */
  headed(offset) {
    this.head = offset;
    if (offset > this.fold.offset) this.behindSince ??= performance.now();
  }

  /** A change was applied. */
  catchUp() {
    if (this.fold.offset >= this.head) this.behindSince = null;
  }

  /** True when a head has named more than is held, for longer than a change may be on its way. */
  isBehind(now) {
    return this.behindSince !== null && now - this.behindSince > BEHIND_MILLISECONDS;
  }
}

/** The hub refused: `code` is stable, `message` is for people. */
export class Refused extends Error {
  constructor({ code, message, retry_after }) {
    super(message);
    this.code = code;
    this.retry_after = retry_after;
  }
}
