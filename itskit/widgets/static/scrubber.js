// Chapter 5 of the scrubber: the instrument itself.
//
//   const scrubber = mount(element, data, { ask });   // builds it
//   scrubber.add({ track, step, picture, sound });    // one prepared step; base64 or bytes
//
// `data` is what facts() in itskit/export/scrub.py returns. Every text in it is shown as text.

const asBytes = (value) => {
  if (typeof value === "string") return Uint8Array.from(atob(value), (c) => c.charCodeAt(0));
  return value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
};

/** Draws one picture from bytes; Safari's older versions lack createImageBitmap for blobs. */
async function toBitmap(bytes, type) {
  const blob = new Blob([bytes], { type });
  if (window.createImageBitmap) return createImageBitmap(blob);
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  return picture;
}

export function mount(element, data, { ask = () => {}, step: begin = data.count - 1, track = data.tracks[0].key } = {}) {
  const last = data.count - 1;
  const store = new Map(data.tracks.map((track) => [track.key, new Map()])); // track -> step -> frame
  const stage = createStage(data);
  const view = buildView(data, stage);
  const player = new Player({ rate: data.rate, seconds: data.seconds, onchange: () => draw() });
  const decode = createDecoder({ rate: data.rate, seconds: data.seconds, probe: data.probe && { at: data.probe.at, bytes: asBytes(data.probe.sound) } });
  const state = { step: begin, track, shown: null };
  const stopTheme = followTheme(view.root);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const wanted = new Set();

  /** The prepared frame nearest to the step that is asked for. */
  function nearest(ready) {
    let best = null;
    for (const frame of store.get(state.track).values())
      if (ready(frame) && (!best || Math.abs(frame.step - state.step) < Math.abs(best.step - state.step))) best = frame;
    return best;
  }

  /** Shows a step at once; its sound follows right after the picture is on the screen. */
  function show(step = state.step, track = state.track) {
    state.step = clamp(Math.round(step), 0, last);
    state.track = track;
    const frame = nearest((f) => f.bitmap);
    if (frame && frame !== state.shown) stage.paint(frame.bitmap);
    state.shown = frame;
    view.tell(state, frame);
    // A wide region takes a while to cut out: then the sound waits until the hand rests a moment.
    if (player.cost > 8) clearTimeout(state.sounding);
    else if (state.sounding) return;
    state.sounding = setTimeout(() => requestAnimationFrame(() => setTimeout(sound)), player.cost > 8 ? 80 : 0);
  }

  function sound() {
    state.sounding = null;
    const frame = nearest((f) => f.samples);
    if (frame) player.setSound(frame.samples);
  }

  /** Takes one prepared step; resolves when its picture and its sound are decoded. */
  async function add({ track, step, picture, sound: bytes }) {
    if (!store.has(track) || store.get(track).has(step)) return;
    const frame = { track, step };
    store.get(track).set(step, frame);
    const pictured = toBitmap(asBytes(picture), data.types.picture).then((bitmap) => {
      frame.bitmap = bitmap;
      if (track !== state.track) return;
      view.ready(store.get(track));
      show();
    });
    const sounded = decode(asBytes(bytes)).then((samples) => {
      frame.samples = samples;
      if (track === state.track) show();
    });
    const done = await Promise.allSettled([pictured, sounded]);
    const failed = done.find((one) => one.status === "rejected");
    if (failed) view.announce(`Step ${step} cannot be shown or played here: ${failed.reason}`);
  }

  function choose(track) {
    if (store.get(track).size < data.count && !wanted.has(track)) {
      wanted.add(track);
      ask({ track });
    }
    view.choose(track);
    view.ready(store.get(track));
    show(state.step, track);
  }

  const toggle = () => (player.playing ? player.pause() : player.play());
  function select(region) {
    player.setRegion(region);
    if (region) player.play();
    stage.select(region);
    view.announce(region ? `Playing only ${stage.describe(region)}` : "Playing the whole sound");
    draw();
  }

  let beat = 0;
  function draw() {
    view.playing(player.playing);
    stage.playhead(player.heard(), player.playing);
    view.time(player.heard());
    if (player.playing && !beat)
      beat = calm.matches ? setTimeout(next, 250) : requestAnimationFrame(next);
  }
  function next() {
    beat = 0;
    player.tick();
    draw();
  }

  view.bind({
    show, choose, toggle, player,
    loop: () => { player.setLoop(!player.loop); return player.loop; },
    clear: () => select(null),
    picture: stage.file,
    sound: async () => player.samples && wav(cut(player.samples, data.rate, player.region), data.rate),
    state, last,
  });
  stage.bind({ seek: (seconds) => player.seek(seconds), select, focus: () => view.slider.focus({ preventScroll: true }), position: () => player.position() });
  element.replaceChildren(view.root);
  choose(state.track);
  draw();

  const handle = {
    add, show, choose, select, player, state, frames: store, key: view.key,
    remove() {
      clearTimeout(beat);
      cancelAnimationFrame(beat);
      stopTheme();
      player.close();
      view.root.remove();
    },
  };
  view.root.scrubber = handle;
  return handle;
}

/** A page's whole start: the frames are all there; those near the first sight come first. It begins
 *  where `data.start` says, as far as that is held, and its keys work wherever the focus is. */
export async function mountPage(element, data) {
  const held = data.start && data.frames.some((frame) => frame.track === data.start.track);
  const scrubber = mount(element, data, held ? data.start : {});
  document.addEventListener("keydown", (event) => element.contains(event.target) || scrubber.key(event));
  const { track, step } = scrubber.state;
  const order = [...data.frames].sort((a, b) => (a.track !== track) - (b.track !== track) || Math.abs(a.step - step) - Math.abs(b.step - step));
  for (const frame of order) await scrubber.add(frame);
  scrubber.complete = true;
  return scrubber;
}

/** The notebook's start: frames arrive as messages of the model, pictures and sounds as bytes. */
function render({ model, el }) {
  const data = model.get("facts");
  const scrubber = mount(el, data, { ask: (question) => model.send({ type: "ask", ...question }), step: model.get("step") });
  const receive = (message, buffers) => {
    if (message.type === "frame") scrubber.add({ ...message, picture: buffers[0], sound: buffers[1] });
  };
  const follow = () => scrubber.show(model.get("step"));
  model.on("msg:custom", receive);
  model.on("change:step", follow);
  el.addEventListener("its-step", (event) => {
    model.set("step", event.detail);
    model.save_changes();
  });
  for (const frame of model.get("first")) scrubber.add(frame);
  return () => {
    model.off("msg:custom", receive);
    model.off("change:step", follow);
    scrubber.remove();
  };
}

export default { render };
