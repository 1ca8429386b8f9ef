// The picture, which is the player. A playhead sweeps it, a click seeks, a drag selects a region,
// hovering reads seconds and hertz.

const DRAG = 5; // px that separate a drag from a click
const WIDE = 8; // times as wide as high: such a picture scrolls, so that there is something to see
const HIGH = 200; // px of a picture that scrolls
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const GROWING = { "+": 1.25, "=": 1.25, "-": 0.8 };

/** The picture over its seconds; of a wide canvas, in a box that scrolls. */
function scrollable({ size: [width, height] }, frame, seconds) {
  if (width < WIDE * height) return { parts: [frame, seconds], scroller: null };
  const inner = make("div", { style: `width: ${Math.round((HIGH * width) / height)}px` }, frame, seconds);
  const scroller = make("div", { class: "its-scroll" }, inner);
  return { parts: [scroller], scroller };
}

function stageParts({ size: [width, height], seconds }) {
  const canvas = make("canvas", { width, height, role: "img", "aria-label": "The picture, which is also the spectrogram of the sound" });
  const head = make("div", { class: "its-playhead", "aria-hidden": "true" });
  const clear = make("button", { type: "button", class: "its-clear", "aria-label": "Clear the region", title: "Clear the region (Esc)", text: "×" });
  const caption = make("span", { class: "its-caption" });
  const box = make("div", { class: "its-region", hidden: "" }, caption, clear);
  const reading = make("span", { class: "its-chipnote" });
  const cross = make("div", { class: "its-cross", "aria-hidden": "true", hidden: "" }, reading);
  const frame = make("div", {
    class: "its-frame", tabindex: 0, role: "slider", "aria-label": "Play position in the picture",
    "aria-valuemin": 0, "aria-valuemax": seconds.toFixed(2), "aria-valuenow": 0,
    style: `aspect-ratio: ${width} / ${height}`,
  }, canvas, box, cross, head);
  return { canvas, head, clear, caption, box, reading, cross, frame };
}

/** `region` is {x0, x1, y0, y1} as fractions of the picture, or null for all of it. What a person
 *  does is passed on to `on`: seek(seconds), select(region in seconds and hertz), focus(). */
export class Stage {
  constructor(data) {
    this.data = data;
    this.axis = data.hertz ? hertzAxis(data.hertz) : null; // null: nobody knows, so none are shown
    this.region = null;
    this.press = null; // where the pointer went down, and whether it has moved since
    this.on = {};
    this.parts = stageParts(data);
    const { hertz, seconds } = createTicks(data, this.axis);
    const { canvas, clear, frame } = this.parts;
    const { parts, scroller } = scrollable(data, frame, seconds);
    this.scroller = scroller;
    this.element = make("div", { class: "its-stage" }, hertz, ...parts);
    this.ink = canvas.getContext("2d");
    clear.addEventListener("click", () => this.on.select(null));
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("pointermove", (event) => this.press || event.pointerType === "touch" || this.hover(event));
    frame.addEventListener("pointerleave", () => (this.parts.cross.hidden = true));
    onDrag(frame, { begin: (event) => this.begin(event), move: (event) => this.draw(event), end: (event) => this.release(event) });
  }

  /** Draws a picture; one call, no layout, well under a millisecond. */
  paint(bitmap) {
    this.ink.drawImage(bitmap, 0, 0, ...this.data.size);
  }

  /** The picture as a PNG file. */
  file() {
    return new Promise((done) => this.parts.canvas.toBlob(done, "image/png"));
  }

  /** Moves the playhead to a position in seconds. */
  sweep(position, playing) {
    const { head, frame } = this.parts;
    const x = (position / this.data.seconds) * frame.clientWidth;
    head.style.transform = `translateX(${x}px)`;
    this.follow(x, playing);
    frame.classList.toggle("its-playing", playing);
    const now = position.toFixed(1);
    if (frame.getAttribute("aria-valuenow") === now) return;
    frame.setAttribute("aria-valuenow", now);
    frame.setAttribute("aria-valuetext", `${now} seconds`);
  }

  /** Turns the page of a picture that scrolls when the playhead of a playing sound leaves it. */
  follow(x, playing) {
    if (!this.scroller || !playing || this.press) return;
    const { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft || x > scrollLeft + clientWidth - 2) this.scroller.scrollLeft = x - 0.05 * clientWidth;
  }

  // ---- the region --------------------------------------------------------------------------------

  /** Fractions of the picture as seconds and hertz. */
  measure({ x0, x1, y0, y1 }) {
    const { seconds, rate } = this.data;
    const [low, high] = this.axis ? [this.axis.at(y1), this.axis.at(y0)] : [0, rate / 2];
    return { from: x0 * seconds, to: x1 * seconds, low, high };
  }

