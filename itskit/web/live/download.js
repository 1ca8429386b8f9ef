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
    const packed = await this.fetch(file);
    const whole = packed.length === file.bytes && [file.sha256, ""].includes(await sha256(packed));
    const isPacked = packed[0] === 0x1f && packed[1] === 0x8b;
    if (isPacked && !whole) throw new Error(`${name} came damaged: load the page again.`);
    return isPacked ? unpacked(packed) : packed; // some hosts unpack by themselves
  }

  async fetch({ name, bytes }) {
    let answer = null;
    try {
      answer = await fetch(new URL(name, this.base));
    } catch {
      throw new Error(`${name} could not be loaded: look for the network, and load the page again.`);
    }
    if (!answer.ok) throw new Error(`${name} could not be loaded: the host says ${answer.status}.`);
    const [parts, reader] = [[], answer.body.getReader()];
    for (let chunk = await reader.read(), sum = 0; !chunk.done; chunk = await reader.read()) {
      parts.push(chunk.value);
      this.tell(name, Math.min(bytes, (sum += chunk.value.length)));
    }
    this.tell(name, bytes);
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  tell(name, loaded) {
    this.loaded.set(name, loaded);
    this.progress([...this.loaded.values()].reduce((a, b) => a + b, 0), this.total);
  }
}

async function sha256(bytes) {
  if (!crypto.subtle) return ""; // no secure address: then the length has to do
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
