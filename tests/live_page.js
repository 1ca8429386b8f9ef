// What tests of the live page's scripts and engine have in a page.

// ---- typed arrays come in and go out as texts ----------------------------------------------------

window.pack = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
};

window.unpack = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// ---- the engine ----------------------------------------------------------------------------------

/** Begins an engine, which keeps in `log` all that it says; resolves to whether it is ready. */
window.begin = (load) => {
  const worker = new Worker("engine.js", { type: "module" });
  const waiting = [];
  const until = (wanted) => new Promise((done) => waiting.push({ wanted, done }));
  window.engine = { worker, log: [], until };
  const hear = (message) => {
    engine.log.push(message);
    for (const one of waiting.splice(0)) {
      if (one.wanted(message)) one.done(message);
      else waiting.push(one);
    }
  };
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => hear({ type: "error", message: event.message });
  worker.postMessage({ type: "load", base: location.href, ...load });
  return until(({ type, id }) => type === "ready" || (type === "error" && id === undefined));
};

/** Sends a message, and resolves to the next answer of one of these types about it, or to an error. */
window.ask = async (message, ...types) => {
  const mine = ({ id }) => id === message.id || id === undefined;
  const answer = engine.until((one) => [...types, "error"].includes(one.type) && mine(one));
  engine.worker.postMessage(message);
  return window.plain(await answer);
};

/** A message with its typed arrays as texts. */
window.plain = (message) => {
  const text = ([key, value]) => [key, ArrayBuffer.isView(value) ? pack(value) : value];
  return Object.fromEntries(Object.entries(message).map(text));
};

/** The messages of one type about one thing. */
window.told = (id, type) => engine.log.filter((one) => one.id === id && one.type === type).map(plain);

// ---- modules -------------------------------------------------------------------------------------

/** A run of perfect denoisers, as `toys.gaussian` has them: [latent, clean, weights, t] of each step. */
window.toyRun = async ({ shape, guides, latent, count, solver, spacing, firstStep }) => {
  const { sample, SOLVERS } = await import("./sampling.js");
  const { stableDiffusionAlphaBar, timesteps } = await import("./schedule.js");
  const { VIEWS } = await import("./views.js");
  const alphaBar = stableDiffusionAlphaBar();
  const predictNoise = async (x, t, means) => means.map((mean) => {
    const a = alphaBar[t];
    return x.map((value) => (Math.sqrt(1 - a) * (value - Math.sqrt(a) * mean)) / (a * 0.25 + 1 - a));
  });
  const asWeight = (weight) => {
    if (Array.isArray(weight)) return (index) => weight[index];
    return typeof weight === "string" ? unpack(weight) : weight;
  };
  const own = (guide) => ({ ...guide, weight: asWeight(guide.weight), view: VIEWS[guide.view], predictNoise });
  const run = { shape, timesteps: timesteps(count, spacing), alphaBar, solver: SOLVERS[solver], firstStep };
  const found = [];
  for await (const step of sample(guides.map(own), unpack(latent), run))
    found.push([pack(step.latent), pack(step.clean), step.weights, step.t]);
  return found;
};

window.play = async (picture, mel, options) => {
  const { reconstruct } = await import("./griffin_lim.js");
  return pack(reconstruct(picture, mel, options));
};
