// The networks, shared out over workers, so that they work side by side without threads, too: a lane for
// the picture model, one for the sound model, one for the decoder if there are CPUs enough; or one for all.

import { Remote } from "./calls.js";
import { Downloads } from "./download.js";

const LANE = { text_encoder: 0, image_unet: 0, sound_unet: 1, decoder: 2, encoder: 2 };
const CPUS_FOR_THREE = 4; // each lane costs memory, some 100 MB
const MOST_CPUS = 8;
const BINARY = { wasm: "ort/ort-wasm-simd-threaded.wasm.gz", webgpu: "ort/ort-wasm-simd-threaded.asyncify.wasm.gz" };

/** The device to try first: "webgpu" where there is one that is no emulation, if "auto" leaves it open. */
export async function chooseDevice(wanted) {
  if (wanted !== "auto") return wanted;
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter && !adapter.info.isFallbackAdapter && !adapter.isFallbackAdapter ? "webgpu" : "wasm";
  } catch {
    return "wasm"; // a browser that has it, on a machine that has not
  }
}

/** How many CPUs to use: those that were asked for, 0 for all that help. */
export const cpusFor = (threads) => Math.min(MOST_CPUS, threads || navigator.hardwareConcurrency || 1);

export class Lanes {
  constructor(device, cpus) {
    this.device = device;
    const count = device === "webgpu" || cpus === 1 ? 1 : cpus < CPUS_FOR_THREE ? 2 : 3;
    this.each = self.crossOriginIsolated && count > 1 ? Math.max(1, Math.floor(cpus / count)) : 1; // threads
    this.threads = Math.min(cpus, this.each * count);
    this.workers = Array.from({ length: count }, () => new Remote(new URL("network.js", import.meta.url)));
  }

  /** Fetches all networks and makes them ready; the other files that were fetched on the way, by name. */
  async load(base, about, progress) {
    const wanted = about.files.filter(({ name }) => !Object.values(BINARY).includes(name) || name === BINARY[this.device]);
    const downloads = new Downloads(base, wanted, progress);
    const binary = downloads.get(BINARY[this.device]);
    const begun = this.workers.map(async (worker) => worker.call("begin", this.device, this.each, await binary));
    const networks = Object.keys(LANE).map(async (name) => {
      const bytes = await downloads.get(`networks/${name}.onnx.gz`);
      await begun[this.lane(name)];
      await this.workers[this.lane(name)].lend([bytes.buffer], "load", name, bytes);
    });
    const others = wanted.map(({ name }) => name).filter((name) => !name.startsWith("networks/") && name !== BINARY[this.device]);
    const [found] = await Promise.all([Promise.all(others.map((name) => downloads.get(name))), ...begun, ...networks]);
    return Object.fromEntries(others.map((name, k) => [name, found[k]]));
  }

  lane(network) {
    return Math.min(LANE[network], this.workers.length - 1);
  }

  /** What a network answers; rejects, in a sentence, if it cannot: memory may have run out. */
  async run(network, tensors) {
    try {
      return await this.workers[this.lane(network)].call("run", network, tensors);
    } catch (error) {
      throw new Error(`The network ${network} failed (${error.message}): close other pages, and load this one again.`);
    }
  }

  end() {
    for (const { worker } of this.workers) worker.terminate();
  }
}
