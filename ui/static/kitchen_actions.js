/*
 * What a tap on the kitchen board does: a line's next step, a ticket's bump, undo, rush; at once on the screen.
 *
 * What was tapped is shown until the hub tells a newer version of the row, or refuses. A row that waits for an answer is
 * not moved again, so a double tap moves once.
 */

import { isolate } from "./dom.js";
import { bumpOf, nextMove, target } from "./kitchen_rules.js";

const UNDO_SECONDS = 5;
const RUSH_SECONDS = 3;

export class KitchenActions {
  /** `rights()` answers {mode, may}; `draw()` is called when something was tapped or answered. */
  constructor({ commands, toasts, rights, draw, marks }) {
    Object.assign(this, { commands, toasts, rights, draw, marks });
    this.pending = new Map(); // line or order id -> {version, state}
    this.struck = new Set(); // orders that ended under the cook's hands, until bumped
    this.stateOf = (line) => this.#pendingState(line) ?? line.state;
  }

  /** True while an order's own move is on its way. */
  isBusy(order) {
    return this.pending.get(order.id)?.version === order.version;
  }

  /** A line was tapped: its change is seen, or it goes its next step. */
  tapLine(line) {
    if (this.marks.textOf(line) !== "") {
      this.marks.acknowledge([line]);
      return this.draw();
    }
    const step = nextMove(this.stateOf(line), this.rights());
    if (step !== null) this.#moveLines([line], step, `${isolate(line.name)}: ${step}`);
  }

  /** Bump: the whole ticket goes one step on. */
  bump(ticket) {
    const bump = ticket && bumpOf(ticket, this.stateOf, this.rights());
    if (!bump || this.isBusy(ticket.order)) return;
    if (bump.step === "dismiss") {
      this.struck.delete(ticket.order.id);
      this.marks.acknowledge([ticket.order, ...ticket.lines]);
      this.draw();
    } else if (bump.lines) this.#moveLines(bump.lines, bump.step, `#${ticket.order.code} ${bump.step}`);
    else this.#moveOrder(ticket.order, bump.step);
  }

  /** Rush a ticket, or take the rush back; 3 s to think again. */
  rush(ticket) {
    if (!ticket || !this.rights().may("order.rush")) return;
    const { id, code, is_rush } = ticket.order;
    const after = () => this.act(`/v1/orders/${id}/rush`, { is_rush: !is_rush });
    const action = { label: "CANCEL", act: () => {} };
    this.toasts.show(`${is_rush ? "No rush" : "Rush"} for #${code} in ${RUSH_SECONDS} s`, { seconds: RUSH_SECONDS, action, after });
  }

  /** POST a move; the screen says when it was refused. */
  async act(path, body = {}) {
    const result = await this.commands.act(path, body);
    this.toasts.refused(result);
    return result;
  }

  async #moveLines(lines, step, text) {
    const moved = lines.map((line) => this.#moveLine(line, step));
    this.draw();
    const undo = () => lines.forEach((line) => this.act(`/v1/lines/${line.id}/undo`));
    this.toasts.show(text, { seconds: UNDO_SECONDS, action: { label: "UNDO", act: undo } });
    await Promise.all(moved);
  }

  async #moveLine(line, step) {
    this.pending.set(line.id, { version: line.version, state: target(step) });
    const { isDone } = await this.act(`/v1/lines/${line.id}/${step}`);
    if (!isDone) this.pending.delete(line.id);
    this.draw();
  }

  async #moveOrder(order, step) {
    this.pending.set(order.id, { version: order.version, state: step });
    const recall = () => this.act(`/v1/orders/${order.id}/recall`, { reason: "undone at the pass" });
    const action = step === "ready" ? { label: "UNDO", act: recall } : null;
    this.toasts.show(`#${order.code} ${step}`, { seconds: UNDO_SECONDS, action });
    this.draw();
    const { isDone } = await this.act(`/v1/orders/${order.id}/${step}`);
    if (!isDone) this.pending.delete(order.id);
    this.draw();
  }

  #pendingState(line) {
    const pending = this.pending.get(line.id);
    if (pending === undefined) return null;
    if (pending.version === line.version) return pending.state;
    this.pending.delete(line.id);
    return null;
  }
}
