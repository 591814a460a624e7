/* The rider's screen: shift, offers, deliveries; one thumb. */

import { Bell } from "/static/bell.js";
import { span } from "/static/clock.js";
import { CityMap } from "/static/city_map.js";
import { Commands } from "/static/commands.js";
import { createDelivery, updateDelivery } from "/static/delivery_card.js";
import { button, make, oncePerFrame, patchList, setAttribute, setShown, setText } from "/static/dom.js";
import { Live } from "/static/live.js";
import { createOffer, tickOffer, updateOffer } from "/static/offer_card.js";
import { leaveWhenSignedOut, startBoard } from "/static/shell.js";
import { personId, signOut, socketCredentials } from "/static/session.js";
import { LOOKS } from "/static/theme.js";
import { Toasts } from "/static/toast.js";
import { Tracker } from "/static/tracker.js";

const TICK_MILLISECONDS = 250;
const ACTIVE = new Set(["assigned", "at_kitchen", "picked_up", "at_door", "failed", "returning"]);
const SHIFT_MOVES = { off: [["start", "Start shift"]], on: [["break", "Break"], ["end", "End shift"]], break: [["start", "Back on shift"], ["end", "End shift"]] };

export default {
  template: "<div></div>",
  props: { hubUrl: String },
  mounted() {
    this.desk = new Desk(this.$el, this.$props.hubUrl);
  },
  unmounted() {
    this.desk.close();
  },
};

class Desk {
  constructor(root, hubUrl) {
    Object.assign(this, { root, hubUrl });
    this.busy = new Map(); // id -> version of the row that an action on its way started from
    this.toasts = new Toasts();
    this.bell = new Bell();
    this.draw = oncePerFrame(() => this.#draw());
    this.#build();
    this.commands = new Commands({ hubUrl, name: "rider", onQueue: (count) => this.bar.showQueue(count), onLate: (result) => this.toasts.refused(result) });
    this.#meet();
  }

  close() {
    this.isClosed = true;
    clearInterval(this.ticking);
    this.bell.close();
    this.tracker?.stop();
    this.live?.close();
  }

  async #meet() {
    try {
      const id = await personId();
      if (!this.isClosed) this.#start(id);
    } catch {
      leaveWhenSignedOut({ kind: "signed_out" });
    }
  }

