// Chapter 3 of the scrubber: the picture, which is the player. A playhead sweeps it, a click
// seeks, a drag selects a region, hovering reads seconds and hertz.

const HERTZ_TICKS = [125, 250, 500, 1000, 2000, 4000, 8000];
const DRAG = 5; // px that separate a drag from a click
const NOTES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export function hertzText(hertz) {
  return hertz >= 1000 ? `${(hertz / 1000).toFixed(hertz < 10000 ? 2 : 1)} kHz` : `${Math.round(hertz)} Hz`;
}

/** The nearest note of the tempered scale, A4 = 440 Hz. */
export function noteText(hertz) {
  const key = Math.round(69 + 12 * Math.log2(hertz / 440));
  return hertz > 25 ? `${NOTES[((key % 12) + 12) % 12]}${Math.floor(key / 12) - 1}` : "";
}

/** Maps heights of the picture (0 top .. 1 bottom) to hertz and back, through the rows' centres. */
export function hertzAxis(rows) {
  const n = rows.length;
  const at = (y) => {
    const row = clamp(y * n - 0.5, 0, n - 1);
    const i = Math.min(n - 2, Math.floor(row));
    return rows[i] + (rows[i + 1] - rows[i]) * (row - i);
  };
  const where = (hertz) => {
    let i = rows.findIndex((row) => row < hertz);
    if (i === -1) i = n - 1;
    if (i === 0) return 0;
    return clamp((i - 0.5 + (hertz - rows[i - 1]) / (rows[i] - rows[i - 1])) / n, 0, 1);
  };
  return { at, where };
}

/** Labels beside and below the picture. */
function createTicks(data, axis) {
  const hertz = make("div", { class: "its-hertz", "aria-hidden": "true" });
  let previous = 2;
  for (const tick of axis ? HERTZ_TICKS : []) {
    const y = axis.where(tick);
    if (tick > data.hertz[0] * 1.02 || tick < data.hertz.at(-1) || previous - y < 0.11) continue;
    previous = y;
    hertz.append(make("span", { style: `top: ${(100 * y).toFixed(2)}%`, text: tick >= 1000 ? `${tick / 1000} kHz` : `${tick} Hz` }));
  }
  const seconds = make("div", { class: "its-seconds", "aria-hidden": "true" });
  const stride = data.seconds > 8 ? 2 : 1;
  for (let s = 0; s < data.seconds * 0.96; s += stride)
    seconds.append(make("span", { style: `left: ${((100 * s) / data.seconds).toFixed(2)}%`, text: `${s} s` }));
  return { hertz, seconds };
}

