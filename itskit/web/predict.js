// A question that is answered before a run: a choice, a number, a step, a point or a region.

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Enter: [0, 0] };
const ASKS = { point: "What do you think? Click there.", region: "What do you think? Drag a box around it." };
const STRIDE = 0.02; // of the canvas, for each press of a key
const PAUSE = 400; // milliseconds without a key: then what the keys chose is an answer

class Question {
  constructor(model) {
    this.model = model;
    this.shown = performance.now();
    this.timer = 0;
    const question = model.get("question");
    this.facts = model.get("facts");
    this.verdict = make("output", { class: "its-verdict", role: "status" });
    this.status = make("output", { class: "its-note" });
    this.root = makeRoot("its-predict", question, make("div", { class: "its-question", text: question }), this.control(), this.verdict, this.foot());
    this.root.question = this;
    this.receive = (message) => message.type === "file" && download(message.name, message.text);
    model.on("msg:custom", this.receive);
    this.unfollow = follow(model, ["value", "outcome", "overlay", "status"], () => this.draw());
  }

  control() {
    const kind = this.model.get("kind");
    if (kind === "choice") return this.choices();
    return kind === "number" || kind === "step" ? this.dial(kind) : this.canvas(kind);
  }

  foot() {
    const save = make("button", { type: "button", class: "its-save", text: "Download answers", title: "All answers that are kept beside this notebook, as JSON lines" });
    save.addEventListener("click", () => this.model.send({ type: "download" }));
    return make("div", { class: "its-line-up" }, this.status, save);
  }

  // ---- one control for each kind -------------------------------------------------------------------

  choices() {
    this.buttons = this.facts.choices.map((text) => {
      const button = make("button", { type: "button", text });
      button.addEventListener("click", () => this.answer(text));
      return button;
    });
    this.paint = (mine, run) => {
      this.facts.choices.forEach((text, k) => {
        const button = this.buttons[k];
        button.disabled = this.locked;
        button.setAttribute("aria-pressed", String(text === mine));
        button.classList.toggle("its-mine", text === mine);
        button.classList.toggle("its-run", this.locked && text === run);
      });
    };
    return make("div", { class: "its-tracks", role: "group", "aria-label": "Your answer" }, ...this.buttons);
  }

  /** A slider; of a number with a field beside it. */
  dial(kind) {
    const { low = 0, high = this.facts.steps - 1, unit = "" } = this.facts;
    const range = make("input", { type: "range", class: "its-range", min: low, max: high, step: kind === "step" ? 1 : stride(low, high), "aria-label": "Your answer" });
    const field = make("input", { type: "number", min: low, max: high, step: kind === "step" ? 1 : "any", "aria-label": "Your answer as a number" });
    const scale = make("div", { class: "its-scale", hidden: true });
    const choose = (input) => {
      const value = Number(input.value);
      if (input.value === "" || value < low || value > high || (kind === "step" && value % 1)) return this.draw();
      this.answer(value);
    };
    range.value = (low + high) / 2;
    range.addEventListener("input", () => (field.value = range.value));
    for (const input of [range, field]) {
      input.addEventListener("change", () => this.later(() => choose(input)));
      input.addEventListener("keydown", (event) => event.key === "Enter" && choose(input));
    }
    range.addEventListener("pointerup", () => this.later(() => choose(range)));
    this.paint = (mine, run) => {
      range.disabled = field.disabled = this.locked;
      range.classList.toggle("its-open", mine === null);
      if (mine !== null) range.value = field.value = mine;
      scale.hidden = !this.locked;
      const tick = (value, side) => make("div", { class: `its-mark its-tick ${side}`, style: `left: ${100 * clamp((value - low) / (high - low), 0, 1)}%` });
      scale.replaceChildren(...(mine === null ? [] : [tick(mine, "")]), ...(run === null ? [] : [tick(run, "its-run")]));
    };
    const ends = make("div", { class: "its-line-up its-ends" }, make("span", { text: String(low) }), make("span", { text: `${high} ${unit}` }));
    return make("div", { class: "its-row" }, make("div", { class: "its-dial" }, range, scale, ends), make("label", {}, field, ` ${unit}`));
  }

  canvas(kind) {
    const ground = make("img", { alt: "" });
    ground.src = address(this.model.get("ground"));
    this.over = make("img", { alt: "", hidden: true });
    this.marks = make("div", {});
    const frame = make("div", { class: "its-frame", tabindex: 0, role: "application",
      "aria-label": `The canvas. ${kind === "point" ? "Click, or press the arrow keys." : "Drag, or move the box with the arrow keys and size it with Shift."}` }, ground, this.over, this.marks);
    ground.onload = () => (frame.style.aspectRatio = `${ground.naturalWidth} / ${ground.naturalHeight}`);
    frame.style.aspectRatio = "4";
    const place = (event) => {
      const { x, y } = placeIn(frame, event);
      return [x, y];
    };
    let from = null;
    const held = (event) => (kind === "point" ? place(event) : boxOf(from, place(event)));
    onDrag(frame, {
      begin: (event) => {
        if (this.locked) return false;
        frame.focus({ preventScroll: true });
        from = place(event);
        if (kind === "point") this.sketch(from);
      },
      move: (event) => this.sketch(held(event)),
      end: (event) => this.finish(held(event)),
    });
    frame.addEventListener("keydown", (event) => this.key(event, kind));
    this.paint = (mine, run) => this.lay(kind, mine, run);
    return frame;
  }

