// The engine's own files: fetched with word of how much has come, checked, unpacked.

/** Fetches files, {name, bytes, sha256} each, and tells `progress(loaded, total)` of all together. */
export class Downloads {
  constructor(base, files, progress) {
    Object.assign(this, { base, files, progress, loaded: new Map() });
    this.total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The bytes of a file, unpacked if it is packed. Rejects, in a sentence, if it cannot be had whole. */
  async get(name) {
    const file = this.files.find((one) => one.name === name);
    const packed = await gathered(await this.fetch(file), file.bytes, (loaded) => this.tell(name, Math.min(file.bytes, loaded)));
    this.tell(name, file.bytes);
    const isPacked = packed[0] === 0x1f && packed[1] === 0x8b; // some hosts unpack by themselves
    if (isPacked) await checkWhole(packed, file);
    return isPacked ? gathered(unpacking(packed), file.unpacked) : packed;
  }

  /** The stream of a file's bytes. */
  async fetch({ name }) {
    let answer = null;
    try {
      answer = await fetch(new URL(name, this.base));
    } catch {
      throw new Error(`${name} could not be loaded: look for the network, and load the page again.`);
    }
    if (!answer.ok) throw new Error(`${name} could not be loaded: the host says ${answer.status}.`);
    return answer.body;
  }

  tell(name, loaded) {
    this.loaded.set(name, loaded);
    this.progress([...this.loaded.values()].reduce((a, b) => a + b, 0), this.total);
  }
}

/** All that a stream brings, in one array; `length` is how much that should be. */
async function gathered(stream, length, progress = () => {}) {
  let [found, sum] = [new Uint8Array(length), 0];
  const reader = stream.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    if (sum + chunk.value.length > found.length) {
      const wider = new Uint8Array(2 * (sum + chunk.value.length));
      wider.set(found.subarray(0, sum));
      found = wider;
    }
    found.set(chunk.value, sum);
    progress((sum += chunk.value.length));
  }
  return sum === found.length ? found : found.slice(0, sum);
}

async function checkWhole(packed, { name, bytes, sha256 }) {
  let whole = packed.length === bytes;
  if (whole && crypto.subtle) { // at an address that is not secure the length has to do
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", packed));
    whole = sha256 === Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  if (!whole) throw new Error(`${name} came damaged: load the page again.`);
}

function unpacking(packed) {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  writer.write(packed).then(() => writer.close()).catch(() => {}); // the reader is told
  return readable;
}
