// What rows and columns of a picture mean: hertz, notes and seconds, and the labels that say so.

const HERTZ_TICKS = [125, 250, 500, 1000, 2000, 4000, 8000];
const NOTES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

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
export function createTicks(data, axis) {
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
