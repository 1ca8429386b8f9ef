// What every instrument is built of: elements, places of a pointer, and a model's values.

const SVG = "http://www.w3.org/2000/svg";

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** An element with attributes, properties (text) and children; text is only ever set as text. */
export function make(tag, attributes = {}, ...children) {
  const element = ["svg", "path", "line", "g"].includes(tag)
    ? document.createElementNS(SVG, tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name === "style") element.style.cssText = value; // a strict page refuses the attribute
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  // JupyterLab's shortcuts take the keys of whatever has the focus, unless that says so itself.
  if (element.matches("input, button, summary, [tabindex]")) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

/** The outermost element of an instrument, in the dress that all of them wear. */
export const makeRoot = (name, label, ...children) =>
  make("div", { class: `itskit ${name}`, role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" }, ...children);

/** The style that gives an element a guide's colour. There are four; the fifth guide has the first. */
export const guideColor = (guide) => `--series: var(--its-guide-${guide % 4})`;

/** Where a pointer is over an element: 0, 0 at its top left, 1, 1 at its bottom right. */
export function placeOver(element, event) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
}

/** The same, and at the edge if the pointer has left the element. */
export function placeIn(element, event) {
  const { x, y } = placeOver(element, event);
  return { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
}

/** Tells of a press on an element and of every move until it is let go. `begin` may answer false. */
export function onDrag(element, { begin, move, end = () => {} }) {
  let held = false;
  element.addEventListener("pointerdown", (event) => {
    if (event.button || begin(event) === false) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    held = true;
  });
  element.addEventListener("pointermove", (event) => held && move(event));
  const release = (event) => {
    if (held) end(event);
    held = false;
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
}

/** The bytes of a buffer, of a view on one, or of base64. */
export function asBytes(value) {
  if (typeof value === "string") return Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
  return value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Calls `tell` now and whenever one of a model's values changes; the answer is how to end that. */
export function follow(model, names, tell) {
  for (const name of names) model.on(`change:${name}`, tell);
  tell();
  return () => names.forEach((name) => model.off(`change:${name}`, tell));
}

export function write(model, name, value) {
  model.set(name, value);
  model.save_changes();
}
