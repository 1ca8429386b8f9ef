// The pocket pair, and the whole method: prompts and settings in, steps out.

import { randn } from "./random.js";
import { sample, SOLVERS } from "./sampling.js";
import { addNoise, combine, roundEven, stableDiffusionAlphaBar, timesteps } from "./schedule.js";
import { guidesOf } from "./settings.js";
import { Tokenizer } from "./tokenizer.js";

const TILE = 16; // latent columns: the picture model draws squares, in a row
const MOST_TEXTS = 200; // that are kept

/** The two models over one latent. `run(network, tensors)` asks a network; `about` is what the folder
 *  says of the pair. */
export class Pair {
  constructor(run, about, tokenizerFile, solo) {
    Object.assign(this, { run, about, solo });
    [this.rows, this.width] = about.text_shape; // of a prompt: the sentence, then its tokens
    this.tokenizer = new Tokenizer(tokenizerFile, this.rows - 1);
    this.shape = about.latent_shape;
    this.alphaBar = stableDiffusionAlphaBar();
    this.texts = new Map();
  }

  /** Words as the networks take them, (rows * width,); `soloFor` names the model that is alone. */
  async encodePrompt(text, soloFor = null) {
    if (!this.texts.has(text)) {
      const { ids, mask } = this.tokenizer.encode(text);
      const dims = [1, ids.length];
      if (this.texts.size >= MOST_TEXTS) this.texts.clear();
      this.texts.set(text, await this.run("text_encoder", { ids: { data: ids, dims }, mask: { data: mask, dims } }));
    }
    const embeds = this.texts.get(text);
    const shift = this.solo[soloFor];
    return shift ? embeds.map((value, k) => value + shift[k]) : embeds;
  }

  /** The noise that a model finds in a latent at `t`, once for each of the encoded prompts. The networks
   *  predict v (Salimans & Ho 2022): noise = sqrt(alphaBar) v + sqrt(1 - alphaBar) latent. */
  async predictNoise(name, latent, t, prompts) {
    const [channels, rows, columns] = this.shape;
    const tile = name === "image" ? TILE : columns;
    const tiles = columns / tile;
    const count = prompts.length * tiles;
    const [x, text] = [new Float32Array(prompts.length * latent.length), new Float32Array(count * this.rows * this.width)];
    const cut = inTiles(latent, this.shape, tile);
    prompts.forEach((prompt, p) => {
      x.set(cut, p * latent.length);
      for (let k = 0; k < tiles; k++) text.set(prompt, (p * tiles + k) * prompt.length);
    });
    const v = await this.run(`${name}_unet`, {
      latent: { data: x, dims: [count, channels, rows, tile] },
      t: { data: new Float32Array(count).fill(t), dims: [count] },
      text: { data: text, dims: [count, this.rows, this.width] },
    });
    const [signal, noise] = [Math.sqrt(this.alphaBar[t]), Math.sqrt(1 - this.alphaBar[t])];
    return prompts.map((_, p) => {
      const own = v.subarray(p * latent.length, (p + 1) * latent.length);
      return combine(signal, inTiles(own, this.shape, tile, true), noise, latent);
    });
  }

  /** The picture (8h, 8w) in [0, 1] of a latent. */
  decode(latent) {
    return this.run("decoder", { latent: { data: latent, dims: [1, ...this.shape] } });
  }

  /** The latent of a picture (8h, 8w) in [0, 1]. */
  encode(picture) {
    return this.run("encoder", { picture: { data: picture, dims: [1, 1, 8 * this.shape[1], 8 * this.shape[2]] } });
  }

  async guides(settings) {
    return Promise.all(guidesOf(settings).map(async (guide) => {
      const soloFor = settings.solo ? guide.name : null;
      const [cond, uncond] = [await this.encodePrompt(guide.prompt, soloFor), await this.encodePrompt(guide.negative, soloFor)];
      return { ...guide, cond, uncond, predictNoise: (...asked) => this.predictNoise(guide.name, ...asked) };
    }));
  }
}

/** A latent (C, h, w) as squares in a row (w / tile, C, h, tile), or `back`. */
function inTiles(latent, [channels, rows, columns], tile, back = false) {
  const found = new Float32Array(latent.length);
  for (let k = 0, from = 0; k < columns / tile; k++) {
    for (let row = 0; row < channels * rows; row++) for (let x = 0; x < tile; x++, from++) {
      const at = row * columns + k * tile + x;
      if (back) found[at] = latent[from];
      else found[from] = latent[at];
    }
  }
  return found;
}

/** A composition of settings that were resolved: its number of steps, and an iterator of them. */
export async function composing(pair, settings) {
  const { shape, alphaBar } = pair;
  const times = timesteps(settings.num_inference_steps, settings.spacing);
  const noise = randn(shape.reduce((a, b) => a * b), settings.seed);
  const firstStep = settings.init ? times.length - Math.max(1, roundEven(settings.strength * times.length)) : 0;
  const latent = settings.init ? addNoise(settings.init, noise, alphaBar[times[firstStep]]) : noise;
  const guides = await pair.guides(settings);
  const steps = sample(guides, latent, { shape, timesteps: times, alphaBar, solver: SOLVERS[settings.solver], firstStep });
  return { count: times.length - firstStep, steps };
}
