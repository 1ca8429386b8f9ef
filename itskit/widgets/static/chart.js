// Chapter 2 of the scrubber: what every view needs, and the tug-of-war in SVG under the slider.

const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 1000, height: 100 }; // user units; the drawing is stretched to its box

/** An element with attributes, properties (text) and children; text is only ever set as text. */
export function make(tag, attributes = {}, ...children) {
  const element = ["svg", "path", "line", "g"].includes(tag)
    ? document.createElementNS(SVG, tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  // JupyterLab's shortcuts take the keys of whatever has the focus, unless that says so itself.
  if (element.matches("input, button, summary, [tabindex]")) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

/** Follows the host's theme where it states one (JupyterLab, VS Code, Colab), else the system's. */
function followTheme(root) {
  const tell = () => {
    const { body, documentElement: html } = document;
    const dark = body.dataset.jpThemeLight === "false" || html.getAttribute("theme") === "dark" || /dark/.test(body.dataset.vscodeThemeKind || "");
    const light = body.dataset.jpThemeLight === "true" || html.getAttribute("theme") === "light" || /light/.test(body.dataset.vscodeThemeKind || "");
    if (dark || light) root.dataset.theme = dark ? "dark" : "light";
  };
  tell();
  const watcher = new MutationObserver(tell);
  watcher.observe(document.body, { attributes: true });
  watcher.observe(document.documentElement, { attributes: true });
  return () => watcher.disconnect();
}

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
function seriesOf(diagnosis) {
  const series = [];
  const percent = (v) => `${Math.round(v * 100)} %`;
  const plain = (v) => v.toFixed(2);
  diagnosis.guides.forEach((name, g) => {
    series.push({ key: `share-${g}`, label: `${name} pull`, color: `guide-${g}`, shape: "area", guide: g,
      values: diagnosis.shares[g], format: percent, hint: `how much of each update comes from the ${name} model` });
  });
  series.push({ key: "cosine", label: "agreement", color: "ink", shape: "line", values: diagnosis.cosine, format: plain,
    hint: "cosine between the two noise estimates: 1 when both models want the same" });
  diagnosis.guides.forEach((name, g) => {
    series.push({ key: `norm-${g}`, label: `${name} strength`, color: `guide-${g}`, shape: "dotted", values: diagnosis.norms[g],
      format: plain, scaled: true, hint: `root mean square of the ${name} model's noise estimate` });
  });
  for (const [g, score] of (diagnosis.scores || []).entries()) {
    series.push({ key: `score-${g}`, label: score.label, color: `guide-${score.guide ?? g}`, shape: "line thick",
      values: score.values, format: plain, hint: "how well the judge recognises the prompt in the result so far" });
  }
  return series.filter((one) => one.values && one.values.some(known));
}

/** Builds the chart; returns {element, legend, show(step)}. */
export function createChart(diagnosis) {
  const count = diagnosis.count;
  const series = seriesOf(diagnosis);
  const floor = Math.min(0, ...series.filter((s) => !s.scaled).flatMap((s) => s.values.filter(known)));
  const low = floor < 0 ? -Math.min(1, Math.ceil(-floor * 4) / 4) : 0;
  const top = 1.2 * Math.max(1e-9, ...series.filter((s) => s.scaled).flatMap((s) => s.values.filter(known)));
  const height = (value) => (known(value) ? (Math.max(low, Math.min(1, value)) - low) / (1 - low) : null);

  const drawing = make("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  const zero = (1 - height(0)) * CHART.height;
  drawing.append(make("line", { x1: 0, x2: CHART.width, y1: zero, y2: zero, class: "its-axis" }));
  const legend = make("div", { class: "its-legend", role: "group", "aria-label": "Curves of the plot" });
  let pile = Array(count).fill(height(0));
  const readouts = series.map((one) => {
    const group = make("g", { class: `its-series its-${one.shape.split(" ")[0]}`, style: `--series: var(--its-${one.color})` });
    if (one.shape === "area") {
      const next = one.values.map((v, i) => height(Math.min(1, (pile[i] * (1 - low) + low) + Math.max(0, v || 0))));
      group.append(make("path", { d: band(pile, next, count), class: "its-fill" }));
      if (one.guide < diagnosis.guides.length - 1) group.append(make("path", { d: line(next, count), class: "its-line" }));
      pile = next;
    } else {
      const values = one.values.map((v) => height(one.scaled && known(v) ? v / top : v));
      group.append(make("path", { d: line(values, count), class: `its-line ${one.shape}` }));
    }
    drawing.append(group);
    const value = make("output", { class: "its-value" });
    const chip = make("button", { type: "button", class: `its-chip its-chip-${one.shape.split(" ")[0]}`, "aria-pressed": "true",
      title: one.hint, style: `--series: var(--its-${one.color})`, "data-series": one.key },
      make("span", { class: "its-swatch", "aria-hidden": "true" }), make("span", { text: one.label }), value, make("small", { text: one.hint }));
    chip.addEventListener("click", () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(on));
      group.style.display = on ? "" : "none";
    });
    legend.append(chip);
    return { one, value };
  });
  const element = make("div", { class: "its-chart" }, drawing);
  return {
    element,
    legend,
    show(step) {
      for (const { one, value } of readouts) {
        const v = one.values[step];
        value.textContent = known(v) ? one.format(v) : "silent";
      }
    },
  };
}
