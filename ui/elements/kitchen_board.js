/* The kitchen board: head, tickets by page, the all-day list; what a tap, a key and a new ticket do. */

import { Bell } from "/static/bell.js";
import { button, isolate, make, oncePerFrame, patchList, setAttribute, setShown, setText } from "/static/dom.js";
import { Commands } from "/static/commands.js";
import { KitchenActions } from "/static/kitchen_actions.js";
import { Marks } from "/static/kitchen_marks.js";
import { allDay, countOrders, risk, tickets } from "/static/kitchen_rules.js";
import { showDishes, showRecall } from "/static/kitchen_panels.js";
import { Live } from "/static/live.js";
import { kitchenKeys } from "/static/kitchen_keys.js";
import { handleKeys, showKeys } from "/static/keys.js";
import { Rights } from "/static/rights.js";
import { leaveWhenSignedOut, startBoard } from "/static/shell.js";
import { socketCredentials } from "/static/session.js";
import { createTicket, tickTicket, updateTicket } from "/static/ticket.js";
import { Toasts } from "/static/toast.js";

const TICK_MILLISECONDS = 500;
const TICKET_WIDTH = 236;
const TICKET_HEIGHT = 400;

export default {
  template: "<div></div>",
  props: { hubUrl: String, kitchenId: String, station: String, mode: String },
  mounted() {
    this.board = new Board(this.$el, this.$props);
  },
  unmounted() {
    this.board.close();
  },
};

