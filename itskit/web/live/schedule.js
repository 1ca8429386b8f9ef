// Noise levels, and the timesteps at which a run visits them: itskit/schedule.py in JavaScript.
//
//   alphaBar   what is left of the clean latent's variance at a timestep: 1 is clean, 0 is noise
//   latent     sqrt(alphaBar) * clean + sqrt(1 - alphaBar) * noise

/** Stable Diffusion's table, Float32Array (1000,): "scaled linear" betas from 0.00085 to 0.012. */
export function stableDiffusionAlphaBar() {
  const round = Math.fround;
  const [first, last] = [round(Math.sqrt(0.00085)), round(Math.sqrt(0.012))];
  const stride = round(round(last - first) / 999);
  let product = 1;
  return Float32Array.from({ length: 1000 }, (_, k) => {
    const root = k < 500 ? round(first + stride * k) : round(last - stride * (999 - k));
    return (product *= round(1 - round(root * root)));
  });
}

/** Rounds halves to the even number, as Python and PyTorch do. */
export function roundEven(x) {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 ? floor + 1 : floor;
}

/** The timesteps to visit, descending (Lin et al. 2024, arXiv 2305.08891, table 2): "leading" is
 *  Stable Diffusion's, strides up from 1; "trailing" strides down from 999. */
export function timesteps(count, spacing) {
  if (spacing === "leading") return Array.from({ length: count }, (_, k) => (count - 1 - k) * Math.floor(1000 / count) + 1);
  return Array.from({ length: count }, (_, k) => roundEven(1000 - k * (1000 / count)) - 1);
}

/** a * x + b * y, Float32Array. */
export function combine(a, x, b, y) {
  return x.map((value, k) => a * value + b * y[k]);
}

/** The noisy latent at `alphaBar` (DDPM, eq. 4). */
export function addNoise(clean, noise, alphaBar) {
  return combine(Math.sqrt(alphaBar), clean, Math.sqrt(1 - alphaBar), noise);
}

/** The clean latent, given that `noise` is in `latent` (DDPM, eq. 15). */
export function predictClean(latent, noise, alphaBar) {
  const root = Math.sqrt(alphaBar);
  return combine(1 / root, latent, -Math.sqrt(1 - alphaBar) / root, noise);
}
