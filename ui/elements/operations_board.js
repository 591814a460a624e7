/* A region at a glance: figures, load of each kitchen, stages, late orders, riders on a map, what just happened. */

import { span, timeOfDay } from "/static/clock.js";
import { CityMap } from "/static/city_map.js";
import { Commands } from "/static/commands.js";
import { button, isolate, make, oncePerFrame, openDialog, patchList, setAttribute, setShown, setText } from "/static/dom.js";
import { handleKeys, showKeys } from "/static/keys.js";
import { Live } from "/static/live.js";
import { overview } from "/static/region_rules.js";
import { leaveWhenSignedOut, startBoard } from "/static/shell.js";
import { read, socketCredentials } from "/static/session.js";
import { LOOKS } from "/static/theme.js";
import { Toasts } from "/static/toast.js";

const TICK_MILLISECONDS = 1000;
const TICKER_LINES = 40;
const LATE_LINES = 30;
const SAMPLES = 200;
const SILENT_MILLISECONDS = 30000;
const PAUSE_MINUTES = 15;

export default {
  template: "<div></div>",
  props: { hubUrl: String, region: String },
  mounted() {
    this.board = new Board(this.$el, this.$props);
  },
  unmounted() {
    this.board.close();
  },
};

class Board {
  constructor(root, { hubUrl, region }) {
    Object.assign(this, { root, hubUrl, region });
    this.topic = `operations:${region}`;
    this.happened = [];
    this.delays = [];
    this.places = new Map(); // rider id -> {lat, lon, heardAt}
    this.toasts = new Toasts();
    this.draw = oncePerFrame(() => this.#draw());
    this.#build();
    this.commands = new Commands({ hubUrl, name: "operations", onQueue: (count) => this.bar.showQueue(count), onLate: (result) => this.toasts.refused(result) });
    this.live = new Live({
      hubUrl,
      topics: [this.topic],
      auth: socketCredentials,
      onRows: this.draw,
      onChange: (change) => this.#changed(change),
      onPosition: (payload) => this.#moved(payload),
      onState: (state) => this.#linked(state),
    });
    this.fold = this.live.fold(this.topic);
    this.ticking = setInterval(this.draw, TICK_MILLISECONDS);
    this.stopKeys = handleKeys(this.#keys());
  }

  close() {
    clearInterval(this.ticking);
    this.stopKeys();
    this.live.close();
  }

  #build() {
    this.bar = startBoard(this.root);
    const parts = {
      time: make("span.product-time"),
      figures: make("ul.figures", { "aria-label": "Figures" }),
      kitchens: make("ul.loads"),
      stages: make("ul.stages"),
      late: make("ul.late-list"),
      noLate: make("p.empty"),
      riders: make("ul.rider-list", { tabindex: 0, "aria-label": "Riders" }),
      map: new CityMap({ title: "Kitchens and riders of the region", height: 62 }),
      ticker: make("ol.ticker", { tabindex: 0, "aria-label": "What just happened" }),
      quiet: make("p.empty", {}, "Nothing yet since this screen was opened."),
    };
    const panel = (name, title, ...content) => make(`section.panel.${name}`, { "aria-label": title }, make("h2", {}, title), ...content);
    const help = button("?", () => this.#showKeys(), { "aria-label": "Keys" });
    const head = make("header.board-head", {}, make("h1", {}, `Operations · ${this.region}`), this.bar.node, parts.time, help);
    const main = make(
      "div.board-body.operations-main", {}, parts.figures,
      panel("panel-kitchens", "Kitchens: open orders / capacity", parts.kitchens),
      panel("panel-stages", "Orders by stage", parts.stages),
      panel("panel-late", "Late now", parts.late, parts.noLate),
      panel("panel-map", "Map", parts.map.node),
      panel("panel-riders", "Riders", parts.riders),
      panel("panel-ticker", "Just happened", parts.ticker, parts.quiet),
    );
    this.root.classList.add("board", "operations-board");
    this.root.append(head, main, this.toasts.node);
    this.parts = parts;
  }

  #draw() {
    const now = this.live.clock.now();
    const seen = overview(this.fold, now);
    this.bar.zone ??= seen.kitchens[0]?.kitchen.time_zone;
    setText(this.parts.time, timeOfDay(now, { zone: this.bar.zone, withSeconds: true }));
    this.#drawFigures(seen);
    this.#drawKitchens(seen.kitchens);
    this.#drawStages(seen.stages);
    this.#drawLate(seen.late, now);
    this.#drawRiders(seen.riders);
    this.#drawMap(seen);
    this.#drawTicker();
  }

  #drawFigures({ perMinute, stages, late, riders, minutesToDoor }) {
    const count = (name) => stages.find(({ stage }) => stage === name).count;
    const doing = (what) => riders.filter((one) => one.doing === what).length;
    const figures = [
      ["Orders/min", perMinute.toFixed(1)],
      ["In kitchen", count("placed") + count("accepted") + count("preparing") + count("ready")],
      ["Late now", late.length],
      ["Riders free/busy", `${doing("free")} / ${doing("busy")}`],
      ["On the way", count("out_for_delivery")],
      ["Minutes to door", minutesToDoor === null ? "–" : minutesToDoor.toFixed(0)],
      ["Commit → screen p50", this.#delay(0.5)],
    ];
    patchList(this.parts.figures, figures, {
      key: ([name]) => name,
      create: ([name]) => make("li", {}, make("b"), make("span", {}, name)),
      update: (node, [, value]) => setText(node.firstChild, value),
    });
  }

  #drawKitchens(kitchens) {
    patchList(this.parts.kitchens, kitchens, {
      key: ({ kitchen }) => kitchen.id,
      create: () => createLoad((kitchen) => this.#pause(kitchen)),
      update: (node, load) => updateLoad(node, load, this.live.clock),
      stamp: ({ kitchen, open, late }) => `${kitchen.version} ${open} ${late} ${isPaused(kitchen, this.live.clock)}`,
    });
  }

  #drawStages(stages) {
    const most = Math.max(1, ...stages.map(({ count }) => count));
    patchList(this.parts.stages, stages, {
      key: ({ stage }) => stage,
      create: ({ stage }) => make("li", { "data-state": `order-${stage}` }, make("span.stage-word"), make("span.stage-bar"), make("b")),
      update: (node, { stage, count }) => {
        const look = LOOKS.order[stage];
        setText(node.children[0], `${look.sign} ${look.word}`);
        node.children[1].style.setProperty("--share", count / most);
        setText(node.children[2], count);
      },
      stamp: ({ count }) => `${count}/${most}`,
    });
  }