export function createStage(data) {
  const axis = data.hertz ? hertzAxis(data.hertz) : null; // null: nobody knows, so none are shown
  const { hertz, seconds } = createTicks(data, axis);
  const [width, height] = data.size;
  const canvas = make("canvas", { width, height, role: "img", "aria-label": "The picture, which is also the spectrogram of the sound" });
  const playhead = make("div", { class: "its-playhead", "aria-hidden": "true" });
  const clear = make("button", { type: "button", class: "its-clear", "aria-label": "Clear the region", title: "Clear the region (Esc)", text: "×" });
  const caption = make("span", { class: "its-caption" });
  const box = make("div", { class: "its-region", hidden: "" }, caption, clear);
  const cross = make("div", { class: "its-cross", "aria-hidden": "true", hidden: "" }, make("span", { class: "its-chipnote" }));
  const frame = make("div", {
    class: "its-frame", tabindex: 0, role: "slider", "aria-label": "Play position in the picture",
    "aria-valuemin": 0, "aria-valuemax": data.seconds.toFixed(2), "aria-valuenow": 0,
    style: `aspect-ratio: ${width} / ${height}`,
  }, canvas, box, cross, playhead);
  const element = make("div", { class: "its-stage" }, hertz, frame, seconds);
  const ink = canvas.getContext("2d");
  let region = null; // {x0, x1, y0, y1} as fractions of the picture
  let on = {};

  const regionOf = ({ x0, x1, y0, y1 }) => ({ from: x0 * data.seconds, to: x1 * data.seconds, low: axis ? axis.at(y1) : 0, high: axis ? axis.at(y0) : data.rate / 2 });
  const describe = (r) => `${r.from.toFixed(2)}–${r.to.toFixed(2)} s` + (axis ? `, ${hertzText(r.low)}–${hertzText(r.high)}` : "");

  function place(next) {
    region = next && !axis ? { ...next, y0: 0, y1: 1 } : next;
    box.hidden = !region;
    if (!region) return;
    const { x0, x1, y0, y1 } = region;
    Object.assign(box.style, { left: `${100 * x0}%`, width: `${100 * (x1 - x0)}%`, top: `${100 * y0}%`, height: `${100 * (y1 - y0)}%` });
    caption.textContent = describe(regionOf(region));
    box.classList.toggle("its-low", y0 < 0.16);
    box.classList.toggle("its-left", x0 > 0.6);
  }

  const whereIs = (event) => {
    const place = frame.getBoundingClientRect();
    return { x: clamp((event.clientX - place.left) / place.width, 0, 1), y: clamp((event.clientY - place.top) / place.height, 0, 1) };
  };

  function hover(event) {
    const { x, y } = whereIs(event);
    cross.hidden = false;
    cross.style.left = `${100 * x}%`;
    cross.style.top = `${100 * y}%`;
    cross.classList.toggle("its-left", x > 0.75);
    cross.classList.toggle("its-low", y < 0.25);
    cross.firstChild.textContent = `${(x * data.seconds).toFixed(2)} s${axis ? ` · ${hertzText(axis.at(y))} · ${noteText(axis.at(y))}` : ""}`;
  }

  let press = null;
  frame.addEventListener("pointerdown", (event) => {
    if (event.button || event.target === clear) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    press = { ...whereIs(event), px: event.clientX, py: event.clientY, moved: false };
  });
  frame.addEventListener("pointermove", (event) => {
    if (!press) return event.pointerType === "touch" || hover(event);
    press.moved ||= Math.hypot(event.clientX - press.px, event.clientY - press.py) > DRAG;
    if (!press.moved) return;
    cross.hidden = true;
    const { x, y } = whereIs(event);
    place({ x0: Math.min(x, press.x), x1: Math.max(x, press.x), y0: Math.min(y, press.y), y1: Math.max(y, press.y) });
    frame.classList.add("its-drawing");
  });
  const release = (event) => {
    if (!press) return;
    const { moved, x } = press;
    press = null;
    frame.classList.remove("its-drawing");
    on.focus();
    if (moved && event.type === "pointerup") choose(region);
    else if (event.type === "pointerup") on.seek(x * data.seconds);
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("pointerleave", () => (cross.hidden = true));
  clear.addEventListener("click", () => on.select(null));

  /** A region must be wide enough to be heard: at least 60 ms and three rows. */
  function choose({ x0, x1, y0, y1 }) {
    const wide = Math.max(x1 - x0, 0.06 / data.seconds);
    const tall = Math.max(y1 - y0, 3 / height);
    const left = clamp((x0 + x1 - wide) / 2, 0, 1 - wide);
    const top = clamp((y0 + y1 - tall) / 2, 0, 1 - tall);
    place({ x0: left, x1: left + wide, y0: top, y1: top + tall });
    on.select(regionOf(region));
  }

  /** The keyboard's way: arrows seek; with Shift they move a region, + and - change its size. */
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
    const grow = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if ((event.shiftKey && (dx || dy)) || grow) {
      const here = on.position() / data.seconds;
      const { x0, x1, y0, y1 } = region || { x0: clamp(here - 0.1, 0, 0.8), x1: clamp(here + 0.1, 0.2, 1), y0: 0.4, y1: 0.6 };
      const [w, h] = [(x1 - x0) * (grow || 1), (y1 - y0) * (grow || 1)].map((size) => Math.min(1, size));
      const left = clamp((x0 + x1 - w) / 2 + (region ? dx * 0.02 : 0), 0, 1 - w);
      const top = clamp((y0 + y1 - h) / 2 + (region ? dy * 0.04 : 0), 0, 1 - h);
      choose({ x0: left, x1: left + w, y0: top, y1: top + h });
    } else if (dx) {
      on.seek(on.position() + dx * 0.1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    element,
    describe,
    bind: (actions) => (on = actions),
    /** Draws a picture; one call, no layout, well under a millisecond. */
    paint: (bitmap) => ink.drawImage(bitmap, 0, 0, width, height),
    /** The picture as a PNG file. */
    file: () => new Promise((done) => canvas.toBlob(done, "image/png")),
    select(next) {
      if (!next) return place(null);
      place({ x0: next.from / data.seconds, x1: next.to / data.seconds, y0: axis ? axis.where(next.high) : 0, y1: axis ? axis.where(next.low) : 1 });
    },
    playhead(position, playing) {
      playhead.style.transform = `translateX(${(position / data.seconds) * frame.clientWidth}px)`;
      frame.classList.toggle("its-playing", playing);
      const now = position.toFixed(1);
      if (frame.getAttribute("aria-valuenow") === now) return;
      frame.setAttribute("aria-valuenow", now);
      frame.setAttribute("aria-valuetext", `${now} seconds`);
    },
  };
}
