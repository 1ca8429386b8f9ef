// The settings of a composition, by the names of `itskit.compose`: from an address and back, and out of
// a recipe. What comes from outside is only ever a number in its bounds, one of some words, or text.

const LONGEST = 100; // steps that a run here may have
export const LARGEST_SEED = Number.MAX_SAFE_INTEGER; // 2**53 - 1, as in Python

// name -> what it is called in an address, and between which numbers it lies.
const NUMBERS = {
  seed: { key: "seed", low: -LARGEST_SEED, high: LARGEST_SEED, whole: true },
  num_inference_steps: { key: "steps", low: 1, high: LONGEST, whole: true },
  image_scale: { key: "image_scale", low: 0, high: 50 },
  sound_scale: { key: "sound_scale", low: 0, high: 50 },
  image_start: { key: "image_start", low: 0, high: 0.95 },
  sound_start: { key: "sound_start", low: 0, high: 0.95 },
  image_stop: { key: "image_stop", low: 0.05, high: 1 },
  sound_stop: { key: "sound_stop", low: 0.05, high: 1 },
};
const TEXTS = { image_prompt: "image", sound_prompt: "sound", image_negative: "not_image", sound_negative: "not_sound" };
const WORDS = {
  solver: { key: "solver", among: ["dpmpp_2m", "ddim"] },
  spacing: { key: "spacing", among: ["trailing", "leading"] },
};

/** A number in its bounds, or null for what is no number. */
export function bounded(name, value) {
  const { low, high, whole } = NUMBERS[name];
  const number = typeof value === "string" && !value.trim() ? NaN : Number(value);
  if (!Number.isFinite(number)) return null;
  return Math.min(high, Math.max(low, whole ? Math.round(number) : number));
}

// ---- weights -------------------------------------------------------------------------------------

/** The picture's share of the weights: one number, or one for each step. */
export const balanceOf = ({ image_weight: image, sound_weight: sound }) => {
  const share = (i, s) => (i + s > 0 ? i / (i + s) : 0.5);
  if (!Array.isArray(image) && !Array.isArray(sound)) return share(image, sound);
  const at = (weight, k) => (Array.isArray(weight) ? weight[k] : weight);
  const count = (Array.isArray(image) ? image : sound).length;
  return Array.from({ length: count }, (_, k) => share(at(image, k), at(sound, k)));
};

/** The two weights of a picture's share. */
export const weightsOf = (balance) => {
  const rest = (share) => Number((1 - share).toFixed(6));
  return Array.isArray(balance)
    ? { image_weight: balance, sound_weight: balance.map(rest) }
    : { image_weight: balance, sound_weight: rest(balance) };
};

/** Values at evenly spaced moments, at another number of moments. */
export const stretched = (values, count) =>
  Array.from({ length: count }, (_, k) => values[Math.floor((k * values.length) / count)]);

// ---- addresses -----------------------------------------------------------------------------------

/** What stands behind the # of an address: both prompts, the seed, and what is not as usual. */
export function toAddress(settings, usual) {
  const said = new URLSearchParams();
  for (const [name, key] of Object.entries(TEXTS))
    if (settings[name] || name.endsWith("prompt")) said.set(key, settings[name]);
  for (const [name, { key }] of Object.entries({ ...NUMBERS, ...WORDS }))
    if (name === "seed" || settings[name] !== usual[name]) said.set(key, String(settings[name]));
  const balance = balanceOf(settings);
  if (String(balance) !== String(balanceOf(usual))) said.set("balance", String(balance));
  return said.toString();
}

/** Settings out of an address, over `usual`; null if it names neither prompt. */
export function fromAddress(hash, usual) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  if (!said.has("image") && !said.has("sound")) return null;
  const found = { ...usual, image_prompt: "", sound_prompt: "" };
  for (const [name, key] of Object.entries(TEXTS)) if (said.has(key)) found[name] = said.get(key);
  for (const [name, { key }] of Object.entries(NUMBERS))
    if (said.has(key)) found[name] = bounded(name, said.get(key)) ?? usual[name];
  for (const [name, { key, among }] of Object.entries(WORDS)) if (among.includes(said.get(key))) found[name] = said.get(key);
  const shares = (said.get("balance") || "").split(",").slice(0, LONGEST).map(Number);
  if (said.has("balance") && shares.every((share) => share >= 0 && share <= 1)) {
    const several = shares.length > 1;
    Object.assign(found, weightsOf(several ? stretched(shares, found.num_inference_steps) : shares[0]));
  }
  return found;
}

// ---- recipes -------------------------------------------------------------------------------------