  #start(riderId) {
    this.riderId = riderId;
    this.topic = `rider:${riderId}`;
    this.live = new Live({
      hubUrl: this.hubUrl,
      topics: [this.topic],
      auth: socketCredentials,
      onRows: this.draw,
      onChange: (change) => this.#changed(change),
      onState: (state) => this.#linked(state),
    });
    this.fold = this.live.fold(this.topic);
    this.tracker = new Tracker({ live: this.live, onState: (text, isWell) => this.#located(text, isWell) });
    this.ticking = setInterval(() => this.#tick(), TICK_MILLISECONDS);
  }

  #build() {
    this.bar = startBoard(this.root);
    const parts = {
      shift: make("strong.shift-state"),
      shiftMoves: make("div.shift-moves"),
      gps: make("span.gps", { role: "status" }),
      offers: make("section.offers", { "aria-label": "Offers" }),
      deliveries: make("section.deliveries", { "aria-label": "Deliveries" }),
      empty: make("p.empty"),
      map: new CityMap({ title: "You, the kitchen and the customer", height: 55 }),
      spoken: make("div.visually-hidden", { role: "alert" }),
      out: button("Sign out", () => signOut()),
    };
    this.root.classList.add("board", "rider-desk");
    const head = make("header.board-head", {}, make("h1.visually-hidden", {}, "Rider"), parts.shift, this.bar.node, parts.gps);
    const main = make("div.board-body.rider-main", {}, parts.offers, parts.deliveries, parts.empty, parts.map.node, parts.shiftMoves, make("div.pair", {}, this.bell.node, parts.out));
    this.root.append(head, main, this.toasts.node, parts.spoken);
    this.parts = parts;
    setText(parts.empty, "Loading…");
  }

  #draw() {
    if (!this.fold) return;
    const rider = this.fold.row("rider", this.riderId);
    const offers = this.fold.rows("offer").filter((offer) => offer.state === "live");
    const deliveries = this.fold.rows("delivery").filter((delivery) => ACTIVE.has(delivery.status));
    deliveries.sort((one, other) => Date.parse(one.assigned_at) - Date.parse(other.assigned_at));
    if (offers.length === 0) this.bell.silence("new");
    this.#drawShift(rider);
    patchList(this.parts.offers, offers, {
      key: (offer) => offer.id,
      create: () => createOffer((offer, answer) => this.#answer(offer, answer)),
      update: (card, offer) => updateOffer(card, offer, { isBusy: this.#isBusy(offer) }),
      stamp: (offer) => `${offer.version} ${this.#isBusy(offer)}`,
    });
    patchList(this.parts.deliveries, deliveries, {
      key: (delivery) => delivery.id,
      create: () => createDelivery((...asked) => this.#move(...asked), (text) => this.toasts.show(text)),
      update: (card, delivery) => updateDelivery(card, delivery, this.#order(delivery), { isBusy: this.#isBusy(delivery) }),
      stamp: (delivery) => `${delivery.version} ${this.#order(delivery)?.version} ${this.#isBusy(delivery)}`,
    });
    this.#drawMap(deliveries);
    setText(this.parts.empty, this.#emptyText(rider));
    setShown(this.parts.empty, offers.length + deliveries.length === 0);
    this.tracker?.follow(rider?.shift === "on" || deliveries.length > 0);
    this.#tick();
  }

  #drawShift(rider) {
    const moves = SHIFT_MOVES[rider?.shift] ?? [];
    patchList(this.parts.shiftMoves, moves, {
      key: ([move]) => move,
      create: ([move]) => button("", () => this.#shift(move)),
      update: (node, [, words]) => setText(node, words),
    });
    const look = LOOKS.rider[rider?.shift];
    setAttribute(this.parts.shift, "data-state", look ? `rider-${rider.shift}` : null);
  }

  #drawMap(deliveries) {
    const points = [];
    const ways = [];
    for (const one of deliveries) {
      const [from, to] = [`${one.id} kitchen`, `${one.id} home`];
      points.push({ id: from, kind: "kitchen", lat: one.pickup_lat, lon: one.pickup_lon, label: one.pickup_name });
      points.push({ id: to, kind: "home", lat: one.drop_lat, lon: one.drop_lon, label: `#${one.order_code}` });
      ways.push([from, to]);
    }
    if (this.tracker?.here && points.length > 0) points.push({ id: "you", kind: "rider", ...this.tracker.here, label: "you" });
    this.parts.map.node.style.display = points.length > 0 ? "" : "none";
    this.parts.map.draw(points, ways);
  }

  #tick() {
    const { clock } = this.live;
    for (const card of this.parts.offers.children) tickOffer(card, clock);
    const rider = this.fold.row("rider", this.riderId);
    if (rider === null) return;
    const look = LOOKS.rider[rider.shift];
    const worked = rider.shift_started_at ? ` ${span((clock.now() - Date.parse(rider.shift_started_at)) / 1000)}` : "";
    setText(this.parts.shift, `${look.sign} ${look.word}${worked}`);
  }

  #changed({ event, op, row }) {
    if (event === "offer.created" && op === "put") {
      this.bell.ring("new");
      navigator.vibrate?.([200, 100, 200]);
      setText(this.parts.spoken, `New offer: pick up at ${row.pickup_name}`);
    }
    if (event === "delivery.cancelled") this.bell.ring("cancelled");
    if (event === "offer.withdrawn") this.toasts.show("Taken by another rider");
  }

  #linked(state) {
    this.bar.show(state);
    leaveWhenSignedOut(state);
  }

  #located(text, isWell) {
    setText(this.parts.gps, `${isWell ? "●" : "○"} ${text}`);
    setAttribute(this.parts.gps, "data-well", isWell);
  }

  #answer(offer, answer) {
    return this.#act(offer, `/v1/offers/${offer.id}/${answer}`, {});
  }

  #move(delivery, move, body) {
    return this.#act(delivery, `/v1/deliveries/${delivery.id}/${move}`, body);
  }

  async #shift(move) {
    const rider = this.fold.row("rider", this.riderId);
    const here = move === "start" && this.tracker?.here ? this.tracker.here : {};
    await this.#act(rider, `/v1/riders/${this.riderId}/shift/${move}`, here);
  }

  async #act(row, path, body) {
    if (this.#isBusy(row)) return;
    this.busy.set(row.id, row.version);
    this.draw();
    const result = await this.commands.act(path, body);
    if (!result.isDone) this.busy.delete(row.id);
    this.toasts.refused(result);
    this.draw();
  }

  #isBusy(row) {
    return this.busy.get(row.id) === row.version;
  }

  #order(delivery) {
    return this.fold.row("order", delivery.order_id);
  }

  #emptyText(rider) {
    if (this.live.ended === "forbidden") return "This account is not a rider's.";
    if (!this.fold.isKnown) return "Loading…";
    if (rider?.shift === "on") return "No offer right now. The next one rings here.";
    return rider?.shift === "break" ? "You are on a break." : "You are off. Start your shift to get offers.";
  }
}
