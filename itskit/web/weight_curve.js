// Draws a weight over the run: mouse, finger or keys.

const STRIDES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] };

/** `values` are the heights in [0, 1], `at` is the one on which the knob stands. */
class Curve {
  constructor(model) {
    this.model = model;
    this.values = [...model.get("values")];
    this.at = 0;
    this.before = null; // the last place of a stroke under way
    const label = model.get("label");
    this.area = make("path", { class: "its-fill" });
    this.line = make("path", { class: "its-line" });
    this.knob = make("div", { class: "its-knob", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 1,
      "aria-label": `${label}: arrows left and right choose a moment, up and down its weight` });
    this.readout = make("output", { class: "its-note" });
    this.presets = make("div", { class: "its-tracks", role: "group", "aria-label": "Presets" }, ...this.buttons());
    this.box = make("div", { class: "its-draw" }, this.drawing(), this.knob);
    this.root = makeRoot("its-tool", label, make("div", { class: "its-line-up" }, make("b", { text: label }), this.readout), this.box,
      make("div", { class: "its-line-up its-ends" }, make("span", { text: "noise" }), make("span", { text: "result" })), this.presets);
    onDrag(this.box, { begin: (event) => this.begin(event), move: (event) => this.stroke(event), end: () => this.write(this.values) });
    this.knob.addEventListener("keydown", (event) => this.key(event));
    this.stop = follow(model, ["values"], () => this.draw(model.get("values")));
  }

  drawing() {
    return make("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" },
      make("line", { x1: 0, x2: 1000, y1: 50, y2: 50, class: "its-axis" }), this.area, this.line);
  }

  buttons() {
    return Object.entries(this.model.get("presets")).map(([name, values]) => {
      const button = make("button", { type: "button", text: name });
      button.addEventListener("click", () => this.write(values));
      return button;
    });
  }

  draw(values = this.values) {
    this.values = [...values];
    const n = values.length - 1;
    const points = values.map((v, i) => `${((i / n) * 1000).toFixed(1)} ${((1 - v) * 100).toFixed(1)}`);
    this.line.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M0 100L${points.join("L")}L1000 100Z`);
    this.at = Math.min(this.at, n);
    const [at, value] = [(100 * this.at) / n, values[this.at]];
    Object.assign(this.knob.style, { left: `${at}%`, top: `${100 * (1 - value)}%` });
    this.knob.setAttribute("aria-valuenow", value.toFixed(2));
    this.readout.textContent = `${Math.round(at)} % of the run: ${value.toFixed(2)}`;
    const same = (other) => other.length === values.length && other.every((v, i) => Math.abs(v - values[i]) < 1e-6);
    const shapes = Object.values(this.model.get("presets"));
    [...this.presets.children].forEach((button, k) => button.setAttribute("aria-pressed", String(same(shapes[k]))));
  }

  write(values) {
    this.draw(values);
    write(this.model, "values", this.values);
  }

  begin(event) {
    this.knob.focus({ preventScroll: true });
    this.before = null;
    this.stroke(event);
  }

  stroke(event) {
    const { x, y } = placeIn(this.box, event);
    const now = { i: Math.round(x * (this.values.length - 1)), v: 1 - y };
    const from = this.before || now;
    for (let i = Math.min(from.i, now.i); i <= Math.max(from.i, now.i); i++)
      this.values[i] = from.i === now.i ? now.v : from.v + ((now.v - from.v) * (i - from.i)) / (now.i - from.i);
    this.before = now;
    this.at = now.i;
    this.draw();
  }

  key(event) {
    const [dx, dv] = STRIDES[event.key] || [0, 0];
    if (!dx && !dv) return;
    event.preventDefault();
    event.stopPropagation();
    this.at = clamp(this.at + dx, 0, this.values.length - 1);
    this.values[this.at] = clamp(this.values[this.at] + dv, 0, 1);
    if (dv) this.write(this.values);
    else this.draw();
  }
}

function render({ model, el }) {
  const curve = new Curve(model);
  el.replaceChildren(curve.root);
  return () => curve.stop();
}

export default { render };