/** A weight of a recipe: a number, a list of numbers, or null for what only Python can do. */
function weightIn(weight) {
  if (typeof weight === "number" && weight >= 0) return weight;
  const each = weight?.per_step;
  return Array.isArray(each) && each.length && each.every((one) => typeof one === "number" && one >= 0) ? each : null;
}

const brief = (value) => String(value).slice(0, 40);

/** One guide's settings, written into `found`; what is left out is told in `missing`. */
function readGuide(name, guide, found, missing) {
  for (const key of ["prompt", "negative"]) {
    found[`${name}_${key}`] = typeof guide[key] === "string" ? guide[key] : "";
    if (guide[key] && typeof guide[key] !== "string") missing.push(`the ${name}'s ${key}, which is no text`);
  }
  for (const key of ["scale", "start", "stop"]) {
    const value = bounded(`${name}_${key}`, guide[key] ?? NaN);
    if (value !== null) found[`${name}_${key}`] = value;
    if (key in guide && value !== guide[key]) missing.push(`the ${name}'s ${key} of ${brief(guide[key])}`);
  }
  const weight = weightIn(guide.weight ?? 0.5);
  if (weight === null) missing.push(`the ${name}'s map of weights`);
  else found[`${name}_weight`] = weight;
  if ((guide.view ?? "identity") !== "identity") missing.push(`the ${name}'s view`);
}

/** What a recipe says that only Python can do. */
function beyond(recipe, guides) {
  const rule = recipe.rule?.name ?? recipe.rule ?? "mean";
  const seed = recipe.seeds?.[recipe.item ?? 0];
  const others = guides.filter((guide) => !["image", "sound"].includes(guide?.name)).length;
  return [
    rule !== "mean" && `the rule ${brief(rule)}`,
    others && "further guides",
    (recipe.pair ?? "pocket") !== "pocket" && `the pair ${brief(recipe.pair)}`,
    (recipe.width ?? 512) !== 512 && `a canvas of ${brief(recipe.width)} pixels`,
    recipe.num_inference_steps > LONGEST && `more than ${LONGEST} steps`,
    Math.abs(seed) > LARGEST_SEED && "a seed of more than 53 bits",
    recipe.loop && "that it sounds without a seam",
    recipe.branch && "the run that it went on from",
    recipe.init && `the ${recipe.init.kind === "Sound" ? "recording" : "picture"} that it began with: drop that, too`,
    ...Object.entries(WORDS).map(([name, { among }]) => name in recipe && !among.includes(recipe[name]) && `the ${name} ${brief(recipe[name])}`),
  ].filter(Boolean);
}

/** The guides of a recipe; older ones said all of theirs beside the rest: "image_prompt", "image_scale". */
function guidesOf(recipe) {
  if (Array.isArray(recipe?.guides)) return recipe.guides;
  const keys = ["prompt", "negative", "scale", "weight", "start", "stop", "view"];
  const told = (name) => Object.fromEntries(keys.filter((key) => `${name}_${key}` in recipe).map((key) => [key, recipe[`${name}_${key}`]]));
  return ["image", "sound"].map((name) => ({ name, ...told(name) })).filter(({ prompt }) => prompt);
}

/** Settings out of a recipe, over `usual`, and what of it this page cannot do, in words. Throws an
 *  Error for what is no recipe of itskit. */
export function fromRecipe(recipe, usual) {
  const guides = guidesOf(recipe ?? {});
  const named = (name) => guides.find((guide) => guide?.name === name);
  if (!named("image") && !named("sound")) throw new Error("This is no recipe of itskit: it names no guides called image or sound.");
  const [found, missing] = [{ ...usual }, beyond(recipe, guides)];
  for (const name of ["image", "sound"]) readGuide(name, named(name) || { prompt: "" }, found, missing);
  const steps = bounded("num_inference_steps", recipe.num_inference_steps ?? NaN);
  if (steps !== null) found.num_inference_steps = steps;
  const seeds = Array.isArray(recipe.seeds) ? recipe.seeds : [];
  found.seed = bounded("seed", seeds[recipe.item ?? 0] ?? 0) ?? 0;
  for (const [name, { among }] of Object.entries(WORDS)) if (among.includes(recipe[name])) found[name] = recipe[name];
  if (recipe.init && recipe.strength > 0 && recipe.strength <= 1) found.strength = recipe.strength;
  const balance = balanceOf(found);
  const shares = Array.isArray(balance) && balance.length !== found.num_inference_steps ? stretched(balance, found.num_inference_steps) : balance;
  return { settings: Object.assign(found, weightsOf(shares)), missing };
}
