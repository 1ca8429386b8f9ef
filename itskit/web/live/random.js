// PyTorch's normal numbers on the CPU, so that one seed is one picture here and there.

const [N, M] = [624, 397]; // words of the state, and how far apart two of them meet

/** MT19937 (Matsumoto & Nishimura 1998), seeded as torch.Generator.manual_seed does: by the lower
 *  32 bits of a seed. */
export class MersenneTwister {
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = Number(BigInt.asUintN(32, wholeSeed(seed)));
    for (let k = 1; k < N; k++) {
      const before = this.state[k - 1] ^ (this.state[k - 1] >>> 30);
      this.state[k] = Math.imul(1812433253, before) + k;
    }
    this.at = N;
  }

  twist() {
    const { state } = this;
    for (let k = 0; k < N; k++) {
      const y = (state[k] & 0x80000000) | (state[(k + 1) % N] & 0x7fffffff);
      state[k] = state[(k + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  /** The next whole number of 32 bits. */
  next() {
    if (this.at === N) this.twist();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** The next float32 in [0, 1): 24 bits, as torch.rand draws it. */
  uniform() {
    return (this.next() & 0xffffff) / 0x1000000;
  }
}

/** A seed (number, BigInt or digits) as a BigInt; RangeError for what PyTorch cannot take and for
 *  numbers that JavaScript has rounded. */
export function wholeSeed(seed) {
  const digits = typeof seed === "string" && /^-?\d{1,20}$/.test(seed.trim());
  if (digits || typeof seed === "bigint" || Number.isSafeInteger(seed)) {
    const whole = BigInt(seed);
    if (whole >= -(2n ** 63n) && whole < 2n ** 64n) return whole;
  }
  throw new RangeError(`The seed was ${String(seed).slice(0, 40)}: expected a whole number, such as 7.`);
}

/** What torch.randn(count, generator=torch.Generator().manual_seed(seed)) draws, for 16 numbers or
 *  more: uniform ones first, of which eight and eight become sixteen normal ones (Box & Muller 1958);
 *  where count is no multiple of 16, the last sixteen are drawn anew. Float32Array (count,). */
export function randn(count, seed) {
  if (!(count >= 16)) throw new RangeError(`randn was asked for ${count} numbers: expected 16 or more`);
  const twister = new MersenneTwister(seed);
  const numbers = new Float32Array(count).map(() => twister.uniform());
  for (let k = 0; k + 16 <= count; k += 16) boxMuller(numbers.subarray(k, k + 16));
  if (count % 16) boxMuller(numbers.subarray(count - 16).map(() => twister.uniform()), numbers.subarray(count - 16));
  return numbers;
}

/** Sixteen uniform numbers as sixteen normal ones, in the float32 steps of PyTorch. */
function boxMuller(uniform, normal = uniform) {
  const round = Math.fround;
  for (let k = 0; k < 8; k++) {
    const radius = round(Math.sqrt(-2 * round(Math.log(1 - uniform[k]))));
    const angle = round(round(2 * Math.PI) * uniform[k + 8]);
    normal[k] = radius * round(Math.cos(angle));
    normal[k + 8] = radius * round(Math.sin(angle));
  }
}
