/*
 * Drawing: nodes made from text only, lists patched in place, all changes of a moment in one animation frame.
 *
 * Invariants: text from the outside is only ever a text node (hostile text stays text); a node is touched only when what
 * it shows changed; the focus stays where it is.
 */

const SVG = "http://www.w3.org/2000/svg";

/** A node `tag.class` with attributes and children; a child is a node or text; `on` holds listeners. */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, attributes, children);
}

/** The same for SVG. */
export function makeSvg(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(SVG, name), classes, attributes, children);
}

/** A button that is at least a thumb wide; `act` gets the click. */
export function button(label, act, attributes = {}) {
  return make("button.button", { type: "button", ...attributes, on: { click: act } }, label);
}

/** Somebody's words for the middle of a sentence: whatever their direction, they turn nothing around them. */
export function isolate(text) {
  return `\u2068${String(text ?? "").replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;
}

/** Set the text of a node when it differs. */
export function setText(node, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Set an attribute when it differs; null and false take it away. */
export function setAttribute(node, name, value) {
  const wanted = value === null || value === undefined || value === false ? null : String(value === true ? "" : value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

/** Show or hide a node. */
export function setShown(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/**
 * Make the children of `parent` show `items`, in order. `key(item)` names a child, `create(item)` makes one, and
 * `update(child, item)` is called when `stamp(item)` differs from the last one (always, without `stamp`).
 */
export function patchList(parent, items, { key, create, update, stamp }) {
  const known = (parent.keyed ??= new Map());
  const focused = document.activeElement;
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    wanted.add(name);
    let child = known.get(name);
    if (child === undefined) {
      child = create(item);
      child.stamp = undefined;
      known.set(name, child);
    }
    const now = stamp?.(item);
    if (now === undefined || child.stamp !== now) update(child, item);
    child.stamp = now;
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const [name, child] of known) {
    if (wanted.has(name)) continue;
    known.delete(name);
    child.remove();
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

/** A function that runs `draw` once in the next animation frame, however often it is called before. */
export function oncePerFrame(draw) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    const run = () => {
      isWaiting = false;
      draw();
    };
    // a hidden page has no frames, and still must not fall behind
    if (document.hidden) setTimeout(run, 50);
    else requestAnimationFrame(run);
  };
}

/** A modal dialog with a heading; Escape and the button close it. Answers {dialog, body}. */
export function openDialog(title, { host = document.body } = {}) {
  const body = make("div.dialog-body");
  const close = button("Close", () => dialog.close());
  const dialog = make("dialog.dialog", { "aria-label": title }, make("h2", {}, title), body, close);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  host.append(dialog);
  dialog.showModal();
  return { dialog, body };
}

function fill(node, classes, { on = {}, ...attributes }, children) {
  if (classes.length > 0) node.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const [event, handle] of Object.entries(on)) node.addEventListener(event, handle);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
