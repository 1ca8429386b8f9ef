// The tug-of-war of the guides, in SVG under the slider.

const CHART = { width: 1000, height: 100 }; // user units; the drawing is stretched to its box

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** SVG path through values (y already 0..1, up); a null lifts the pen. */
function line(values, count) {
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (!known(value)) {
      pen = "M";
      return;
    }
    const x = count > 1 ? (i / (count - 1)) * CHART.width : CHART.width / 2;
    path += `${pen}${x.toFixed(1)} ${((1 - value) * CHART.height).toFixed(2)}`;
    pen = "L";
  });
  return path;
}

/** SVG path of the area between two lists of values, both complete. */
function band(below, above, count) {
  const back = line([...below].reverse(), count).slice(1).split("L");
  const xs = back.map((point) => point.split(" ")[1]);
  const points = xs.map((y, i) => `L${(CHART.width - (count > 1 ? i / (count - 1) : 0.5) * CHART.width).toFixed(1)} ${y}`);
  return `${line(above, count)}${points.join("")}Z`;
}

/** The series of a diagnosis, each {key, label, color, values, format, shape, hint}. */
function seriesOf({ guides, shares, cosine, norms, scores, mixed_by: by }) {
  const percent = (v) => `${Math.round(v * 100)} %`;
  const plain = (v) => v.toFixed(2);
  const ofGuides = (one) => guides.map((name, g) => ({ color: guideColor(g), ...one(name, g) }));
  const series = [
    ...ofGuides((name, g) => ({ key: `share-${g}`, label: `${name} pull`, values: shares[g], format: percent,
      shape: "area", guide: g, hint: `how much of each update comes from the ${name} model${by ? `, by ${by}` : ""}` })),
    { key: "cosine", label: "agreement", values: cosine, format: plain, shape: "line", color: "--series: var(--its-ink)",
      hint: "cosine between the two noise estimates: 1 when both models want the same" },
    ...ofGuides((name, g) => ({ key: `norm-${g}`, label: `${name} strength`, values: norms[g], format: plain,
      shape: "dotted", scaled: true, hint: `root mean square of the ${name} model's noise estimate` })),
    ...(scores || []).map((score, g) => ({ key: `score-${g}`, label: score.label, values: score.values, format: plain,
      shape: "line thick", color: guideColor(score.guide ?? g), hint: "how well the judge recognises the prompt in the result so far" })),
  ];
  return series.filter((one) => one.values && one.values.some(known));
}

/** Where values lie in the drawing, 0..1: strengths by their own largest, all else from `low` to 1. */
function scaleOf(series) {
  const all = (scaled) => series.filter((one) => !!one.scaled === scaled).flatMap((one) => one.values.filter(known));
  const floor = Math.min(0, ...all(false));
  const low = floor < 0 ? -Math.min(1, Math.ceil(-floor * 4) / 4) : 0;
  const top = 1.2 * Math.max(1e-9, ...all(true));
  const height = (value) => (known(value) ? (clamp(value, low, 1) - low) / (1 - low) : null);
  return {
    height,
    of: (one) => one.values.map((v) => height(one.scaled && known(v) ? v / top : v)),
    /** The heights of values on top of a pile of heights. */
    onto: (pile, values) => values.map((v, i) => height(Math.min(1, pile[i] * (1 - low) + low + Math.max(0, v || 0)))),
  };
}

/** The drawings of all series, the areas upon each other. */
function drawSeries(series, scale, { count, guides }) {
  let pile = Array(count).fill(scale.height(0));
  return series.map((one) => {
    const group = make("g", { class: `its-series its-${one.shape.split(" ")[0]}`, style: one.color });
    if (one.shape === "area") {
      const next = scale.onto(pile, one.values);
      group.append(make("path", { d: band(pile, next, count), class: "its-fill" }));
      if (one.guide < guides.length - 1) group.append(make("path", { d: line(next, count), class: "its-line" }));
      pile = next;
    } else group.append(make("path", { d: line(scale.of(one), count), class: `its-line ${one.shape}` }));
    return group;
  });
}

/** The button that explains a series, reads its value and hides its drawing. */
function createChip(one, drawing) {
  const value = make("output", { class: "its-value" });
  const chip = make("button", { type: "button", class: `its-chip its-chip-${one.shape.split(" ")[0]}`, "aria-pressed": "true",
    title: one.hint, style: one.color, "data-series": one.key },
    make("span", { class: "its-swatch", "aria-hidden": "true" }), make("span", { text: one.label }), value, make("small", { text: one.hint }));
  chip.addEventListener("click", () => {
    const on = chip.getAttribute("aria-pressed") !== "true";
    chip.setAttribute("aria-pressed", String(on));
    drawing.style.display = on ? "" : "none";
  });
  return { chip, tell: (step) => (value.textContent = known(one.values[step]) ? one.format(one.values[step]) : "silent") };
}

/** Builds the chart; returns {element, legend, show(step)}. */
export function createChart(diagnosis) {
  const series = seriesOf(diagnosis);
  const scale = scaleOf(series);
  const zero = (1 - scale.height(0)) * CHART.height;
  const drawings = drawSeries(series, scale, diagnosis);
  const chips = series.map((one, k) => createChip(one, drawings[k]));
  const drawing = make("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
    make("line", { x1: 0, x2: CHART.width, y1: zero, y2: zero, class: "its-axis" }), ...drawings);
  return {
    element: make("div", { class: "its-chart" }, drawing),
    legend: make("div", { class: "its-legend", role: "group", "aria-label": "Curves of the plot" }, ...chips.map((one) => one.chip)),
    show: (step) => chips.forEach((one) => one.tell(step)),
  };
}
