// Draws a weight over the run: mouse, finger or keys. Joined behind chart.js, which brings make().

function curveRender({ model, el }) {
  const drawing = make("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const area = make("path", { class: "its-fill" });
  const line = make("path", { class: "its-line" });
  drawing.append(make("line", { x1: 0, x2: 1000, y1: 50, y2: 50, class: "its-axis" }), area, line);
  const knob = make("div", { class: "its-knob", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 1,
    "aria-label": `${model.get("label")}: arrows left and right choose a moment, up and down its weight` });
  const box = make("div", { class: "its-draw" }, drawing, knob);
  const readout = make("output", { class: "its-note" });
  const presets = make("div", { class: "its-tracks", role: "group", "aria-label": "Presets" });
  for (const [name, values] of Object.entries(model.get("presets"))) {
    const button = make("button", { type: "button", text: name });
    button.addEventListener("click", () => write(values));
    presets.append(button);
  }
  const root = make("div", { class: "its-scrubber its-tool", role: "group", "aria-label": model.get("label"), "data-lm-suppress-shortcuts": "true" },
    make("div", { class: "its-line-up" }, make("b", { text: model.get("label") }), readout),
    box, make("div", { class: "its-line-up its-ends" }, make("span", { text: "noise" }), make("span", { text: "result" })), presets);
  let values = [...model.get("values")];
  let at = 0;

  function draw() {
    const n = values.length - 1;
    const points = values.map((v, i) => `${((i / n) * 1000).toFixed(1)} ${((1 - v) * 100).toFixed(1)}`);
    line.setAttribute("d", `M${points.join("L")}`);
    area.setAttribute("d", `M0 100L${points.join("L")}L1000 100Z`);
    knob.style.left = `${(100 * at) / n}%`;
    knob.style.top = `${100 * (1 - values[at])}%`;
    knob.setAttribute("aria-valuenow", values[at].toFixed(2));
    readout.textContent = `${Math.round((100 * at) / n)} % of the run: ${values[at].toFixed(2)}`;
    const same = (other) => other.length === values.length && other.every((v, i) => Math.abs(v - values[i]) < 1e-6);
    const shapes = Object.values(model.get("presets"));
    [...presets.children].forEach((button, k) => button.setAttribute("aria-pressed", String(same(shapes[k]))));
  }
  function write(next) {
    values = [...next];
    draw();
    model.set("values", values);
    model.save_changes();
  }

  let before = null;
  const place = (event) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    const clip = (v) => Math.min(1, Math.max(0, v));
    return { i: Math.round(clip((event.clientX - left) / width) * (values.length - 1)), v: 1 - clip((event.clientY - top) / height) };
  };
  const stroke = (event) => {
    const now = place(event);
    const from = before || now;
    for (let i = Math.min(from.i, now.i); i <= Math.max(from.i, now.i); i++)
      values[i] = from.i === now.i ? now.v : from.v + ((now.v - from.v) * (i - from.i)) / (now.i - from.i);
    before = now;
    at = now.i;
    draw();
  };
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    knob.focus({ preventScroll: true });
    box.setPointerCapture(event.pointerId);
    stroke(event);
  });
  box.addEventListener("pointermove", (event) => before && stroke(event));
  for (const end of ["pointerup", "pointercancel"])
    box.addEventListener(end, () => {
      if (before) write(values);
      before = null;
    });
  knob.addEventListener("keydown", (event) => {
    const [dx, dv] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key] || [0, 0];
    if (!dx && !dv) return;
    event.preventDefault();
    event.stopPropagation();
    at = Math.min(values.length - 1, Math.max(0, at + dx));
    values[at] = Math.min(1, Math.max(0, values[at] + dv));
    if (dv) write(values);
    else draw();
  });
  const changed = () => {
    values = [...model.get("values")];
    draw();
  };
  model.on("change:values", changed);
  draw();
  el.replaceChildren(root);
  const stopTheme = followTheme(root);
  return () => {
    stopTheme();
    model.off("change:values", changed);
  };
}

export default { render: curveRender };
