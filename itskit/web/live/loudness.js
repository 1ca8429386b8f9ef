// One loudness for all sounds: itskit/audio/loudness.py in JavaScript.
//
//   y --> gain to -20 LUFS --> limiter at -1 dB --> y

import { fft } from "./fourier.js";
import { roundEven } from "./schedule.js";

/** A sound (n,) at another loudness, with limited peaks: one gain, at most +30 dB, then a look-ahead
 *  limiter. A sound that already peaks at `peakDb` is not raised again. Float32Array. */
export function normaliseLoudness(samples, sr, { lufs = -20, peakDb = -1 } = {}) {
  const y = Float64Array.from(samples);
  const peaks = peaksOf(y);
  let gainDb = Math.min(lufs - integratedLoudness(y, sr), 30);
  const loudest = peaks.reduce((a, b) => Math.max(a, b), 1e-9);
  if (Math.abs(20 * Math.log10(loudest) - peakDb) < 0.02) gainDb = Math.min(gainDb, 0);
  const [gain, limit] = [10 ** (gainDb / 20), 10 ** (peakDb / 20)];
  const limiter = limiterGain(peaks.map((peak) => peak * gain), sr, limit);
  return Float32Array.from(y, (value, k) => Math.max(-limit, Math.min(limit, value * gain * limiter[k])));
}

/** Loudness of a mono sound in LUFS (ITU-R BS.1770-4), -Infinity for silence: mean square of the
 *  K-weighted sound over those 400 ms blocks (75 % overlap) that are above -70 LUFS and no more than
 *  10 LU below the mean of these. */
export function integratedLoudness(y, sr) {
  const whole = new Float64Array(Math.max(y.length, Math.ceil(0.4 * sr)));
  whole.set(y);
  const weighted = filtered(filtered(whole, highShelf(sr)), highPass(sr));
  const squares = weighted.map((value) => value * value);
  const blocks = Array.from({ length: roundEven((whole.length / sr - 0.4) / (0.4 * 0.25)) + 1 }, (_, j) => {
    const [first, end] = [Math.floor(0.4 * (j * 0.25) * sr), Math.floor(0.4 * (j * 0.25 + 1) * sr)];
    return squares.subarray(first, end).reduce((a, b) => a + b, 0) / (0.4 * sr);
  });
  const level = (power) => -0.691 + 10 * Math.log10(power);
  const mean = (powers) => powers.reduce((a, b) => a + b, 0) / (powers.length || 1);
  const heard = blocks.filter((power) => level(power) >= -70);
  const relative = level(mean(heard)) - 10;
  return level(mean(heard.filter((power) => level(power) > relative && level(power) > -70))) + 10 * Math.log10(whole.length / y.length);
}

// The analogue filters behind the standard's table at 48 kHz (De Man 2018), for any rate.
function highShelf(sr) {
  const [K, Q, Vh] = [Math.tan((Math.PI * 1681.9744509555319) / sr), 0.7071752369554193, 10 ** (3.99984385397 / 20)];
  const [Vb, a0] = [Vh ** 0.499666774155, 1 + K / Q + K * K];
  return { b: [(Vh + (Vb * K) / Q + K * K) / a0, (2 * (K * K - Vh)) / a0, (Vh - (Vb * K) / Q + K * K) / a0], a: poles(K, Q) };
}

function highPass(sr) {
  return { b: [1, -2, 1], a: poles(Math.tan((Math.PI * 38.13547087613982) / sr), 0.5003270373253953) };
}

function poles(K, Q) {
  const a0 = 1 + K / Q + K * K;
  return [(2 * (K * K - 1)) / a0, (1 - K / Q + K * K) / a0];
}

/** A sound through one second-order filter. */
function filtered(y, { b, a }) {
  let [one, two] = [0, 0];
  return y.map((x) => {
    const out = b[0] * x + one;
    one = b[1] * x - a[0] * out + two;
    two = b[2] * x - a[1] * out;
    return out;
  });
}

