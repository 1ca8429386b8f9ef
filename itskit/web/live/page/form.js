// Words, seed and settings: what a person asks for.

import { guideColor, make } from "./house.js";
import { balanceOf, bounded, LARGEST_SEED, stretched, weightsOf } from "./settings.js";
import { Weight } from "./weight.js";

// name, label, what its ends mean, the numbers between which it can be dragged, a stride.
const DIALS = [
  ["balance", "Balance", "sound", "picture", 0, 1, 0.05],
  ["image_scale", "Picture guidance", "loose", "strict", 1, 30, 0.5],
  ["sound_scale", "Sound guidance", "loose", "strict", 1, 30, 0.5],
  ["num_inference_steps", "Steps", "quick", "thorough", 2, 50, 1],
];
const MORE = [
  ["image_start", "The picture joins at", "the beginning", "the end", 0, 0.95, 0.05],
  ["sound_start", "The sound joins at", "the beginning", "the end", 0, 0.95, 0.05],
];

const labelled = (label, ...parts) => make("label", { class: "its-dial" }, make("span", { text: label }), ...parts);

/** `on` is told of a press on Compose and on Stop, and of a seed that was thrown (`rolled`). */
export class Form {
  constructor(usual, on) {
    Object.assign(this, { usual, on });
    this.settings = { ...usual, image_prompt: "", sound_prompt: "", image_negative: "", sound_negative: "", seed: 0 };
    this.tellers = []; // what writes the settings into the controls
    this.root = make("form", { class: "its-form", id: "composing", autocomplete: "off" },
      this.words("image_prompt", "see", 0), this.words("sound_prompt", "hear", 1),
      make("div", { class: "its-begin" }, this.buttons(), this.seed()));
    this.set = make("div", { class: "its-set" }, make("div", { class: "its-dials" }, ...DIALS.map((dial) => this.dial(...dial))), this.curve(), this.more());
    this.root.addEventListener("submit", (event) => {
      event.preventDefault();
      on.compose();
    });
    this.tell();
  }

  // ---- values ------------------------------------------------------------------------------------

  /** Takes settings over, and shows them. */
  write(settings) {
    this.settings = { ...this.settings, ...settings };
    this.tell();
  }

  get balance() {
    return balanceOf(this.settings);
  }

  /** Another number of steps has as many moments of a curve. */
  setSteps(count) {
    const { balance } = this;
    this.write({ num_inference_steps: count, ...(Array.isArray(balance) ? weightsOf(stretched(balance, count)) : {}) });
  }

  tell() {
    for (const tell of this.tellers) tell(this.settings);
  }

  // ---- controls ----------------------------------------------------------------------------------

  words(name, label, guide) {
    const input = make("input", { type: "text", name, style: guideColor(guide), spellcheck: "true", dir: "auto", enterkeyhint: "go" });
    input.addEventListener("input", () => this.write({ [name]: input.value }));
    this.tellers.push((settings) => { if (input.value !== settings[name]) input.value = settings[name]; });
    return make("label", { class: "its-words" }, make("span", { text: label }), input);
  }

  buttons() {
    this.go = make("button", { type: "submit", class: "its-press its-go", text: "Compose" });
    this.stopper = make("button", { type: "button", class: "its-press its-stop", text: "Stop", title: "Stop (Esc)", hidden: true });
    this.stopper.addEventListener("click", () => this.on.stop());
    return make("div", { class: "its-presses" }, this.go, this.stopper);
  }

  seed() {
    const input = make("input", { type: "number", name: "seed", min: -LARGEST_SEED, max: LARGEST_SEED, step: 1, "aria-label": "Seed", inputmode: "numeric" });
    input.addEventListener("input", () => { if (/^-?\d{1,16}$/.test(input.value)) this.write({ seed: bounded("seed", input.value) }); });
    this.tellers.push(({ seed }) => { if (Number(input.value) !== seed || !input.value) input.value = seed; });
    const dice = make("button", { type: "button", class: "its-press its-dice", text: "Another seed", title: "Another seed, and compose (N)" });
    dice.addEventListener("click", () => this.roll());
    this.dice = dice;
    return make("div", { class: "its-seed" }, make("span", { text: "seed" }), input, dice);
  }

  roll() {
    this.write({ seed: Math.floor(Math.random() * 10000) });
    this.on.rolled();
  }

  dial(name, label, less, more, min, max, step) {
    const input = make("input", { type: "range", class: "its-range", name, min, max, step, "aria-label": label });
    const value = make("output", { class: "its-note" });
    input.addEventListener("input", () => {
      const number = Number(input.value);
      if (name === "balance") this.write(weightsOf(number));
      else if (name === "num_inference_steps") this.setSteps(number);
      else this.write({ [name]: number });
    });
    this.tellers.push((settings) => {
      const now = name === "balance" ? this.balance : settings[name];
      const shown = Array.isArray(now) ? now.reduce((sum, one) => sum + one, 0) / now.length : now;
      input.max = Math.max(max, shown); // a recipe may say more
      input.value = shown;
      value.textContent = Array.isArray(now) ? "over the run" : String(Number(shown.toFixed(2)));
      input.setAttribute("aria-valuetext", name === "balance" ? `${value.textContent}, 0 is all sound, 1 all picture` : value.textContent);
    });
    const ends = make("div", { class: "its-line-up its-ends", "aria-hidden": "true" }, make("span", { text: less }), make("span", { text: more }));
    return make("div", { class: "its-dial" }, make("div", { class: "its-line-up" }, make("span", { text: label }), value), input, ends);
  }

  curve() {
    const weight = new Weight((balance) => this.write(weightsOf(balance)));
    this.tellers.push(({ num_inference_steps: count }) => weight.show(this.balance, count));
    return weight.element;
  }

  more() {
    const text = (name, label) => {
      const input = make("input", { type: "text", name, dir: "auto", spellcheck: "true", form: "composing" });
      input.addEventListener("input", () => this.write({ [name]: input.value }));
      this.tellers.push((settings) => { if (input.value !== settings[name]) input.value = settings[name]; });
      return labelled(label, input);
    };
    const reset = make("button", { type: "button", class: "its-press", text: "All as usual" });
    reset.addEventListener("click", () => this.write({ ...this.usual, image_negative: "", sound_negative: "" }));
    return make("details", { class: "its-fold" }, make("summary", { text: "More" }),
      make("div", { class: "its-dials" }, text("image_negative", "Do not show"), text("sound_negative", "Do not sound like"),
        ...MORE.map((dial) => this.dial(...dial)), reset));
  }
}