class Board {
  constructor(root, { hubUrl, kitchenId, station, mode }) {
    Object.assign(this, { root, hubUrl, kitchenId, mode, stationCode: station });
    this.topic = `kitchen:${kitchenId}`;
    this.person = new Rights();
    this.rights = { mode, may: (permission) => this.person.may(permission, this.fold.row("kitchen", kitchenId)) };
    this.recalled = new Set();
    this.page = 0;
    this.selected = null;
    this.toasts = new Toasts();
    this.bell = new Bell();
    this.marks = new Marks();
    this.#build();
    this.draw = oncePerFrame(() => this.#draw());
    this.commands = new Commands({ hubUrl, name: "kitchen", onQueue: (count) => this.bar.showQueue(count), onLate: (result) => this.toasts.refused(result) });
    this.actions = new KitchenActions({ commands: this.commands, toasts: this.toasts, rights: () => this.rights, draw: this.draw, marks: this.marks });
    this.live = new Live({
      hubUrl,
      topics: [this.topic],
      auth: socketCredentials,
      onRows: this.draw,
      onChange: (change) => this.#changed(change),
      onState: (state) => this.#linked(state),
    });
    this.fold = this.live.fold(this.topic);
    this.ticking = setInterval(() => this.#tick(), TICK_MILLISECONDS);
    this.keys = kitchenKeys(this);
    this.stopKeys = handleKeys(this.keys);
    this.sizes = new ResizeObserver(this.draw);
    this.sizes.observe(this.parts.tickets);
    this.person.follow(this.live);
  }

  close() {
    clearInterval(this.ticking);
    this.bell.close();
    this.sizes.disconnect();
    this.stopKeys();
    this.live.close();
  }

  /** Make a ticket the one that keys act on. */
  select(orderId) {
    if (this.selected === orderId) return;
    this.selected = orderId;
    this.draw();
  }

  #build() {
    this.bar = startBoard(this.root);
    const parts = {
      name: make("h1.board-name"),
      station: make("select.button", { "aria-label": "Station", on: { change: () => this.#goToStation(parts.station.value) } }),
      counts: make("p.board-counts"),
      dishes: button("86", () => showDishes(this)),
      recall: button("Recall", () => showRecall(this)),
      allDay: button("All-day", () => this.toggleAllDay()),
      help: button("?", () => showKeys(this.keys, this.root), { "aria-label": "Keys" }),
      tickets: make("section.tickets", { "aria-label": "Tickets" }),
      empty: make("p.empty"),
      pages: make("nav.pages", { "aria-label": "Pages" }),
      more: make("span.pages-text"),
      side: make("section.all-day", { "aria-label": "All-day counts", tabindex: 0 }),
      totals: make("ul.totals"),
      spoken: make("div.visually-hidden", { role: "alert" }),
    };
    const turn = (step) => button(step < 0 ? "◀" : "▶", () => this.turn(step), { "aria-label": step < 0 ? "Page before" : "Next page" });
    parts.pages.append(turn(-1), parts.more, turn(1));
    parts.side.append(make("h2", {}, "All-day"), parts.totals);
    const tools = [this.bell.node, parts.dishes, parts.allDay, parts.recall, parts.help];
    const head = make("header.board-head", {}, parts.name, parts.station, parts.counts, this.bar.node, ...tools);
    const main = make("div.board-body.board-main", {}, parts.tickets, parts.empty, parts.side);
    this.root.classList.add("board", "kitchen-board");
    this.root.append(head, main, parts.pages, this.toasts.node, parts.spoken);
    this.parts = parts;
    setShown(parts.side, this.mode !== "expediter");
  }

  #draw() {
    const { parts, fold } = this;
    this.rightsStamp = `${this.mode}${this.person.stamp}`;
    const kitchen = fold.row("kitchen", this.kitchenId);
    const stations = fold.rows("station").sort((one, other) => one.position - other.position);
    this.bar.zone = kitchen?.time_zone;
    setText(parts.name, kitchen ? `${kitchen.code} ${isolate(kitchen.name)}` : "Kitchen");
    this.stationId = stations.find((station) => station.code === this.stationCode)?.id ?? null;
    this.#drawStations(stations);
    if (this.marks.look(fold)) this.bell.ring("changed");
    this.shown = tickets(fold, { stationId: this.stationId, mode: this.mode, struck: this.actions.struck, marks: this.marks });
    for (const ticket of this.shown) ticket.isMarked = this.marks.isOn(ticket);
    const size = this.#pageSize();
    this.page = Math.max(0, Math.min(this.page, Math.ceil(this.shown.length / size) - 1));
    const first = this.page * size;
    const onPage = this.shown.slice(first, first + size);
    onPage.forEach((ticket, index) => Object.assign(ticket, { number: index + 1, tags: this.#tags(ticket) }));
    patchList(parts.tickets, onPage, {
      key: ({ order }) => order.id,
      create: () => createTicket(this),
      update: (card, ticket) => updateTicket(card, ticket, this),
      stamp: (ticket) => this.#stamp(ticket),
    });
    patchList(parts.totals, allDay(fold, this.stationId), {
      key: ({ name }) => name,
      create: () => make("li", {}, make("b"), make("span")),
      update: (node, { name, quantity }) => {
        setText(node.firstChild, quantity);
        setText(node.lastChild, name);
      },
    });
    this.#drawEmpty();
    this.#tick();
    setText(parts.more, this.#pageText(size));
    setShown(parts.pages, this.shown.length > size);
    setText(parts.dishes, this.#dishesText());
    this.panel?.();
  }

  #stamp({ order, lines, delivery, number, tags, others, isStruck }) {
    const marks = [order, ...lines].map((row) => `${row.version}${this.actions.stateOf(row)}${this.marks.textOf(row)}`);
    const isBusy = this.actions.isBusy(order);
    const isSelected = this.selected === order.id;
    return [order.version, delivery?.version, number, tags, others, isStruck, isBusy, isSelected, this.rightsStamp, ...marks].join();
  }

  #tags({ order, isStruck, isMarked }) {
    const tags = [];
    if (isStruck) tags.push(order.status.replaceAll("_", " ").toUpperCase());
    if (order.status === "placed") tags.push("NEW");
    if (order.is_rush) tags.push("RUSH");
    if (this.recalled.has(order.id)) tags.push("RECALLED");
    if (isMarked) tags.push("CHANGED");
    return tags;
  }

  #drawStations(stations) {
    const choices = [...(this.mode === "expediter" ? [] : [["", "All stations"]]), ...stations.map(({ code, name }) => [code, name]), ["@pass", "Pass"]];
    patchList(this.parts.station, choices, {
      key: ([code]) => code,
      create: ([code]) => make("option", { value: code }),
      update: (node, [, name]) => setText(node, name),
    });
    const wanted = this.mode === "expediter" ? "@pass" : this.stationId === null ? "" : this.stationCode;
    if (this.parts.station.value !== wanted) this.parts.station.value = wanted;
  }

  #drawEmpty() {
    const isEmpty = this.shown.length === 0;
    const text = this.fold.isKnown ? "Nothing to cook. New tickets appear here by themselves." : "Loading the tickets…";
    setText(this.parts.empty, { forbidden: "You may not see this kitchen.", revoked: "Your right to see this kitchen has ended." }[this.live.ended] ?? text);
    setShown(this.parts.empty, isEmpty);
    setShown(this.parts.tickets, !isEmpty);
  }

  #tick() {
    let late = 0;
    for (const card of this.parts.tickets.children) {
      setAttribute(card, "data-selected", card.ticket.order.id === this.selected);
      if (tickTicket(card, this.live.clock) === "late") late += 1;
    }
    const { fresh, cooking, ready } = countOrders(this.fold);
    setText(this.parts.counts, `${late ? `■ ${late} late · ` : ""}New ${fresh} · Cooking ${cooking} · Ready ${ready}`);
    if (late > (this.lateBefore ?? late)) this.bell.ring("late");
    this.lateBefore = late;
  }

  #changed({ entity, id, op, event, row }) {
    if (entity !== "order") return;
    if (event === "order.recalled") this.recalled.add(id);
    const isNew = event === (this.mode === "expediter" ? "order.placed" : "order.accepted");
    if (isNew) this.bell.ring("new");
    if (isNew) setText(this.parts.spoken, `New ticket ${row?.code ?? ""}`);
    const isOnScreen = [...this.parts.tickets.children].some((card) => card.ticket.order.id === id);
    if (event === "order.cancelled" && isOnScreen && op === "put") {
      this.actions.struck.add(id);
      this.bell.ring("cancelled");
    }
    if (op !== "put") this.actions.struck.delete(id);
  }

  #linked(state) {
    this.bar.show(state);
    leaveWhenSignedOut(state);
  }

  #pageSize() {
    const { clientWidth, clientHeight } = this.parts.tickets.hidden ? this.parts.tickets.parentElement : this.parts.tickets;
    const columns = Math.max(1, Math.floor((clientWidth + 12) / (TICKET_WIDTH + 12)));
    const rows = Math.max(1, Math.floor((clientHeight + 12) / (TICKET_HEIGHT + 12)));
    this.parts.tickets.style.setProperty("--columns", columns);
    this.parts.tickets.style.setProperty("--rows", rows);
    this.columns = columns;
    return columns * rows;
  }