  /** A box that is only a click is none. */
  finish(value) {
    if (value.length === 4 && (value[2] - value[0] < 0.005 || value[3] - value[1] < 0.005)) return this.draw();
    this.answer(value);
  }

  sketch(value) {
    this.held = value;
    this.paint(value, null);
  }

  key(event, kind) {
    if (this.locked || !MOVES[event.key]) return;
    const [dx, dy] = MOVES[event.key];
    event.preventDefault();
    const start = this.held || this.model.get("value") || (kind === "point" ? [0.5, 0.5] : [0.4, 0.3, 0.6, 0.7]);
    this.sketch(moved(start, dx * STRIDE, dy * STRIDE, event.shiftKey));
    this.later(() => this.answer(this.held));
  }

  lay(kind, mine, run) {
    const mark = (value, side) => {
      const [x, y, x1, y1] = value.map((v) => 100 * v);
      const size = kind === "region" ? `; width: ${x1 - x}%; height: ${y1 - y}%` : "";
      return make("div", { class: `its-mark ${kind === "region" ? "its-box" : "its-dot"} ${side}`, style: `left: ${x}%; top: ${y}%${size}` });
    };
    const overlay = this.model.get("overlay");
    this.over.hidden = !overlay.byteLength;
    if (overlay.byteLength) this.over.src = address(overlay);
    const isMap = overlay.byteLength > 0;
    this.marks.replaceChildren(...(run && !isMap ? [mark(run, "its-run")] : []), ...(mine ? [mark(mine, "")] : []));
  }

  // ---- what all have in common ---------------------------------------------------------------------

  get locked() {
    return this.model.get("outcome").ran !== undefined;
  }

  /** Keys come in rows: the last one counts. */
  later(work) {
    clearTimeout(this.timer);
    this.timer = setTimeout(work, PAUSE);
  }

  answer(value) {
    clearTimeout(this.timer);
    this.held = null;
    if (this.locked) return this.draw();
    this.model.set("seconds", (performance.now() - this.shown) / 1000);
    write(this.model, "value", value);
    this.draw();
  }

  draw() {
    const { said = "", ran = "", verdict = "", truth = null } = this.model.get("outcome");
    const mine = this.model.get("value");
    this.paint(mine === undefined ? null : mine, truth);
    this.verdict.replaceChildren(make("span", { class: "its-said", text: said }), " ", make("span", { class: "its-ran", text: ran }), ` ${verdict}`);
    this.verdict.hidden = !this.locked;
    const ask = ASKS[this.model.get("kind")] || "What do you think?";
    const open = mine === null ? ask : "Answered. You can change it until it is revealed.";
    this.status.textContent = this.model.get("status") || (this.locked ? "" : open);
  }

  remove() {
    clearTimeout(this.timer);
    this.unfollow();
    this.model.off("msg:custom", this.receive);
  }
}

/** A round number, a hundredth of the range or less. */
function stride(low, high) {
  const fine = (high - low) / 100;
  const power = 10 ** Math.floor(Math.log10(fine));
  return [5, 2, 1].map((k) => k * power).find((step) => step <= fine * (1 + 1e-9));
}

const boxOf = ([a, b], [c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];

/** A point or a box, moved inside the canvas; or the box's far corner alone. */
function moved(value, dx, dy, isCorner) {
  if (value.length === 2) return [clamp(value[0] + dx, 0, 1), clamp(value[1] + dy, 0, 1)];
  const [x0, y0, x1, y1] = value;
  if (isCorner) return [x0, y0, clamp(x1 + dx, x0 + STRIDE, 1), clamp(y1 + dy, y0 + STRIDE, 1)];
  const [mx, my] = [clamp(dx, -x0, 1 - x1), clamp(dy, -y0, 1 - y1)];
  return [x0 + mx, y0 + my, x1 + mx, y1 + my];
}

function address(bytes) {
  const text = Array.from(asBytes(bytes), (byte) => String.fromCharCode(byte)).join("");
  return `data:image/png;base64,${btoa(text)}`;
}

function download(name, text) {
  const link = make("a", { href: `data:application/x-ndjson;charset=utf-8,${encodeURIComponent(text)}`, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

function render({ model, el }) {
  const question = new Question(model);
  el.replaceChildren(question.root);
  return () => question.remove();
}

export default { render };