/** Largest magnitude near each sample (n,), between the samples too: 4 times oversampled. */
function peaksOf(y) {
  const between = oversampled(y, 4).map(Math.abs);
  const around = extremes(between, 5, Math.max);
  return y.map((value, k) => Math.max(Math.abs(value), around[4 * k]));
}

/** Gain (n,) <= 1 that keeps `peaks` (n,) below `limit`: what each peak needs is held for 20 ms on
 *  either side, then smoothed over as much. */
function limiterGain(peaks, sr, limit) {
  const half = Math.round(0.01 * sr);
  const held = extremes(peaks.map((peak) => Math.min(1, limit / Math.max(peak, 1e-9))), 4 * half + 1, Math.min);
  return runningMean(runningMean(held, 2 * half + 1), 2 * half + 1);
}

/** Mirrors the ends: ... c b a | a b c ... */
const mirrored = (k, n) => {
  const inside = ((k % (2 * n)) + 2 * n) % (2 * n);
  return inside < n ? inside : 2 * n - 1 - inside;
};

/** The largest (Math.max) or smallest (Math.min) of the `size` numbers around each (van Herk 1992). */
function extremes(x, size, choose) {
  const [n, half] = [x.length, size >> 1];
  const blocks = Math.ceil((n + 2 * half) / size) * size;
  const wide = Float64Array.from({ length: blocks }, (_, k) => x[mirrored(k - half, n)]);
  const [before, after] = [wide.slice(), wide.slice()];
  for (let k = 1; k < blocks; k++) if (k % size) before[k] = choose(before[k - 1], wide[k]);
  for (let k = blocks - 2; k >= 0; k--) if ((k + 1) % size) after[k] = choose(after[k + 1], wide[k]);
  return x.map((_, k) => choose(after[k], before[k + size - 1]));
}

/** The mean of the `size` numbers around each. */
function runningMean(x, size) {
  const [n, half] = [x.length, size >> 1];
  let sum = 0;
  for (let k = -half; k <= half; k++) sum += x[mirrored(k, n)];
  return x.map((_, k) => {
    if (k) sum += x[mirrored(k + half, n)] - x[mirrored(k - half - 1, n)];
    return sum / size;
  });
}

/** `times` as many samples of a real signal (n,), n even, by zeros in its spectrum. */
function oversampled(y, times) {
  const [n, size] = [y.length, y.length * times];
  const [re, im] = [Float64Array.from(y), new Float64Array(n)];
  transform(re, im);
  const [wideRe, wideIm] = [new Float64Array(size), new Float64Array(size)];
  for (let k = 0; k <= n / 2; k++) {
    const half = k === n / 2 ? 0.5 : 1; // of Nyquist's two halves
    [wideRe[k], wideIm[k]] = [half * re[k], half * im[k]];
    if (k) [wideRe[size - k], wideIm[size - k]] = [half * re[k], -half * im[k]];
  }
  transform(wideIm, wideRe); // swapped: the inverse one, times size
  return wideRe.map((value) => value / n);
}

/** In-place Fourier transform of any length odd * 2**k: `odd` transforms of every odd-th number, and a
 *  plain sum over these (Cooley & Tukey 1965). */
export function transform(re, im) {
  const n = re.length;
  let odd = n;
  while (odd % 2 === 0) odd /= 2;
  if (odd === 1) return fft(re, im);
  const size = n / odd;
  const part = (whole, r) => Float64Array.from({ length: size }, (_, k) => whole[k * odd + r]);
  const parts = Array.from({ length: odd }, (_, r) => [part(re, r), part(im, r)]);
  if (size > 1) for (const [a, b] of parts) fft(a, b);
  const [cos, sin] = [Math.cos, Math.sin].map((wave) => Float64Array.from({ length: n }, (_, k) => wave((-2 * Math.PI * k) / n)));
  for (let k = 0; k < n; k++) {
    let [x, y] = [0, 0];
    for (let r = 0; r < odd; r++) {
      const [[a, b], turn, at] = [parts[r], (r * k) % n, k % size];
      x += a[at] * cos[turn] - b[at] * sin[turn];
      y += a[at] * sin[turn] + b[at] * cos[turn];
    }
    [re[k], im[k]] = [x, y];
  }
}
