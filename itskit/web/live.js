// The instrument `Live`: prompts and sliders, one canvas, one loop that glides from sound to sound.

const DIALS = [
  ["balance", "balance", "sound", "picture", 0, 1, 0.05],
  ["image_scale", "picture guidance", "loose", "strict", 1, 20, 0.5],
  ["sound_scale", "sound guidance", "loose", "strict", 1, 20, 0.5],
];

class Live {
  constructor(model) {
    this.model = model;
    this.stops = []; // how to end all following of the model
    this.beat = 0; // the next drawing of the playhead
    this.address = ""; // of the picture that is shown
    this.button = make("button", { type: "button", class: "its-press its-go" });
    this.picture = make("img", { alt: "the composed picture, which is also the sound's spectrogram" });
    this.head = make("div", { class: "its-playhead", hidden: true });
    this.player = new Player({ rate: 1, seconds: 1, onchange: () => this.draw() });
    this.button.addEventListener("click", () => (this.player.playing ? this.player.pause() : this.player.play()));
    this.root = makeRoot("its-live", "Live",
      this.words("image_prompt", "see", 0), this.words("sound_prompt", "hear", 1),
      make("div", { class: "its-canvas" }, this.picture, this.head),
      make("div", { class: "its-line-up" }, this.button, this.told("status", "status", "its-note")),
      this.told("notes", "note", "its-note its-ignored"),
      make("div", { class: "its-dials" }, ...DIALS.map((dial) => this.dial(...dial)), this.seed()));
    this.root.live = this;
    this.follow("picture", (bytes) => bytes.byteLength && this.show(bytes));
    this.follow("samples", (bytes) => bytes.byteLength && this.sound(bytes));
    this.draw();
  }

  follow(name, tell) {
    this.stops.push(follow(this.model, [name], () => tell(this.model.get(name))));
  }

  // ---- its parts ---------------------------------------------------------------------------------

  words(name, label, guide) {
    const input = make("input", { type: "text", "aria-label": label, spellcheck: "true", style: guideColor(guide) });
    input.addEventListener("input", () => write(this.model, name, input.value));
    this.follow(name, (text) => { if (input.value !== text) input.value = text; });
    return make("label", { class: "its-words" }, make("span", { text: label }), input);
  }

  dial(name, label, less, more, min, max, step) {
    const input = make("input", { type: "range", class: "its-range", min, max, step, "aria-label": label });
    const value = make("output", { class: "its-note" });
    input.addEventListener("input", () => write(this.model, name, Number(input.value)));
    this.follow(name, (number) => {
      input.value = number;
      value.textContent = number.toFixed(step < 0.1 ? 2 : 1);
    });
    const ends = make("div", { class: "its-line-up its-ends" }, make("span", { text: less }), make("span", { text: more }));
    return make("div", { class: "its-dial" }, make("div", { class: "its-line-up" }, make("span", { text: label }), value), input, ends);
  }

  seed() {
    const input = make("input", { type: "number", min: 0, step: 1, "aria-label": "seed" });
    input.addEventListener("input", () => { if (/^\d{1,9}$/.test(input.value)) write(this.model, "seed", Number(input.value)); });
    this.follow("seed", (seed) => { if (Number(input.value) !== seed || !input.value) input.value = seed; });
    const dice = make("button", { type: "button", class: "its-press", text: "another seed" });
    dice.addEventListener("click", () => write(this.model, "seed", this.model.get("seed") + 1));
    return make("div", { class: "its-dial" }, make("div", { class: "its-line-up" }, make("span", { text: "seed" })), make("div", { class: "its-line-up" }, input, dice));
  }

  told(name, role, kind) {
    const line = make("output", { class: kind, role });
    this.follow(name, (text) => (line.textContent = text));
    return line;
  }

  // ---- the result --------------------------------------------------------------------------------

  show(bytes) {
    URL.revokeObjectURL(this.address);
    this.picture.src = this.address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    this.picture.alt = `${this.model.get("image_prompt")} that sounds like ${this.model.get("sound_prompt")}`;
  }

  /** Glides to another sound: 16 bits a sample, little-endian. */
  sound(bytes) {
    const rate = this.model.get("rate");
    const samples = Float32Array.from({ length: bytes.byteLength / 2 }, (_, k) => bytes.getInt16(2 * k, true) / 32768);
    Object.assign(this.player, { rate, seconds: samples.length / rate });
    this.player.setSound(samples);
  }

  draw() {
    const { button, head, player } = this;
    button.textContent = player.playing ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(player.playing));
    head.hidden = !player.playing;
    head.style.left = `${(100 * player.heard()) / player.seconds}%`;
    if (player.playing && !this.beat) this.beat = requestAnimationFrame(() => { this.beat = 0; this.draw(); });
  }

  remove() {
    cancelAnimationFrame(this.beat);
    for (const stop of this.stops) stop();
    this.player.close();
    URL.revokeObjectURL(this.address);
  }
}

function render({ model, el }) {
  const live = new Live(model);
  el.replaceChildren(live.root);
  model.send({ type: "shown" });
  return () => live.remove();
}

export default { render };
