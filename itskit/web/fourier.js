// The Fourier transform, of sounds in pages and in the live page's engine.

const plans = new Map(); // n -> what a transform of that size needs: the same few come again and again

function planFor(n) {
  if (!plans.has(n)) {
    const wave = (shape) => Float64Array.from({ length: n }, (_, k) => shape((-2 * Math.PI * k) / n));
    const order = new Uint32Array(n); // each place with its bits turned round
    for (let k = 1; k < n; k++) order[k] = (order[k >> 1] >> 1) | (k & 1 ? n >> 1 : 0);
    plans.set(n, { cos: wave(Math.cos), sin: wave(Math.sin), order });
  }
  return plans.get(n);
}

/** In-place Fourier transform by fours (Cooley & Tukey 1965); re and im have the same power-of-two
 *  length. */
export function fft(re, im) {
  const n = re.length;
  const plan = planFor(n);
  for (let i = 0; i < n; i++) {
    const j = plan.order[i];
    if (i >= j) continue;
    const [a, b] = [re[i], im[i]];
    re[i] = re[j];
    im[i] = im[j];
    re[j] = a;
    im[j] = b;
  }
  let length = 1; // of the parts that are transformed already
  if (Math.log2(n) % 2) {
    byTwos(re, im);
    length = 2;
  }
  for (; length < n; length *= 4) byFours(re, im, length, plan);
}

function byTwos(re, im) {
  for (let i = 0; i < re.length; i += 2) {
    const [x, y] = [re[i + 1], im[i + 1]];
    re[i + 1] = re[i] - x;
    im[i + 1] = im[i] - y;
    re[i] += x;
    im[i] += y;
  }
}

/** Joins each four parts a, b, c, d of some length, of which b holds what stands halfway in a. */
function byFours(re, im, length, { cos, sin }) {
  const stride = re.length / (4 * length);
  for (let j = 0; j < length; j++) {
    const w = j * stride;
    const c1 = cos[w], s1 = sin[w], c2 = cos[2 * w], s2 = sin[2 * w], c3 = cos[3 * w], s3 = sin[3 * w];
    for (let a = j; a < re.length; a += 4 * length) {
      const b = a + length, c = b + length, d = c + length;
      const bx = re[b] * c2 - im[b] * s2, by = re[b] * s2 + im[b] * c2;
      const cx = re[c] * c1 - im[c] * s1, cy = re[c] * s1 + im[c] * c1;
      const dx = re[d] * c3 - im[d] * s3, dy = re[d] * s3 + im[d] * c3;
      const px = re[a] + bx, py = im[a] + by, qx = re[a] - bx, qy = im[a] - by;
      const rx = cx + dx, ry = cy + dy, tx = cx - dx, ty = cy - dy;
      re[a] = px + rx;
      im[a] = py + ry;
      re[b] = qx + ty;
      im[b] = qy - tx;
      re[c] = px - rx;
      im[c] = py - ry;
      re[d] = qx - ty;
      im[d] = qy + tx;
    }
  }
}
