// The settings of a composition by the names of `itskit.compose`, checked; and its recipe.

import { SOLVERS } from "./sampling.js";
import { VIEWS } from "./views.js";

const NAMES = ["image", "sound"];
const FIXED = ["width", "duration", "window", "loop"]; // of the canvas
const SPACINGS = ["trailing", "leading"];
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** What was given, else what is `usual`; RangeError, in a sentence, for what does not fit. `shape` is
 *  the latent's, [channels, rows, columns]. */
export function resolve(given, usual, shape) {
  const known = { ...usual, image_prompt: "", sound_prompt: "", seed: 0, init: null, init_told: null };
  const found = {};
  for (const [name, value] of Object.entries(known)) found[name] = given[name] ?? value;
  for (const name of Object.keys(given)) if (!(name in known)) throw new RangeError(`There is no setting called ${name}.`);
  checkRun(found);
  for (const name of FIXED) expect(found[name] === usual[name], `The ${name}`, found[name], `${usual[name]}; Python has others`);
  for (const name of NAMES) checkGuide(found, name);
  if (!NAMES.some((name) => found[`${name}_prompt`].trim())) throw new RangeError("Both prompts are empty: say what to see, what to hear, or both.");
  for (const name of NAMES) found[`${name}_weight`] = asWeight(found[`${name}_weight`], name, found.num_inference_steps, shape);
  begin(found, given);
  return found;
}

function checkRun({ num_inference_steps: count, solver, spacing, strength, seed, rule, init }) {
  expect(Number.isInteger(count) && count >= 1 && count <= 999, "The number of steps", count, "a whole number from 1 to 999");
  expect(solver in SOLVERS, "The solver", solver, Object.keys(SOLVERS).join(" or "));
  expect(SPACINGS.includes(spacing), "The spacing", spacing, SPACINGS.join(" or "));
  expect((rule?.name ?? rule) === "mean", "The rule", rule?.name ?? rule, "mean; Python has the others");
  expect(!init || (isNumber(strength) && strength > 0 && strength <= 1), "The strength", strength, "a number above 0, at most 1");
  expect(Number.isSafeInteger(seed), "The seed", seed, "a whole number, such as 7");
}

function checkGuide(found, name) {
  const [start, stop] = [found[`${name}_start`], found[`${name}_stop`]];
  for (const part of ["prompt", "negative"])
    expect(typeof found[`${name}_${part}`] === "string", `The ${name}'s ${part}`, typeof found[`${name}_${part}`], "words");
  expect(isNumber(found[`${name}_scale`]), `The ${name}'s scale`, found[`${name}_scale`], "a number, such as 7");
  expect(isNumber(start) && isNumber(stop) && start >= 0 && start < stop && stop <= 1, `The ${name}'s part of the run`, `${start} to ${stop}`, "fractions of it, the first one smaller");
  expect(Object.hasOwn(VIEWS, found[`${name}_view`]), `The ${name}'s view`, found[`${name}_view`], Object.keys(VIEWS).join(", "));
}

function expect(fits, what, given, expected) {
  if (!fits) throw new RangeError(`${what} was ${String(given).slice(0, 60)}: expected ${expected}.`);
}

/** A weight as a guide takes it: a number, a map Float32Array (h * w,), or a function of the step. It is
 *  given as a number, as rows of a map (h, w), or as one of these for each step: [...], or as recipes
 *  have it, {per_step: [...]}. */
function asWeight(given, name, count, shape) {
  if (isNumber(given) && given >= 0) return given;
  const isRow = (row) => Array.isArray(row) && row.every((one) => isNumber(one) && one >= 0);
  if (Array.isArray(given) && given.length && given.every(isRow)) {
    expect(given.length === shape[1] && given.every((row) => row.length === shape[2]), `The map of the ${name}'s weights`, `${given.length} rows`, `${shape[1]} rows of ${shape[2]} numbers`);
    return Float32Array.from(given.flat());
  }
  const each = Array.isArray(given) ? given : given?.per_step;
  expect(Array.isArray(each), `The ${name}'s weight`, given, "a number, at least 0, or one for each step");
  expect(each.length === count, `The ${name}'s weight`, `given for ${each.length} steps`, `one for each of ${count}`);
  const weights = each.map((one) => asWeight(one, name, 0, shape));
  return Object.assign((index) => weights[index], { weights });
}

const isZero = (weight) => (weight.weights || [weight]).every((one) => (isNumber(one) ? one === 0 : one.every((value) => value === 0)));

/** A model that nobody else is heard beside is told so (`solo`), and begins if no start was given. */
function begin(found, given) {
  const speaking = NAMES.filter((name) => found[`${name}_prompt`].trim() && !isZero(found[`${name}_weight`]));
  found.solo = speaking.length === 1;
  if (found.solo && given[`${speaking[0]}_start`] == null) found[`${speaking[0]}_start`] = 0;
}

/** The guides that speak in a run, by name, with what each takes of the settings. */
export function guidesOf(settings) {
  const named = NAMES.filter((name) => settings[`${name}_prompt`].trim());
  return named.map((name) => {
    const own = (part) => settings[`${name}_${part}`];
    return { name, prompt: own("prompt"), negative: own("negative"), scale: own("scale"), weight: own("weight"), start: own("start"), stop: own("stop"), view: VIEWS[own("view")] };
  });
}

/** What Python needs to compose the same: `itskit.recompose(pair, recipe)`. `given` is what was asked
 *  for, `about` what the folder says of the networks. */
export function recipeOf(settings, given, about) {
  const weight = (name) => {
    const asked = given[`${name}_weight`] ?? about.usual[`${name}_weight`];
    return Array.isArray(asked) && isNumber(asked[0]) ? { per_step: asked } : asked;
  };
  const guides = guidesOf(settings).map(({ name, prompt, negative, scale, start, stop }) => (
    { name, model: name, prompt, negative, scale, weight: weight(name), start, stop, view: settings[`${name}_view`] }));
  const run = Object.fromEntries(about.of_the_run.map((name) => [name, settings[name] ?? null]));
  return { ...about.made_with, guides, ...run, seeds: [settings.seed], preset: null, init: settings.init ? settings.init_told : null };
}
