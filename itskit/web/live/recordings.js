// Recordings as the sound model was taught with them: `fit_sound` and `analyse_sound` in JavaScript.

const LEVEL = 10 ** (-23 / 20); // of sounds, as a root mean square
const PAUSE_DB = 30; // frames so far below the loudest are pauses
const [SILENT, FAINT] = [10 ** (-70 / 20), 10 ** (-50 / 20)];

/** Samples (n,) at mel.sr Hz as long as so many columns, without their mean, and what is no pause at
 *  -23 dBFS; silence stays silent. */
export function asHeard(samples, mel, frames) {
  const y = new Float64Array(frames * mel.hop_length);
  const part = samples.subarray(0, y.length);
  const mean = part.reduce((a, b) => a + b, 0) / part.length;
  y.set(part);
  for (let k = 0; k < part.length; k++) y[k] -= mean;
  const whole = y.reduce((a, b) => a + b, 0) / y.length;
  const centred = y.map((value) => value - whole);
  const level = loudRms(centred, mel.sr);
  const gain = level < SILENT ? 1 : (LEVEL / Math.max(1e-9, level)) * Math.min(1, level / FAINT);
  return centred.map((value) => value * gain);
}

/** Root mean square of samples (n,) without the pauses: over those frames of 20 ms that are within 30 dB
 *  of the loudest. */
export function loudRms(y, sr) {
  const size = Math.min(y.length, Math.round(0.02 * sr));
  const powers = Array.from({ length: Math.floor(y.length / size) }, (_, n) =>
    y.subarray(n * size, (n + 1) * size).reduce((sum, value) => sum + value * value, 0) / size);
  const loudest = powers.reduce((a, b) => Math.max(a, b), 0);
  const heard = powers.filter((power) => power >= loudest * 10 ** (-PAUSE_DB / 10));
  return Math.sqrt(heard.reduce((a, b) => a + b, 0) / heard.length);
}