  #drawLate(late, now) {
    patchList(this.parts.late, late.slice(0, LATE_LINES), {
      key: (order) => order.id,
      create: () => make("li", {}, button("", (event) => this.#showOrder(event.currentTarget.order))),
      update: ({ firstChild: tap }, order) => {
        tap.order = order;
        const look = LOOKS.order[order.status];
        setText(tap, `■ ${span((now - Date.parse(order.promised_at)) / 1000)} · #${order.code} · ${isolate(order.kitchen_name)} · ${look.sign} ${look.word}`);
      },
    });
    const more = late.length > LATE_LINES ? `and ${late.length - LATE_LINES} more` : "";
    const none = this.fold.isKnown ? "Nothing is late." : "Loading…";
    const text = { forbidden: "You may not see this region.", revoked: "Your right to see this region has ended." }[this.live.ended] ?? none;
    setText(this.parts.noLate, late.length === 0 ? text : more);
  }

  #drawRiders(riders) {
    const words = { busy: "➤ Busy", free: "● Free", break: "◐ Break", off: "○ Off" };
    patchList(this.parts.riders, riders, {
      key: ({ rider }) => rider.id,
      create: () => make("li", {}, make("span.rider-name"), make("span.rider-doing")),
      update: (node, { rider, deliveries, doing }) => {
        setAttribute(node, "data-doing", doing);
        setText(node.firstChild, rider.name);
        const codes = deliveries.map(({ order_code, status }) => `#${order_code} ${LOOKS.delivery[status].word.toLowerCase()}`);
        setText(node.lastChild, [words[doing], ...codes].join(" · "));
      },
      stamp: ({ rider, deliveries, doing }) => [rider.version, doing, ...deliveries.map((one) => one.version)].join(),
    });
  }

