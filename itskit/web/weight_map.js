// Paints a weight over the canvas.

const FILLS = [["all sound", 0], ["half and half", 0.5], ["all picture", 1]];

/** `map` holds a byte for each cell, row by row: 0 where the sound wins, 255 where the picture does. */
class WeightMap {
  constructor(model) {
    this.model = model;
    [this.rows, this.columns] = model.get("size");
    this.before = null; // the last place of a stroke under way
    this.canvas = make("canvas", { width: this.columns, height: this.rows, class: "its-paint", tabindex: 0, role: "img",
      "aria-label": "Map of weights: amber where the picture wins, teal where the sound wins. Use the buttons to fill it." });
    this.ground = make("img", { alt: "", class: "its-ground" });
    this.value = make("input", { type: "range", class: "its-range", min: 0, max: 1, step: 0.05, value: 1, "aria-label": "Weight to paint: 0 sound, 1 picture" });
    this.size = make("input", { type: "range", class: "its-range", min: 1, max: Math.round(this.rows / 2), step: 1, value: Math.round(this.rows / 6), "aria-label": "Size of the brush" });
    this.ink = this.canvas.getContext("2d");
    this.root = makeRoot("its-tool", "Where the picture should win",
      make("div", { class: "its-frame its-map", style: `aspect-ratio: ${this.columns} / ${this.rows}` }, this.ground, this.canvas), this.controls());
    onDrag(this.canvas, { begin: (event) => this.begin(event), move: (event) => this.stroke(event), end: () => this.write() });
    const stops = [follow(model, ["ground"], () => this.lay()), follow(model, ["pixels"], () => this.read())];
    this.stop = () => stops.forEach((stop) => stop());
  }

  controls() {
    const fills = FILLS.map(([name, v]) => {
      const button = make("button", { type: "button", text: name });
      button.addEventListener("click", () => {
        this.map.fill(Math.round(v * 255));
        this.draw();
        this.write();
      });
      return button;
    });
    return make("div", { class: "its-controls" },
      make("label", { class: "its-volume" }, make("span", { text: "sound" }), this.value, make("span", { text: "picture" })),
      make("label", { class: "its-volume" }, make("span", { text: "brush" }), this.size),
      make("div", { class: "its-tracks", role: "group", "aria-label": "Fill" }, ...fills));
  }

  lay() {
    const bytes = this.model.get("ground");
    this.ground.hidden = !bytes.byteLength;
    if (bytes.byteLength) this.ground.src = URL.createObjectURL(new Blob([asBytes(bytes)], { type: "image/png" }));
  }

  read() {
    this.map = asBytes(this.model.get("pixels")).slice();
    this.draw();
  }

  write() {
    write(this.model, "pixels", new DataView(this.map.slice().buffer));
  }

  draw() {
    const image = this.ink.createImageData(this.columns, this.rows);
    const [picture, sound] = this.model.get("tones");
    this.map.forEach((v, i) => {
      const lean = v / 127.5 - 1; // -1 sound, 1 picture
      image.data.set([...(lean > 0 ? picture : sound), Math.round(150 * Math.abs(lean))], 4 * i);
    });
    this.ink.putImageData(image, 0, 0);
  }

  begin(event) {
    this.before = null;
    this.stroke(event);
  }

  stroke(event) {
    const { x, y } = placeOver(this.canvas, event);
    const now = { x: x * this.columns, y: y * this.rows };
    const from = this.before || now;
    const count = Math.ceil(Math.hypot(now.x - from.x, now.y - from.y)) || 1;
    for (let k = 1; k <= count; k++) this.dab(from.x + ((now.x - from.x) * k) / count - 0.5, from.y + ((now.y - from.y) * k) / count - 0.5);
    this.before = now;
    this.draw();
  }

  /** One touch of the brush, soft at its rim. */
  dab(x, y) {
    const radius = Number(this.size.value);
    for (let r = Math.max(0, Math.floor(y - radius)); r <= Math.min(this.rows - 1, y + radius); r++)
      for (let c = Math.max(0, Math.floor(x - radius)); c <= Math.min(this.columns - 1, x + radius); c++) {
        const soft = Math.min(1, 2 * (1 - Math.hypot(c - x, r - y) / radius));
        if (soft <= 0 && radius > 1) continue;
        const i = r * this.columns + c;
        this.map[i] = Math.round(this.map[i] + (255 * this.value.value - this.map[i]) * Math.max(soft, radius > 1 ? 0 : 1));
      }
  }
}

function render({ model, el }) {
  const map = new WeightMap(model);
  el.replaceChildren(map.root);
  return () => map.stop();
}

export default { render };
