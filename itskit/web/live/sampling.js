// The sampling loop of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221), for any guides: what
// itskit has in sampling.py, guidance.py and solvers.py.
//
//   latent   Float32Array (C, h, w), row after row; its shape is [C, h, w]
//   guide    {name, scale, weight, start, stop, view, cond, uncond, predictNoise}
//   step     {index, t, latent, clean, noises, weights}

import { addNoise, predictClean, roundEven } from "./schedule.js";

/** DDIM without fresh noise (Song et al. 2021, eq. 12), and DPM-Solver++(2M) (Lu et al. 2022,
 *  algorithm 2), which continues the clean estimate as a straight line in log(signal / noise). */
export const SOLVERS = {
  ddim: {
    finalAlphaBar: (table) => table[0],
    step: (latent, clean, noise, here, next) => addNoise(clean, noise, next),
  },
  dpmpp_2m: {
    finalAlphaBar: () => 1,
    step(latent, clean, noise, here, next, previous) {
      let ahead = clean;
      if (previous && next < 1) {
        const [past, now, there] = [previous.alphaBar, here, next].map((a) => Math.log(a / (1 - a)) / 2);
        const reach = (there - now) / 2 / (now - past);
        ahead = clean.map((value, k) => value + (value - previous.clean[k]) * reach);
      }
      const shrink = Math.sqrt((1 - next) / (1 - here));
      const towards = Math.sqrt(next) - shrink * Math.sqrt(here);
      return latent.map((value, k) => shrink * value + towards * ahead[k]);
    },
  },
};

/** A guide's weight at a step, a number or a map (h * w,): 0 while it is silent. */
export function weightAt({ weight, start, stop }, index, count) {
  if (index < roundEven(start * count) || index >= roundEven(stop * count)) return 0;
  return typeof weight === "function" ? weight(index, count) : weight;
}

/** The weights of all guides as maps (cells,) that add up to 1. Who has no weight anywhere is silent,
 *  and leaves its part to those that speak. RangeError where nobody has any. */
export function weightMaps(weights, cells) {
  const maps = weights.map((one) => (typeof one === "number" ? new Float32Array(cells).fill(one) : Float32Array.from(one)));
  const speaks = maps.map((map) => map.some((value) => value > 0));
  for (let k = 0; k < cells; k++) {
    let total = maps.reduce((sum, map) => sum + map[k], 0);
    if (total === 0) maps.forEach((map, g) => (total += map[k] = Number(speaks[g])));
    if (total === 0) throw new RangeError("Nobody speaks there: raise a weight, or change a start or a stop.");
    for (const map of maps) map[k] /= total;
  }
  return maps;
}

/** The weighted mean of the guides' noises, null for the silent ones, by maps that add up to 1. */
export function blend(noises, maps) {
  const blended = new Float32Array(noises.find(Boolean).length);
  noises.forEach((noise, g) => {
    const map = maps[g];
    if (noise) for (let k = 0; k < blended.length; k++) blended[k] += map[k % map.length] * noise[k];
  });
  return blended;
}

/** The noise that a guide finds in a latent: classifier-free guidance (Ho & Salimans 2022), both
 *  branches in one call of the network. RangeError if it answers with NaN or infinity. */
export async function estimateNoise(guide, latent, shape, t) {
  const seen = guide.view(latent, shape);
  const plain = guide.scale === 1;
  const branches = await guide.predictNoise(seen, t, plain ? [guide.cond] : [guide.uncond, guide.cond]);
  const [uncond, cond] = [branches[0], branches.at(-1)];
  const noise = plain ? cond : uncond.map((value, k) => value + guide.scale * (cond[k] - value));
  if (!noise.every(Number.isFinite)) throw new RangeError(`The ${guide.name} network lost its way at t = ${t}: lower its scale (${guide.scale}).`);
  return guide.view(noise, shape);
}

/** One step: each guide that speaks estimates the noise, the weighted mean makes one of them, the
 *  solver goes to the next timestep. */
export async function denoiseStep(guides, latent, { shape, index, timesteps, alphaBar, solver, previous }) {
  const [t, isLast] = [timesteps[index], index === timesteps.length - 1];
  const [here, next] = [alphaBar[t], isLast ? solver.finalAlphaBar(alphaBar) : alphaBar[timesteps[index + 1]]];
  const maps = weightMaps(guides.map((guide) => weightAt(guide, index, timesteps.length)), shape[1] * shape[2]);
  const speaks = maps.map((map) => map.some((part) => part > 0));
  const noises = await Promise.all(guides.map((guide, g) => (speaks[g] ? estimateNoise(guide, latent, shape, t) : null)));
  const noise = blend(noises, maps);
  const clean = predictClean(latent, noise, here);
  const before = previous && { clean: previous.clean, alphaBar: alphaBar[previous.t] };
  const after = solver.step(latent, clean, noise, here, next, before);
  const weights = maps.map((map) => map.reduce((sum, part) => sum + part, 0) / map.length);
  return { index, t, latent: after, clean, noises, weights };
}

/** Denoises a latent, one step at a time; whoever pulls may stop at any time. */
export async function* sample(guides, latent, { shape, timesteps, alphaBar, solver, firstStep = 0 }) {
  let previous = null;
  for (let index = firstStep; index < timesteps.length; index++) {
    previous = await denoiseStep(guides, latent, { shape, index, timesteps, alphaBar, solver, previous });
    latent = previous.latent;
    yield previous;
  }
}
