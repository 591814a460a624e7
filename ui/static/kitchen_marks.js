/*
 * What changed under the cooks' hands stays marked until one of them has seen it: a line's words, a remake, a void, a note.
 *
 * A row that is met for the first time is no change. What a cook does on this board changes no words, so it marks nothing.
 */

const TAKEN_BACK = { voided: "CANCELLED", remake: "MAKE AGAIN" };
const UNCOOKED = new Set(["held", "fired", "cooking", "remake"]);

export class Marks {
  constructor() {
    this.seen = new Map(); // id -> what was last met of it
    this.marked = new Map(); // id -> what to tell a cook
  }

  /** Compare everything present with what was met before; true when something new is marked. */
  look(fold) {
    const present = new Map();
    let isNew = false;
    const meet = (row, now, told) => {
      present.set(row.id, now);
      const before = this.seen.get(row.id);
      const text = before === undefined ? null : told(before);
      if (text !== null) this.marked.set(row.id, text);
      isNew ||= text !== null;
    };
    for (const line of fold.rows("line")) meet(line, { words: wordsOf(line), state: line.state }, (before) => tellLine(before, line));
    for (const order of fold.rows("order")) meet(order, { words: order.note ?? "" }, (before) => tellNote(before, order));
    for (const id of this.marked.keys()) if (!present.has(id)) this.marked.delete(id);
    this.seen = present;
    return isNew;
  }

  /** What a cook has to see of a row, or "". */
  textOf(row) {
    return this.marked.get(row.id) ?? "";
  }

  /** True while a ticket has something that nobody has seen yet. */
  isOn({ order, lines }) {
    return this.marked.has(order.id) || lines.some((line) => this.marked.has(line.id));
  }

  /** A line that was taken back before it was cooked, and nobody has seen it. */
  isTakenBack(line) {
    return line.state === "voided" && this.marked.has(line.id);
  }

  /** Somebody has seen these rows. */
  acknowledge(rows) {
    for (const { id } of rows) this.marked.delete(id);
  }
}

function wordsOf({ quantity, name, options }) {
  return `${quantity} ${name}${options ? ` – ${options}` : ""}`;
}

function tellLine(before, line) {
  if (before.words !== wordsOf(line)) return `CHANGED, was: ${before.words}`;
  if (before.state === line.state || TAKEN_BACK[line.state] === undefined) return null;
  return line.state === "voided" && !UNCOOKED.has(before.state) ? null : TAKEN_BACK[line.state];
}

function tellNote(before, order) {
  return before.words === (order.note ?? "") ? null : "NOTE CHANGED";
}
