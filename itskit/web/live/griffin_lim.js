// Sound from mel pictures: itskit/audio/griffin_lim.py in JavaScript, where the letters are explained.

import { binsOf, istft, melFilters, melMagnitudes, eachSpectrum, stft } from "./mel.js";

/** A sound (frames * hop_length,) whose mel picture is as near to `picture` (n_mels, frames) as
 *  possible: fast Griffin-Lim (Griffin & Lim 1984; Perraudin, Balazs & Søndergaard 2013), in which a
 *  picture does not fix the magnitude of every bin but only what the mel filters see of it.
 *
 *  `turn` in radians decides the phase that the picture leaves open. `near` is the sound of a similar
 *  picture: its phase is taken for a start, and few rounds do. */
export function reconstruct(picture, mel, { rounds = 32, turn = 0, near = null } = {}) {
  const target = melMagnitudes(picture, mel); // (frames, n_mels)
  const magnitude = firstMagnitude(target, mel, near ? 2 : 6); // (frames, bins)
  const spectrum = near ? withPhaseOf(stft(near, mel), magnitude) : withGuessedPhase(magnitude, mel, turn);
  const previous = { re: new Float64Array(magnitude.length), im: new Float64Array(magnitude.length) };
  for (let round = 0; round < rounds; round++) goOn(spectrum, previous, target, mel, round ? 0.9 : 0);
  return Float32Array.from(istft(spectrum, mel));
}

/** One round: through the waveform, `onward` in the direction of the last change, and each bin scaled
 *  towards the picture. Writes into `spectrum`, and into `previous` what the waveform said. */
function goOn(spectrum, previous, target, mel, onward) {
  const [bins, towards] = [binsOf(mel), gainTowards(mel)];
  const size = new Float64Array(bins);
  eachSpectrum(istft(spectrum, mel), mel, (n, re, im) => {
    const first = n * bins;
    for (let k = 0, at = first; k < bins; k++, at++) {
      const x = re[k] + onward * (re[k] - previous.re[at]);
      const y = im[k] + onward * (im[k] - previous.im[at]);
      previous.re[at] = re[k];
      previous.im[at] = im[k];
      spectrum.re[at] = x;
      spectrum.im[at] = y;
      size[k] = Math.sqrt(x * x + y * y);
    }
    const gain = towards(target, n * mel.n_mels, size);
    for (let k = 0, at = first; k < bins; k++, at++) {
      spectrum.re[at] *= gain[k];
      spectrum.im[at] *= gain[k];
    }
  });
}

/** A function (target, at, magnitude (bins,)) -> factors (bins,) that bring a frame's magnitude nearer
 *  to its mel magnitudes, which begin in `target` at `at`: the multiplicative update of Lee & Seung
 *  2001. Below black all levels are alike. Its answer is good until the next. */
function gainTowards(mel) {
  const [{ filters, perBin }, black, gain] = [melFilters(mel), Math.exp(mel.log_min), new Float64Array(binsOf(mel))];
  return (target, at, magnitude) => {
    gain.fill(0);
    for (let m = 0; m < filters.length; m++) {
      const { first, values } = filters[m];
      let present = 0;
      for (let k = 0; k < values.length; k++) present += values[k] * magnitude[first + k];
      const ratio = Math.max(target[at + m], black) / Math.max(present, black);
      for (let k = 0; k < values.length; k++) gain[first + k] += values[k] * ratio;
    }
    for (let k = 0; k < gain.length; k++) gain[k] /= Math.max(perBin[k], 1e-8);
    return gain;
  };
}

/** Magnitude (frames, bins): what the filters would spread, sharpened in some multiplicative steps. */
function firstMagnitude(target, mel, steps) {
  const [{ filters }, bins, towards] = [melFilters(mel), binsOf(mel), gainTowards(mel)];
  const frames = target.length / mel.n_mels;
  const magnitude = new Float64Array(frames * bins);
  for (let n = 0; n < frames; n++) {
    const [frame, at] = [magnitude.subarray(n * bins, (n + 1) * bins), n * mel.n_mels];
    filters.forEach(({ first, values, sum }, m) => {
      for (let k = 0; k < values.length; k++) frame[first + k] += (values[k] * target[at + m]) / sum;
    });
    for (let step = 0; step < steps; step++) towards(target, at, frame).forEach((gain, k) => (frame[k] *= gain));
  }
  return magnitude;
}

