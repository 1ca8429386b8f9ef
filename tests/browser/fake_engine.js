// A worker that answers as the live page's engine does, at once: a gradient a step, and a sine.

let stopped = 0; // the last run that was stopped or replaced
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const say = (message, transfer = []) => self.postMessage(message, transfer);

/** Grey levels of a step: the later, the brighter; the seed leans it. */
function gradient(step, steps, seed, [width, height] = [512, 128]) {
  const level = (255 * (step + 1)) / steps;
  return Uint8ClampedArray.from({ length: width * height }, (_, k) => (level * ((k % width) + (seed % 64))) / (width + 63));
}

function sine(step) {
  const hertz = 220 * (step + 1);
  return Float32Array.from({ length: 81920 }, (_, k) => 0.3 * Math.sin((2 * Math.PI * hertz * k) / 16000));
}

/** A recipe as the pocket pair's composition has it. */
function recipeOf(settings) {
  const weight = (value) => (Array.isArray(value) ? { per_step: value } : value);
  const guide = (name) => ({
    name, model: name, prompt: settings[`${name}_prompt`], negative: settings[`${name}_negative`], scale: settings[`${name}_scale`],
    weight: weight(settings[`${name}_weight`]), start: settings[`${name}_start`], stop: settings[`${name}_stop`], view: "identity",
  });
  const { num_inference_steps, solver, spacing, seed } = settings;
  return {
    itskit: "0.1.0", pair: "pocket", weights_hash: "fake", guides: ["image", "sound"].filter((name) => settings[`${name}_prompt`]).map(guide),
    num_inference_steps, rule: "mean", solver, spacing, width: 512, strength: settings.strength, init_fit: "pad", init_background: "white",
    init_start: 0, init_duration: null, crop: true, seeds: [seed], preset: null, init: settings.init_told || null,
  };
}

async function compose({ id, settings }) {
  const last = (stopped = Math.max(stopped, id - 1));
  const all = settings.num_inference_steps;
  const steps = settings.init ? Math.max(1, Math.round(settings.strength * all)) : all;
  for (let step = 0; step < steps; step++) {
    await wait(self.slow || 5);
    if (stopped > last) return;
    say({ type: "step", id, step, steps, pixels: gradient(step, steps, settings.seed), latent: new Float32Array(4096) });
  }
  say({ type: "sound", id, step: steps - 1, samples: sine(steps - 1), sr: 16000 });
  say({ type: "done", id, recipe: recipeOf(settings) });
}

const answers = {
  async load({ base }) {
    const asked = await (await fetch(new URL("fake.json", base))).json(); // how a test wants it to behave
    self.slow = asked.slow;
    if (asked.fails) return say({ type: "error", message: asked.fails });
    await (await fetch(new URL("networks/fake.bin", base))).arrayBuffer();
    for (const loaded of [1e6, 2e6, 3e6]) say({ type: "progress", what: "the networks", loaded, total: 3e6 });
    say({ type: "ready", device: "wasm", threads: 1, seconds: 0.1 });
  },
  compose,
  stop({ id }) {
    stopped = Math.max(stopped, id);
  },
  hear({ id, step }) {
    say({ type: "sound", id, step, samples: sine(step), sr: 16000 });
  },
  async thumbnails({ id, seeds, settings }) {
    if (!settings.image_prompt && !settings.sound_prompt) return say({ type: "error", id, message: "Both prompts are empty." });
    for (const seed of seeds) {
      await wait(5);
      say({ type: "thumbnail", id, seed, pixels: gradient(0, 1, seed, [256, 64]) });
    }
  },
  analyse({ kind, data }) {
    say({ type: "analysed", kind, latent: new Float32Array(4096).fill(data[0]) });
  },
};

self.onmessage = ({ data }) => answers[data.type](data);
