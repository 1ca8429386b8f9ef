// The picture's weight over the run: the house's curve, with a moment for each step.

import curve from "./curve.js";
import { make } from "./house.js";

// As itskit.widgets.weights has them: step k of n -> the picture's weight.
const SHAPES = { "warm start": (k, n) => (k / n < 0.1 ? 0 : 0.5), constant: () => 0.5, alternate: (k) => k % 2 };

const shapesOf = (count) => Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, Array.from({ length: count }, (_, k) => shape(k, count))]));

/** What an instrument of notebooks asks of its model: values, and to be told of new ones. */
class Model {
  constructor(values, saved) {
    Object.assign(this, { values, saved, followers: [] });
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
  }

  on(event, tell) {
    this.followers.push(tell);
  }

  off() {} // a curve is built once for a number of steps, and then forgotten with its model

  save_changes() {
    this.saved(this.values.values);
  }
}

/** `told` is called with the balance that was drawn: one number, or one for each step. */
export class Weight {
  constructor(told) {
    this.told = told;
    this.host = make("div");
    this.element = make("details", { class: "its-fold" }, make("summary", { text: "Weight over the run" }), this.host);
    this.element.addEventListener("toggle", () => this.draw());
  }

  /** Shows a balance, one number or one for each of `count` steps. */
  show(balance, count) {
    this.values = Array.isArray(balance) ? balance : Array(count).fill(balance);
    this.draw();
  }

  draw() {
    if (!this.element.open) return;
    const { values } = this;
    if (this.model?.values.values.length !== values.length) this.build(values);
    else {
      this.model.values.values = values;
      for (const tell of this.model.followers) tell();
    }
  }

  build(values) {
    this.model = null;
    if (values.length < 2) return this.host.replaceChildren(make("p", { class: "its-note", text: "One step has one weight: the balance." }));
    this.model = new Model({ values, presets: shapesOf(values.length), label: "the picture's weight" }, (drawn) => this.tell(drawn));
    curve.render({ model: this.model, el: this.host });
  }

  tell(drawn) {
    const rounded = drawn.map((value) => Number(value.toFixed(3)));
    this.told(rounded.every((value) => value === rounded[0]) ? rounded[0] : rounded);
  }
}
