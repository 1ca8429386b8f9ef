// The live page's engine, a worker: composes, step by step, what a page asks for, and lets it be heard.
//
//   page -> engine                                         engine -> page
//   {type: "load", base, threads, device}                  {type: "progress", what, loaded, total}
//                                                          {type: "ready", device, threads, seconds}
//   {type: "compose", id, settings}                        {type: "step", id, step, steps, pixels, latent}
//                                                          {type: "sound", id, step, samples, sr}
//                                                          {type: "done", id, recipe}
//   {type: "stop", id}
//   {type: "hear", id, step}                               {type: "sound", ...}
//   {type: "thumbnails", id, settings, seeds}              {type: "thumbnail", id, seed, pixels, width, height}
//   {type: "analyse", kind: "picture" | "sound", data}     {type: "analysed", kind, latent}
//   at any time                                            {type: "error", id, message}
//
// Settings are those of `itskit.compose`; `init` is a latent that "analysed" brought, and `init_told`
// what the recipe says of it. `threads` is how many CPUs to use, 0 for all that help; `device` "auto",
// "wasm" or "webgpu". A composition replaces the one before; the last step shows the result itself, and
// its sound is sent unasked. Grey levels are 128 rows of 512, samples are at one loudness.

import { Remote } from "./calls.js";
import { composing, Pair } from "./composition.js";
import { chooseDevice, cpusFor, Lanes } from "./lanes.js";
import { randn } from "./random.js";
import { recipeOf, resolve } from "./settings.js";

const DRAFT_STEPS = 4; // of thumbnails
const LED_ROUNDS = 4; // of Griffin-Lim for a sound that is led by a similar one
const MOST_RUNS = 2; // whose steps can still be heard
const WRONG = 0.01; // how far a device may be from what Python says

const runs = new Map(); // id -> run, in the order in which they began
let [about, pair, sounding, row] = [null, null, null, null];
const say = (message, transfer = []) => self.postMessage(message, transfer);

// ---- loading -------------------------------------------------------------------------------------

async function load({ base, threads = 0, device = "auto" }) {
  const began = performance.now();
  const answer = await fetch(new URL("engine.json", base));
  if (!answer.ok) throw new Error(`engine.json could not be loaded: the host says ${answer.status}.`);
  about = await answer.json();
  sounding = new Remote(new URL("sounding.js", import.meta.url));
  const chosen = await chooseDevice(device);
  let lanes = null;
  try {
    lanes = await loadOn(chosen, base, cpusFor(threads));
  } catch (error) {
    if (chosen === "wasm" || device !== "auto") throw error;
    lanes = await loadOn("wasm", base, cpusFor(threads)); // what always works
  }
  say({ type: "ready", device: lanes.device, threads: lanes.threads, seconds: (performance.now() - began) / 1000 });
}

async function loadOn(device, base, cpus) {
  const lanes = new Lanes(device, cpus);
  try {
    const files = await lanes.load(base, about, (loaded, total) => say({ type: "progress", what: "the networks", loaded, total }));
    const tokenizer = JSON.parse(new TextDecoder().decode(files["tokenizer.json.gz"]));
    const shifts = new Float32Array(files["solo.bin.gz"].slice().buffer);
    const half = shifts.length / 2;
    pair = new Pair((...asked) => lanes.run(...asked), about, tokenizer, { image: shifts.slice(0, half), sound: shifts.slice(half) });
    if (device === "webgpu") await check(pair, about.check);
    return lanes;
  } catch (error) {
    lanes.end();
    throw error;
  }
}

/** Rejects unless both models answer on this device as they do in Python. */
async function check(asked, { prompt, seed, t, noise }) {
  const latent = randn(asked.shape.reduce((a, b) => a * b), seed);
  for (const [name, expected] of Object.entries(noise)) {
    const [found] = await asked.predictNoise(name, latent, t, [await asked.encodePrompt(prompt)]);
    const right = expected.every((value, k) => Math.abs(value - found[k]) < WRONG);
    if (!right) throw new Error(`This graphics card computes the ${name} model wrongly.`);
  }
}

// ---- composing -----------------------------------------------------------------------------------

async function compose({ id, settings: given }) {
  for (const run of runs.values()) run.stopped = true;
  const settings = resolve(given, about.usual, pair.shape);
  const run = { stopped: false, pictures: [], sounds: new Map(), last: null };
  run.finished = following(id, run, settings);
  runs.set(id, run);
  for (const old of [...runs.keys()].slice(0, -MOST_RUNS)) runs.delete(old);
  await run.finished;
  if (run.stopped) return;
  await hear({ id, step: run.last });
  if (!run.stopped) say({ type: "done", id, recipe: recipeOf(settings, given, about) });
}