  describe(r) {
    return `${r.from.toFixed(2)}–${r.to.toFixed(2)} s` + (this.axis ? `, ${hertzText(r.low)}–${hertzText(r.high)}` : "");
  }

  place(next) {
    const { box, caption } = this.parts;
    this.region = next && !this.axis ? { ...next, y0: 0, y1: 1 } : next;
    box.hidden = !this.region;
    if (!this.region) return;
    const { x0, x1, y0, y1 } = this.region;
    Object.assign(box.style, { left: `${100 * x0}%`, width: `${100 * (x1 - x0)}%`, top: `${100 * y0}%`, height: `${100 * (y1 - y0)}%` });
    caption.textContent = this.describe(this.measure(this.region));
    box.classList.toggle("its-low", y0 < 0.16);
    box.classList.toggle("its-left", x0 > 0.6);
  }

  /** Shows a region of seconds and hertz, or none. */
  select(next) {
    if (!next) return this.place(null);
    const { axis, data: { seconds } } = this;
    this.place({ x0: next.from / seconds, x1: next.to / seconds, y0: axis ? axis.where(next.high) : 0, y1: axis ? axis.where(next.low) : 1 });
  }

  /** A region must be wide enough to be heard: at least 60 ms and three rows. */
  choose({ x0, x1, y0, y1 }) {
    const wide = Math.max(x1 - x0, 0.06 / this.data.seconds);
    const tall = Math.max(y1 - y0, 3 / this.data.size[1]);
    const left = clamp((x0 + x1 - wide) / 2, 0, 1 - wide);
    const top = clamp((y0 + y1 - tall) / 2, 0, 1 - tall);
    this.place({ x0: left, x1: left + wide, y0: top, y1: top + tall });
    this.on.select(this.measure(this.region));
  }

  // ---- pointer and keys --------------------------------------------------------------------------

  hover(event) {
    const { cross, frame, reading } = this.parts;
    const { x, y } = placeIn(frame, event);
    cross.hidden = false;
    cross.style.left = `${100 * x}%`;
    cross.style.top = `${100 * y}%`;
    cross.classList.toggle("its-left", x > 0.75);
    cross.classList.toggle("its-low", y < 0.25);
    const hertz = this.axis && this.axis.at(y);
    reading.textContent = `${(x * this.data.seconds).toFixed(2)} s${hertz ? ` · ${hertzText(hertz)} · ${noteText(hertz)}` : ""}`;
  }

  begin(event) {
    if (event.target === this.parts.clear) return false;
    this.press = { ...placeIn(this.parts.frame, event), px: event.clientX, py: event.clientY, moved: false };
  }

  draw(event) {
    const { press, parts } = this;
    press.moved ||= Math.hypot(event.clientX - press.px, event.clientY - press.py) > DRAG;
    if (!press.moved) return;
    parts.cross.hidden = true;
    const { x, y } = placeIn(parts.frame, event);
    this.place({ x0: Math.min(x, press.x), x1: Math.max(x, press.x), y0: Math.min(y, press.y), y1: Math.max(y, press.y) });
    parts.frame.classList.add("its-drawing");
  }

  release(event) {
    const { moved, x } = this.press;
    this.press = null;
    this.parts.frame.classList.remove("its-drawing");
    this.on.focus();
    if (event.type !== "pointerup") return;
    if (moved) this.choose(this.region);
    else this.on.seek(x * this.data.seconds);
  }

  /** The keyboard's way: arrows seek; with Shift they move a region, + and - change its size. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [dx, dy] = ARROWS[event.key] || [0, 0];
    const grow = GROWING[event.key];
    if ((event.shiftKey && (dx || dy)) || grow) this.nudge(dx, dy, grow || 1);
    else if (dx) this.on.seek(this.on.position() + dx * 0.1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Moves the region by some strides and makes it `grow` times as large; begins one if there is none. */
  nudge(dx, dy, grow) {
    const here = this.on.position() / this.data.seconds;
    const { x0, x1, y0, y1 } = this.region || { x0: clamp(here - 0.1, 0, 0.8), x1: clamp(here + 0.1, 0.2, 1), y0: 0.4, y1: 0.6 };
    const [w, h] = [(x1 - x0) * grow, (y1 - y0) * grow].map((size) => Math.min(1, size));
    const left = clamp((x0 + x1 - w) / 2 + (this.region ? dx * 0.02 : 0), 0, 1 - w);
    const top = clamp((y0 + y1 - h) / 2 + (this.region ? dy * 0.04 : 0), 0, 1 - h);
    this.choose({ x0: left, x1: left + w, y0: top, y1: top + h });
  }
}
