/*
 * A map that needs no tiles: points of a plane city in an SVG, north up, metres true in both directions.
 *
 * Points are {id, kind, lat, lon, label, mark}; kitchens and their labels lie above everybody who passes. The frame grows
 * with the points and never shrinks, so that nothing jumps.
 */

import { makeSvg, patchList, setAttribute, setText } from "./dom.js";

const MARGIN = 0.12;
const SMALLEST_METRES = 800;
const METRES_PER_DEGREE = 111195;

export class CityMap {
  /** `title` names the picture for people who do not see it; `height` is in units of a width of 100. */
  constructor({ title, height = 60 }) {
    this.height = height;
    this.title = makeSvg("title", {}, title);
    this.lines = makeSvg("g");
    this.points = makeSvg("g");
    const viewBox = `0 0 100 ${height}`;
    this.node = makeSvg("svg.city-map", { viewBox, role: "img" }, this.title, this.lines, this.points);
    this.node.style.aspectRatio = `100 / ${height}`;
    this.box = null;
  }

  /** Draw these points, and straight lines between the pairs of ids. */
  draw(points, pairs = []) {
    const shown = points.filter((point) => Number.isFinite(point.lat) && Number.isFinite(point.lon));
    const placed = [...shown.filter((point) => point.kind !== "kitchen"), ...shown.filter((point) => point.kind === "kitchen")];
    if (placed.length === 0) return;
    this.#grow(placed);
    const at = new Map(placed.map((point) => [point.id, this.#project(point)]));
    patchList(this.points, placed, {
      key: (point) => point.id,
      create: (point) => marker(point),
      update: (node, point) => place(node, point, at.get(point.id)),
    });
    patchList(this.lines, pairs.filter((pair) => at.has(pair[0]) && at.has(pair[1])), {
      key: (pair) => pair.join(" "),
      create: () => makeSvg("line.way"),
      update: (node, [from, to]) => {
        const [start, end] = [at.get(from), at.get(to)];
        setAttribute(node, "x1", start.x);
        setAttribute(node, "y1", start.y);
        setAttribute(node, "x2", end.x);
        setAttribute(node, "y2", end.y);
      },
    });
  }

  #grow(points) {
    const box = this.box ?? { south: Infinity, north: -Infinity, west: Infinity, east: -Infinity };
    for (const { lat, lon } of points) {
      box.south = Math.min(box.south, lat);
      box.north = Math.max(box.north, lat);
      box.west = Math.min(box.west, lon);
      box.east = Math.max(box.east, lon);
    }
    this.box = box;
    const slant = Math.cos(((box.south + box.north) / 2) * (Math.PI / 180)); // a degree of longitude is shorter than one of latitude
    const wide = Math.max((box.east - box.west) * slant * METRES_PER_DEGREE, SMALLEST_METRES);
    const high = Math.max((box.north - box.south) * METRES_PER_DEGREE, SMALLEST_METRES);
    const usable = 1 - 2 * MARGIN;
    this.scale = Math.min((100 * usable) / wide, (this.height * usable) / high) * METRES_PER_DEGREE;
    this.slant = slant;
  }

  #project({ lat, lon }) {
    const { south, north, west, east } = this.box;
    const x = 50 + (lon - (west + east) / 2) * this.slant * this.scale;
    const y = this.height / 2 - (lat - (south + north) / 2) * this.scale;
    return { x: x.toFixed(2), y: y.toFixed(2) };
  }
}

function marker(point) {
  const shape = point.kind === "kitchen" ? makeSvg("rect", { x: -1.8, y: -1.8, width: 3.6, height: 3.6 }) : makeSvg("circle", { r: 1.7 });
  return makeSvg("g.point", {}, shape, makeSvg("text", { y: point.kind === "rider" ? 5.2 : -2.8, "text-anchor": "middle" }));
}

function place(node, point, { x, y }) {
  setAttribute(node, "transform", `translate(${x} ${y})`);
  setAttribute(node, "data-kind", point.kind);
  setAttribute(node, "data-mark", point.mark ?? null);
  setText(node.lastElementChild, point.label ?? "");
}
