// What this browser can do, and what its owner may not want it to.

// The smallest module with an instruction of SIMD: v128.const and drop in one function.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, ...Array(16).fill(0), 26, 11];
const LEAST_MEMORY = 2; // GB, as browsers tell it: rounded, and not all of them
const CPUS_FOR_THREADS = 6; // with which each of three networks side by side gets a second thread

/** Why nothing can be composed here, in a sentence; "" where it can. */
export function hindrance() {
  if (typeof WebAssembly === "undefined") return "This browser has no WebAssembly, or it is switched off, so nothing can be composed here.";
  if (!WebAssembly.validate(new Uint8Array(SIMD))) return "This browser's WebAssembly has no SIMD, so composing would take minutes. A browser of 2021 or later has it.";
  if (typeof DecompressionStream === "undefined") return "This browser is too old to unpack the networks. One of 2023 or later can.";
  if (navigator.deviceMemory && navigator.deviceMemory < LEAST_MEMORY) return "This device has too little memory to compose: two networks need about a gigabyte.";
  return "";
}

/** Whether somebody may have to pay for, or wait long for, what is downloaded: then the page asks. */
export function isMetered() {
  const { connection } = navigator;
  if (connection) return Boolean(connection.saveData) || connection.type === "cellular" || /2g|3g/.test(connection.effectiveType || "");
  return window.matchMedia("(pointer: coarse)").matches; // a phone whose browser does not tell
}

/** Whether all of some files (names and bytes) are in the cache already. */
export async function isKept(files) {
  try {
    const cache = await caches.open("itskit-live");
    const keys = new Set((await cache.keys()).map(({ url }) => url));
    return files.every(({ name, sha256 }) => keys.has(new URL(`${name}?${sha256}`, document.baseURI).href));
  } catch {
    return false; // no cache here: a private window, or no secure address
  }
}

/** Whether an isolated page composes more quickly: threads of WASM need one, workers and graphics do not. */
async function threadsHelp() {
  if (window.top !== window || (navigator.hardwareConcurrency || 1) < CPUS_FOR_THREADS) return false;
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return !adapter || Boolean(adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter);
}

/** Once a visit, the page is loaded anew so that the service worker can isolate it; never twice. */
function reloadOnce() {
  try {
    if (sessionStorage.getItem("itskit-isolated")) return;
    sessionStorage.setItem("itskit-isolated", "tried");
  } catch {
    return; // what cannot be remembered might happen again and again
  }
  location.reload();
}

/** Registers the service worker: files are kept for the next visit, without a network too, and the page
 *  gets the two headers that threads need. Resolves once this page is as good as it gets. */
export async function settle() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  try {
    await serviceWorker.register(new URL("../sw.js", import.meta.url));
    await serviceWorker.ready;
    if (!serviceWorker.controller) await new Promise((done) => {
      serviceWorker.addEventListener("controllerchange", done, { once: true });
      setTimeout(done, 3000);
    });
  } catch {
    return; // the page works without it
  }
  if (serviceWorker.controller && !window.crossOriginIsolated && (await threadsHelp())) reloadOnce();
}
