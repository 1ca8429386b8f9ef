// Mel pictures of sound: itskit/audio/mel.py in JavaScript. A picture is a Float32Array (n_mels,
// frames), row after row, the highest frequency first; `mel` are the settings by the names that they
// have in Python. Spectra are {re, im}, each a Float64Array (frames, bins).

import { fft } from "./fourier.js";

export const binsOf = (mel) => mel.n_fft / 2 + 1;

const kept = new Map(); // of the settings, as a text: tables that are made once

function once(name, mel, make) {
  const key = `${name} ${JSON.stringify(mel)}`;
  if (!kept.has(key)) kept.set(key, make());
  return kept.get(key);
}

/** Periodic Hann window in the middle of (n_fft,). */
export function hann(mel) {
  return once("window", mel, () => {
    const before = (mel.n_fft - mel.win_length) >> 1;
    const at = (k) => (k < 0 || k >= mel.win_length ? 0 : 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / mel.win_length));
    return Float64Array.from({ length: mel.n_fft }, (_, k) => at(k - before));
  });
}

/** Hz of n_mels + 2 points spaced evenly on Slaney's mel scale. */
function melEdges({ fmin, fmax, n_mels }) {
  const stride = Math.log(6.4) / 27;
  const toMel = (hz) => (hz < 1000 ? (hz * 3) / 200 : 15 + Math.log(hz / 1000) / stride);
  const toHertz = (mels) => (mels < 15 ? (mels * 200) / 3 : 1000 * Math.exp(stride * (mels - 15)));
  const [low, high] = [toMel(fmin), toMel(fmax)];
  return Array.from({ length: n_mels + 2 }, (_, k) => toHertz(low + ((high - low) * k) / (n_mels + 1)));
}

/** Triangular filters of unit area, lowest first, each {first, values, sum}: the bins from `first` on;
 *  and `perBin` (bins,), the sum over all filters. */
export function melFilters(mel) {
  return once("filters", mel, () => {
    const [edges, bins] = [melEdges(mel), binsOf(mel)];
    const perBin = new Float64Array(bins);
    const filters = edges.slice(0, -2).map((low, m) => {
      const [centre, high] = [edges[m + 1], edges[m + 2]];
      const hertz = Array.from({ length: bins }, (_, k) => (k * mel.sr) / mel.n_fft);
      const all = hertz.map((hz) => (Math.max(0, Math.min((hz - low) / (centre - low), (high - hz) / (high - centre))) * 2) / (high - low));
      const first = Math.max(0, all.findIndex((value) => value > 0));
      const values = Float64Array.from(all.slice(first, all.findLastIndex((value) => value > 0) + 1), Math.fround);
      values.forEach((value, k) => (perBin[first + k] += value));
      return { first, values, sum: values.reduce((a, b) => a + b, 0) };
    });
    return { filters, perBin };
  });
}

/** Mel magnitudes (frames, n_mels), lowest first, that a picture stands for; black is 0. */
export function melMagnitudes(picture, mel) {
  const frames = picture.length / mel.n_mels;
  const target = new Float64Array(picture.length);
  for (let m = 0; m < mel.n_mels; m++) for (let n = 0; n < frames; n++) {
    const grey = Math.min(1, picture[(mel.n_mels - 1 - m) * frames + n]);
    if (grey > 0) target[n * mel.n_mels + m] = Math.exp(mel.log_min + grey * (mel.log_max - mel.log_min));
  }
  return target;
}

/** Which sample stands at `k` of n samples that are reflected at both ends as often as needed. */
function reflected(k, n) {
  const period = 2 * (n - 1) || 1;
  if (k >= 0 && k < n) return k;
  const inside = ((k % period) + period) % period;
  return inside < n ? inside : period - inside;
}

/** Calls each(frame, re, im) with the two halves of the bins' spectrum of each frame of a sound (n,);
 *  two frames go through one complex transform, the second as its imaginary part. */
export function eachSpectrum(y, mel, each) {
  const { n_fft: size, hop_length: hop } = mel;
  const [frames, left, shape] = [Math.floor(y.length / hop), (size - hop) >> 1, hann(mel)];
  const padded = new Float64Array(y.length + size - hop);
  for (let k = 0; k < padded.length; k++) padded[k] = y[reflected(k - left, y.length)];
  const [re, im, bins] = [new Float64Array(size), new Float64Array(size), binsOf(mel)];
  const one = [new Float64Array(bins), new Float64Array(bins)];
  const two = [new Float64Array(bins), new Float64Array(bins)];
  for (let n = 0; n < frames; n += 2) {
    const hasSecond = n + 1 < frames;
    for (let k = 0; k < size; k++) {
      re[k] = padded[n * hop + k] * shape[k];
      im[k] = hasSecond ? padded[(n + 1) * hop + k] * shape[k] : 0;
    }
    fft(re, im);
    untangle(re, im, one, two);
    each(n, ...one);
    if (hasSecond) each(n + 1, ...two);
  }
}

