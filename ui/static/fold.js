/*
 * The keyed state of one topic: per (entity, id) the highest version seen, tombstones included.
 *
 * Invariant: a row object is replaced only when its version rose, so a view may compare versions (or identity) to know
 * what to touch. `live.js` feeds it; the screens read it.
 */

export class Fold {
  constructor(topic) {
    this.topic = topic;
    this.epoch = null;
    this.offset = 0;
    this.entities = new Map(); // entity -> Map(id -> {version, row}); row is null for a tombstone
  }

  /** True once a whole state was taken in, from the hub or from the last visit. */
  get isKnown() {
    return this.epoch !== null;
  }

  /** The row, or null when it is unknown or gone. */
  row(entity, id) {
    return this.entities.get(entity)?.get(id)?.row ?? null;
  }

  /** Every present row of an entity, in no order. */
  rows(entity) {
    const rows = [];
    for (const held of this.entities.get(entity)?.values() ?? []) if (held.row !== null) rows.push(held.row);
    return rows;
  }

  /** Start anew from a whole state at `offset`; rows that did not change keep their identity. */
  snapshot(epoch, offset, rows, gone) {
    const before = this.entities;
    this.entities = new Map();
    this.epoch = epoch;
    this.offset = offset;
    for (const { entity, id, version, row } of rows) {
      const known = before.get(entity)?.get(id);
      this.#keep(entity, id, version, known?.version === version && known.row !== null ? known.row : row);
    }
    for (const { entity, id, version } of gone) this.#keep(entity, id, version, null);
  }

  /** Take one change. Answers "applied", "old" (already here) or "gap" (something before it is missing). */
  take(change) {
    if (change.epoch !== this.epoch) return "gap";
    if (change.offset <= this.offset) return "old";
    if (change.offset > this.offset + 1) return "gap";
    this.offset = change.offset;
    this.#keep(change.entity, change.id, change.version, change.op === "put" ? change.row : null);
    return "applied";
  }

  /** Forget everything: the right to this topic ended. */
  clear() {
    this.epoch = null;
    this.offset = 0;
    this.entities = new Map();
  }

  /** What `restore` takes back: for opening without the hub. */
  saved() {
    return { topic: this.topic, epoch: this.epoch, offset: this.offset, entities: this.entities };
  }

  /** Start from what an earlier visit saved. */
  restore(saved) {
    this.epoch = saved.epoch;
    this.offset = saved.offset;
    this.entities = saved.entities;
  }

  #keep(entity, id, version, row) {
    let held = this.entities.get(entity);
    if (held === undefined) this.entities.set(entity, (held = new Map()));
    const known = held.get(id);
    if (known === undefined || version > known.version) held.set(id, { version, row });
  }
}