  #drawMap({ kitchens, riders }) {
    const points = kitchens.map(({ kitchen }) => ({ id: kitchen.id, kind: "kitchen", lat: kitchen.lat, lon: kitchen.lon, label: kitchen.code }));
    for (const { rider, doing } of riders) {
      const place = this.places.get(rider.id);
      if (!place || doing === "off") continue;
      const isSilent = performance.now() - place.heardAt > SILENT_MILLISECONDS;
      points.push({ id: rider.id, kind: "rider", lat: place.lat, lon: place.lon, mark: isSilent ? "silent" : doing, label: "" });
    }
    this.parts.map.draw(points);
  }

  #drawTicker() {
    setShown(this.parts.quiet, this.happened.length === 0);
    setShown(this.parts.ticker, this.happened.length > 0);
    patchList(this.parts.ticker, this.happened, {
      key: ({ number }) => number,
      create: ({ text, order }) => make("li", {}, order ? button(text, () => this.#showOrder(order)) : text),
      update: () => {},
      stamp: ({ number }) => number,
    });
  }

  #changed({ entity, id, event, at, row, offset }) {
    const delay = Date.now() - Date.parse(at);
    if (delay >= 0 && delay < 60000) this.delays = [...this.delays.slice(1 - SAMPLES), delay];
    if (!event || event.endsWith(".changed") || row === undefined || row === null) return;
    const code = row.code ?? row.order_code ?? isolate(row.name);
    const who = entity === "delivery" && row.rider_name ? ` · ${isolate(row.rider_name)}` : "";
    const order = entity === "order" ? row : this.fold.row("order", row.order_id ?? "");
    const text = `${timeOfDay(this.live.clock.now(), { zone: this.bar.zone, withSeconds: true })} ${event.replaceAll("_", " ").replace(".", " ")} ${entity === "rider" ? "" : "#"}${code}${who}`;
    this.happened = [{ number: `${offset} ${id}`, text, order }, ...this.happened].slice(0, TICKER_LINES);
  }

  #moved({ riders }) {
    const heardAt = performance.now();
    for (const { rider, lat, lon } of riders) this.places.set(rider, { lat, lon, heardAt });
    this.draw();
  }

  #linked(state) {
    this.bar.show(state);
    leaveWhenSignedOut(state);
  }

  #delay(share) {
    if (this.delays.length === 0) return "–";
    const sorted = [...this.delays].sort((one, other) => one - other);
    return `${sorted[Math.floor(share * (sorted.length - 1))]} ms`;
  }

  async #pause(kitchen) {
    const isOver = isPaused(kitchen, this.live.clock);
    const body = isOver ? {} : { minutes: PAUSE_MINUTES, reason: "paused from operations" };
    const result = await this.commands.act(`/v1/kitchens/${kitchen.id}/${isOver ? "resume" : "pause"}`, body);
    this.toasts.refused(result);
    if (result.isDone) this.toasts.show(isOver ? `${kitchen.code} takes orders again` : `${kitchen.code} is paused for ${PAUSE_MINUTES} min`);
  }

  async #showOrder(order) {
    const { body } = openDialog(`#${order.code} · ${isolate(order.kitchen_name)}`, { host: this.root });
    setText(body, "Loading…");
    try {
      const { events } = await read(this.hubUrl, `/v1/orders/${order.id}/timeline`);
      const rows = events.map(({ at, event, actor, reason }) => {
        const when = timeOfDay(Date.parse(at), { zone: this.bar.zone, withSeconds: true });
        return make("li", {}, make("b", {}, when), ` ${event}`, make("span.timeline-who", {}, ` ${actor ?? ""}${reason ? ` · ${isolate(reason)}` : ""}`));
      });
      body.replaceChildren(rows.length > 0 ? make("ol.timeline", {}, ...rows) : "Nothing is written about this order.");
    } catch (error) {
      setText(body, error.status === 404 ? "This order is not yours to see." : "The hub is away. Close this and try again.");
    }
  }

  #keys() {
    return [["?", "these keys", () => this.#showKeys()], ["Tab", "next kitchen or order", null], ["Enter", "open what is selected", null]];
  }

  #showKeys() {
    showKeys(this.#keys(), this.root);
  }
}

function isPaused(kitchen, clock) {
  return Boolean(kitchen.paused_until) && clock.secondsUntil(kitchen.paused_until) > 0;
}

function createLoad(pause) {
  const tap = button("", () => pause(node.kitchen));
  const name = make("a.load-name");
  const node = make("li", {}, name, make("meter.load-bar", { min: 0, max: 1, low: 0.6, high: 0.9, optimum: 0 }), make("span.load-text"), tap);
  return node;
}

function updateLoad(node, { kitchen, open, late, load, level }, clock) {
  const [name, bar, text, tap] = node.children;
  const look = LOOKS.load[level];
  node.kitchen = kitchen;
  setAttribute(node, "data-state", `load-${level}`);
  setAttribute(node, "data-late", late > 0);
  setText(name, `${kitchen.code} ${isolate(kitchen.name)}`);
  setAttribute(name, "href", `/kitchen/${kitchen.id}?mode=expediter`);
  bar.value = Math.min(1, load);
  setAttribute(bar, "aria-label", `Load of ${kitchen.code}`);
  const paused = isPaused(kitchen, clock) ? " · paused" : "";
  setText(text, `${look.sign} ${Math.round(load * 100)} % · ${open}/${kitchen.capacity_orders}${late ? ` · late ${late}` : ""}${paused}`);
  setText(tap, isPaused(kitchen, clock) ? "Resume" : `Pause ${PAUSE_MINUTES} m`);
  setAttribute(tap, "aria-label", `${tap.textContent} ${kitchen.code}`);
}