/** Takes the steps of a run; each is decoded while the next one is under way. */
async function following(id, run, settings) {
  const { count, steps } = await composing(pair, settings);
  let [shown, k] = [Promise.resolve(), 0];
  for await (const step of steps) {
    if (run.stopped) break;
    await shown;
    shown = show(id, run, k++, count, k === count ? step.latent : step.clean);
    shown.catch(() => {}); // told by the await
  }
  await shown;
}

async function show(id, run, step, steps, latent) {
  const picture = await pair.decode(latent);
  if (run.stopped) return;
  run.pictures[step] = picture;
  if (step === steps - 1) run.last = step;
  say({ type: "step", id, step, steps, pixels: greyLevels(picture), latent });
}

const greyLevels = (picture) => Uint8ClampedArray.from(picture, (value) => 255 * value);

async function hear({ id, step }) {
  const run = runs.get(id);
  if (!run?.pictures[step]) throw new Error("That step cannot be heard any more: compose it again.");
  if (!run.sounds.has(step)) {
    const led = step !== run.last && run.sounds.has(run.last);
    const near = led ? (await run.sounds.get(run.last)).plain : null;
    const how = led ? { near, rounds: LED_ROUNDS } : { turn: about.turn };
    run.sounds.set(step, sounding.call("play", run.pictures[step], about.mel, how));
  }
  const { audible } = await run.sounds.get(step);
  say({ type: "sound", id, step, samples: audible, sr: about.mel.sr });
}

function stop({ id }) {
  const run = runs.get(id);
  if (run) run.stopped = true;
  if (row?.id === id) row.stopped = true;
}

// ---- what else a page may ask for ----------------------------------------------------------------

/** Resolves when no composition is under way. */
const idle = () => Promise.allSettled([...runs.values()].map((run) => run.finished));

/** Drafts of some seeds, each half as high and wide; they wait for a composition that is under way. */
async function thumbnails({ id, settings: given, seeds }) {
  if (row) row.stopped = true;
  const own = (row = { id, stopped: false });
  for (const seed of seeds) {
    await idle();
    if (own.stopped) return;
    const settings = resolve({ ...drafted(given), seed }, about.usual, pair.shape);
    let last = null;
    for await (const step of (await composing(pair, settings)).steps) {
      last = step;
      await idle();
      if (own.stopped) return;
    }
    const [, rows, columns] = pair.shape;
    const [width, height] = [4 * columns, 4 * rows];
    const pixels = halved(await pair.decode(last.latent), width, height);
    if (!own.stopped) say({ type: "thumbnail", id, seed, pixels, width, height });
  }
}

/** Settings for a run of few steps: a weight of each step at as many moments. */
function drafted(given) {
  const all = given.num_inference_steps ?? about.usual.num_inference_steps;
  const count = Math.min(DRAFT_STEPS, all);
  const found = { ...given, num_inference_steps: count };
  for (const name of ["image_weight", "sound_weight"]) {
    const each = Array.isArray(given[name]) ? given[name] : given[name]?.per_step;
    if (each?.length === all) found[name] = { per_step: Array.from({ length: count }, (_, k) => each[Math.floor((k * all) / count)]) };
  }
  return found;
}

function halved(picture, width, height) {
  return Uint8ClampedArray.from({ length: width * height }, (_, k) => {
    const at = 4 * width * Math.floor(k / width) + 2 * (k % width);
    return (255 / 4) * (picture[at] + picture[at + 1] + picture[at + 2 * width] + picture[at + 2 * width + 1]);
  });
}

async function analyse({ kind, data }) {
  const columns = 8 * pair.shape[2];
  const size = 8 * pair.shape[1] * columns;
  if (kind === "picture" && data.length !== size) throw new Error(`The picture has ${data.length} grey levels: expected ${size}.`);
  if (kind === "sound" && !data.length) throw new Error("The recording is empty: expected a sound.");
  const picture = kind === "picture" ? Float32Array.from(data, (grey) => grey / 255) : await sounding.call("paint", data, about.mel, columns);
  say({ type: "analysed", kind, latent: await pair.encode(picture) });
}

const ANSWERS = { load, compose, stop, hear, thumbnails, analyse };

self.onmessage = async ({ data }) => {
  try {
    if (!pair && data.type !== "load") throw new Error("The engine is not ready yet: wait until it says so.");
    await ANSWERS[data.type](data);
  } catch (error) {
    say({ type: "error", id: data.id, message: String(error?.message || error) });
  }
};