/** The spectra of two real signals from that of the one and i times the other. */
function untangle(re, im, [oneRe, oneIm], [twoRe, twoIm]) {
  const size = re.length;
  for (let k = 0; k <= size / 2; k++) {
    const j = (size - k) % size;
    oneRe[k] = (re[k] + re[j]) / 2;
    oneIm[k] = (im[k] - im[j]) / 2;
    twoRe[k] = (im[k] + im[j]) / 2;
    twoIm[k] = (re[j] - re[k]) / 2;
  }
}

/** The complex spectrum of a sound (n,): (n / hop_length, bins). */
export function stft(y, mel) {
  const bins = binsOf(mel);
  const frames = Math.floor(y.length / mel.hop_length);
  const found = { re: new Float64Array(frames * bins), im: new Float64Array(frames * bins) };
  eachSpectrum(y, mel, (n, re, im) => {
    found.re.set(re, n * bins);
    found.im.set(im, n * bins);
  });
  return found;
}

/** The sound (frames * hop_length,) whose `stft` is nearest to a spectrum (Griffin & Lim 1984). */
export function istft(spectrum, mel) {
  const { n_fft: size, hop_length: hop } = mel;
  const [bins, shape] = [binsOf(mel), hann(mel)];
  const frames = spectrum.re.length / bins;
  const total = new Float64Array((frames - 1) * hop + size);
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  for (let n = 0; n < frames; n += 2) {
    const second = n + 1 < frames ? (n + 1) * bins : -1;
    tangle(spectrum, n * bins, second, re, im);
    fft(im, re); // with both parts swapped a forward transform is the inverse one, times size
    addTo(total, n * hop, re, shape);
    if (second > 0) addTo(total, (n + 1) * hop, im, shape);
  }
  const [windows, start] = [overlappingWindows(frames, mel), (size - hop) >> 1];
  const y = total.subarray(start, start + frames * hop);
  for (let k = 0; k < y.length; k++) y[k] /= windows[start + k];
  return y;
}

function addTo(total, at, frame, shape) {
  const size = frame.length;
  for (let k = 0; k < size; k++) total[at + k] += (frame[k] * shape[k]) / size;
}

/** The whole spectrum of one real signal and i times another, from the bins of both. */
function tangle({ re: fromRe, im: fromIm }, one, two, re, im) {
  const size = re.length;
  for (let k = 0; k <= size / 2; k++) {
    const edge = k === 0 || k === size / 2; // real for a real signal
    const a = fromRe[one + k], b = edge ? 0 : fromIm[one + k];
    const c = two < 0 ? 0 : fromRe[two + k], d = two < 0 || edge ? 0 : fromIm[two + k];
    re[k] = a - d;
    im[k] = b + c;
    if (edge) continue;
    re[size - k] = a + d;
    im[size - k] = c - b;
  }
}

/** Sum of the squared windows over each sample, before its ends are cut off. */
function overlappingWindows(frames, mel) {
  return once(`overlap ${frames}`, mel, () => {
    const [shape, hop] = [hann(mel), mel.hop_length];
    const total = new Float64Array((frames - 1) * hop + mel.n_fft);
    for (let n = 0; n < frames; n++) for (let k = 0; k < mel.n_fft; k++) total[n * hop + k] += shape[k] * shape[k];
    return total;
  });
}

/** The mel picture of a sound (n,): (n_mels, n / hop_length) in [0, 1]. */
export function melPicture(y, mel) {
  const frames = Math.floor(y.length / mel.hop_length);
  const picture = new Float32Array(mel.n_mels * frames);
  const { filters } = melFilters(mel);
  eachSpectrum(y, mel, (n, re, im) => {
    const magnitude = re.map((value, k) => Math.sqrt(value * value + im[k] * im[k]));
    filters.forEach(({ first, values }, m) => {
      let sum = 0;
      for (let k = 0; k < values.length; k++) sum += values[k] * magnitude[first + k];
      const grey = (Math.log(Math.max(sum, 1e-10)) - mel.log_min) / (mel.log_max - mel.log_min);
      picture[(mel.n_mels - 1 - m) * frames + n] = Math.max(0, Math.min(1, grey));
    });
  });
  return picture;
}