/** The spectrum of a magnitude with the phase of another spectrum. */
function withPhaseOf({ re, im }, magnitude) {
  const size = re.map((value, k) => Math.sqrt(value * value + im[k] * im[k]));
  return {
    re: magnitude.map((value, k) => (size[k] ? (value * re[k]) / size[k] : value)),
    im: magnitude.map((value, k) => (size[k] ? (value * im[k]) / size[k] : 0)),
  };
}

/** The spectrum of a magnitude (frames, bins) with a phase that is guessed from the slopes of its
 *  logarithm (Průša, Balazs & Søndergaard 2017). Frame follows frame; each bin averages, weighted by
 *  magnitude, what its predecessor, both neighbours and a pulse struck in this frame would say. */
function withGuessedPhase(magnitude, mel, turn) {
  const bins = binsOf(mel);
  const { along, across } = phaseSlopes(magnitude, mel);
  const spectrum = { re: new Float64Array(magnitude.length), im: new Float64Array(magnitude.length) };
  let [re, im] = [new Float64Array(bins), new Float64Array(bins)];
  for (let n = 0, at = 0; at < magnitude.length; n++, at += bins) {
    const S = magnitude.subarray(at, at + bins);
    for (let k = 0, phase = turn; k < bins; k++) {
      phase += across[at + k];
      const onward = n ? (along[at - bins + k] + along[at + k]) / 2 : 0;
      const [x, y] = n ? [re[k], im[k]] : [0, 0];
      re[k] = 0.5 * S[k] * Math.cos(phase) + x * Math.cos(onward) - y * Math.sin(onward);
      im[k] = 0.5 * S[k] * Math.sin(phase) + x * Math.sin(onward) + y * Math.cos(onward);
    }
    [re, im] = withNeighbours(re, im, S, across.subarray(at, at + bins));
    spectrum.re.set(re, at);
    spectrum.im.set(im, at);
  }
  return spectrum;
}

/** A frame's spectrum of magnitude S (bins,), in which each bin has listened to those beside it. */
function withNeighbours(re, im, S, across) {
  const [ownRe, ownIm] = ofMagnitude(re, im, S);
  const [sumRe, sumIm] = [re.slice(), im.slice()];
  for (let k = 1; k < S.length; k++) {
    const upward = (across[k] + across[k - 1]) / 2;
    const [cos, sin] = [Math.cos(upward), Math.sin(upward)];
    sumRe[k] += ownRe[k - 1] * cos - ownIm[k - 1] * sin;
    sumIm[k] += ownRe[k - 1] * sin + ownIm[k - 1] * cos;
    sumRe[k - 1] += ownRe[k] * cos + ownIm[k] * sin;
    sumIm[k - 1] += ownIm[k] * cos - ownRe[k] * sin;
  }
  return ofMagnitude(sumRe, sumIm, S);
}

function ofMagnitude(re, im, S) {
  const scale = S.map((value, k) => value / Math.max(Math.sqrt(re[k] ** 2 + im[k] ** 2), 1e-20));
  return [re.map((value, k) => value * scale[k]), im.map((value, k) => value * scale[k])];
}

/** How fast the phase turns along the frames (radians a frame) and across the bins (radians a bin),
 *  each (frames, bins). */
function phaseSlopes(magnitude, mel) {
  const bins = binsOf(mel);
  const [frames, loudest] = [magnitude.length / bins, magnitude.reduce((a, b) => Math.max(a, b), 0)];
  const log = magnitude.map((value) => Math.log(Math.max(value, 1e-5 * loudest + 1e-9)));
  const at = (n, k) => log[Math.max(0, Math.min(frames - 1, n)) * bins + Math.max(0, Math.min(bins - 1, k))];
  const ratio = (mel.hop_length * mel.n_fft) / (0.25645 * mel.win_length ** 2); // a Hann window resembles a Gaussian
  const [along, across] = [new Float64Array(log.length), new Float64Array(log.length)];
  for (let n = 0; n < frames; n++) for (let k = 0; k < bins; k++) {
    const perFrame = (at(n + 1, k) - at(n - 1, k)) / 2;
    const perBin = (at(n, k + 1) - at(n, k - 1)) / 2;
    along[n * bins + k] = ((2 * Math.PI * mel.hop_length) / mel.n_fft) * k + ratio * perBin;
    across[n * bins + k] = -Math.PI - perFrame / ratio;
  }
  return { along, across };
}
