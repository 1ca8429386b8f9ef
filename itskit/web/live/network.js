// A worker that runs networks: onnxruntime-web with some sessions. `engine.js` begins one, two or three
// of them, so that both models work at the same time, also where a page may have no threads.

import { answerWith } from "./calls.js";

const ENTRIES = { wasm: "ort/ort.wasm.min.mjs", webgpu: "ort/ort.webgpu.min.mjs" };
const sessions = new Map();
let ort = null;
let device = "wasm";

answerWith({
  /** Loads onnxruntime-web, whose WebAssembly is in `binary`. */
  async begin(where, threads, binary) {
    device = where;
    ort = await import(new URL(ENTRIES[device], import.meta.url).href);
    const loader = device === "wasm" ? "ort-wasm-simd-threaded.mjs" : "ort-wasm-simd-threaded.asyncify.mjs";
    ort.env.logLevel = "error";
    Object.assign(ort.env.wasm, {
      numThreads: threads,
      wasmBinary: binary,
      wasmPaths: { mjs: new URL(`ort/${loader}`, import.meta.url).href },
    });
  },

  /** Makes a network of an ONNX file's bytes ready to run. */
  async load(name, bytes) {
    sessions.set(name, await ort.InferenceSession.create(bytes, {
      executionProviders: [device],
      logSeverityLevel: 3, // errors alone
      enableCpuMemArena: false, // it takes memory for more than there is to come
      extra: { session: { intra_op: { allow_spinning: "0" } } }, // who waits leaves its CPU to others
    }));
  },

  /** Runs a network on tensors by their names, each {data, dims}; its first output, a Float32Array. */
  async run(name, given) {
    const session = sessions.get(name);
    const feeds = {};
    for (const [key, { data, dims }] of Object.entries(given))
      feeds[key] = new ort.Tensor(data instanceof Int32Array ? "int32" : "float32", data, dims);
    const found = (await session.run(feeds))[session.outputNames[0]];
    const data = await found.getData();
    found.dispose();
    return data;
  },
});