  #pageText(size) {
    const after = this.shown.slice((this.page + 1) * size);
    const now = this.live.clock.now();
    const late = after.filter((ticket) => risk(ticket, now) === "late").length;
    const more = after.length === 0 ? "" : ` · +${after.length} more${late ? ` (${late} late)` : ""}`;
    return `page ${this.page + 1}/${Math.ceil(this.shown.length / size)}${more}`;
  }

  #dishesText() {
    const gone = this.fold.rows("item").filter((item) => !item.is_available).length;
    return gone ? `86: ${gone}` : "86";
  }

  /** Turn the page. */
  turn(step) {
    this.page += step;
    this.draw();
  }

  /** Show or hide the all-day counts. */
  toggleAllDay() {
    setShown(this.parts.side, this.parts.side.hidden);
    this.draw();
  }

  #goToStation(code) {
    this.mode = code === "@pass" ? "expediter" : "station";
    this.stationCode = code === "@pass" ? "" : code;
    this.rights = { ...this.rights, mode: this.mode };
    const query = new URLSearchParams({ mode: this.mode, ...(this.stationCode && { station: this.stationCode }) });
    history.replaceState(null, "", `${location.pathname}?${query}`);
    this.draw();
  }

  /** The ticket that keys act on, or null. */
  selectedTicket() {
    return this.shown?.find(({ order }) => order.id === this.selected) ?? null;
  }

  /** Go so many tickets on. */
  focusCard(step) {
    const cards = [...this.parts.tickets.children];
    const at = cards.findIndex((card) => card.ticket.order.id === this.selected);
    cards[Math.max(0, Math.min(cards.length - 1, at < 0 ? 0 : at + step))]?.focus();
  }

  /** Show the next station, after the last one the pass. */
  nextStation() {
    const choices = [...this.parts.station.options].map((option) => option.value);
    this.#goToStation(choices[(choices.indexOf(this.parts.station.value) + 1) % choices.length]);
  }
}
