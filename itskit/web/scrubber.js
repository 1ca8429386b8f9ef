// The scrubber itself: see and hear every step of a run under one slider.
//
//   const scrubber = new Scrubber(element, data, { ask });   // builds it
//   scrubber.add({ track, step, picture, sound });           // one prepared step; base64 or bytes
//   scrubber.put({ track, step, bitmap, samples });          // what is decoded of one, or a part of it
//
// `data` is what facts() in itskit/export/scrub.py returns. Every text in it is shown as text.

/** Draws one picture from bytes; Safari's older versions lack createImageBitmap for blobs. */
async function toBitmap(bytes, type) {
  const blob = new Blob([bytes], { type });
  if (window.createImageBitmap) return createImageBitmap(blob);
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  return picture;
}

/** Where it begins: where the data say, as far as that is held; else on the result. */
function startOf({ start, tracks, count }, held) {
  return start && held.some((frame) => frame.track === start.track) ? start : { track: tracks[0].key, step: count - 1 };
}

/** `state` is what is asked for ({step, track}) and the frame that is shown for it; `frames` holds,
 *  track -> step -> {track, step, bitmap, samples}, what has been prepared. `ask` is told of a track
 *  that is not all there, `miss` of a step whose sound would play now if it were there. The `player`
 *  of a scrubber that has retired can go on in the next one. */
export class Scrubber {
  constructor(element, data, { ask = () => {}, miss = () => {}, start, player }) {
    const { rate, seconds, probe } = data;
    Object.assign(this, { data, ask, miss });
    this.asked = new Set();
    this.frames = new Map(data.tracks.map((track) => [track.key, new Map()]));
    this.state = { ...start, shown: null };
    this.stage = new Stage(data);
    this.view = new View(data, this.stage);
    const sounding = { rate, seconds, onchange: () => this.draw() };
    this.player = player ? Object.assign(player, sounding) : new Player(sounding);
    this.player.seamless = Boolean(data.loop);
    this.decode = createDecoder({ rate, seconds, probe: probe && { at: probe.at, bytes: asBytes(probe.sound) } });
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.beat = 0; // the next drawing of the playhead
    this.sounding = null; // the next change of sound
    this.view.bind(this);
    this.stage.on = {
      seek: (at) => this.player.seek(at), select: (region) => this.select(region), position: () => this.player.position(),
      focus: () => this.view.steps.slider.focus({ preventScroll: true }),
    };
    element.replaceChildren(this.view.root);
    this.view.root.scrubber = this;
    this.choose(this.state.track);
    this.draw();
  }

  // ---- frames ------------------------------------------------------------------------------------

  /** Takes one prepared step; resolves when its picture and its sound are decoded. */
  async add({ track, step, picture, sound }) {
    const held = this.frames.get(track);
    if (!held || held.has(step)) return;
    const frame = { track, step };
    held.set(step, frame);
    const pictured = toBitmap(asBytes(picture), this.data.types.picture).then((bitmap) => {
      frame.bitmap = bitmap;
      if (track === this.state.track) this.view.ready(held);
    });
    const sounded = this.decode(asBytes(sound)).then((samples) => (frame.samples = samples));
    const shown = [pictured, sounded].map((one) => one.then(() => track === this.state.track && this.show()));
    const failed = (await Promise.allSettled(shown)).find((one) => one.status === "rejected");
    if (failed) this.view.announce(`Step ${step} cannot be shown or played here: ${failed.reason}`);
  }

  /** Takes what is decoded of a step: its bitmap, its samples or both. */
  put({ track, step, ...decoded }) {
    const held = this.frames.get(track);
    held.set(step, Object.assign(held.get(step) || { track, step }, decoded));
    if (track !== this.state.track) return;
    this.view.ready(held);
    this.show();
  }

  /** The prepared frame nearest to the step that is asked for. */
  nearest(ready) {
    const { step, track } = this.state;
    const away = (frame) => Math.abs(frame.step - step);
    let best = null;
    for (const frame of this.frames.get(track).values())
      if (ready(frame) && (!best || away(frame) < away(best))) best = frame;
    return best;
  }

  // ---- looking -----------------------------------------------------------------------------------

  /** Shows a step at once; its sound follows right after the picture is on the screen. */
  show(step = this.state.step, track = this.state.track) {
    const { player, state } = this;
    Object.assign(state, { step: clamp(Math.round(step), 0, this.data.count - 1), track });
    const frame = this.nearest((one) => one.bitmap);
    if (frame && frame !== state.shown) this.stage.paint(frame.bitmap);
    state.shown = frame;
    this.view.tell(state, frame);
    // A wide region takes a while to cut out: then the sound waits until the hand rests a moment.
    const slow = player.cost > 8;
    if (slow) clearTimeout(this.sounding);
    else if (this.sounding) return;
    this.sounding = setTimeout(() => requestAnimationFrame(() => setTimeout(() => this.speak())), slow ? 80 : 0);
  }

  speak() {
    this.sounding = null;
    if (this.retired) return;
    const frame = this.nearest((one) => one.samples);
    if (frame) this.player.setSound(frame.samples);
    if (frame?.step !== this.state.step) this.miss(this.state);
  }

  choose(track) {
    const held = this.frames.get(track);
    if (held.size < this.data.count && !this.asked.has(track)) {
      this.asked.add(track);
      this.ask({ track });
    }
    this.view.choose(track);
    this.view.ready(held);
    this.show(this.state.step, track);
  }

  // ---- listening ---------------------------------------------------------------------------------

  toggle() {
    return this.player.playing ? this.player.pause() : this.player.play();
  }

  loop() {
    this.player.setLoop(!this.player.loop);
    return this.player.loop;
  }

  select(region) {
    this.player.setRegion(region);
    if (region) this.player.play();
    this.stage.select(region);
    this.view.announce(region ? `Playing only ${this.stage.describe(region)}` : "Playing the whole sound");
    this.draw();
  }

  draw() {
    const { player } = this;
    const heard = player.heard();
    this.view.playing(player.playing, heard);
    this.stage.sweep(heard, player.playing);
    if (!player.playing || this.beat) return;
    const next = () => {
      this.beat = 0;
      player.tick();
      this.draw();
    };
    this.beat = this.calm.matches ? setTimeout(next, 250) : requestAnimationFrame(next);
  }

  // ---- keeping -----------------------------------------------------------------------------------

  picture() {
    return this.stage.file();
  }

  sound() {
    const { samples, region, rate, seamless } = this.player;
    return samples && wav(cut(samples, rate, region, seamless), rate);
  }

  /** Leaves the page; its player goes on, for whoever takes it over. */
  retire() {
    this.retired = true;
    clearTimeout(this.sounding);
    clearTimeout(this.beat);
    cancelAnimationFrame(this.beat);
    this.view.root.remove();
    return this.player;
  }

  remove() {
    this.retire().close();
  }
}

/** A page's whole start: the frames are all there; those near the first sight come first, and its
 *  keys work wherever the focus is. */
export async function mountPage(element, data) {
  const start = startOf(data, data.frames);
  const scrubber = new Scrubber(element, data, { start });
  document.addEventListener("keydown", (event) => element.contains(event.target) || scrubber.view.key(event));
  const away = (frame) => (frame.track !== start.track) * data.count + Math.abs(frame.step - start.step);
  for (const frame of [...data.frames].sort((a, b) => away(a) - away(b))) await scrubber.add(frame);
  scrubber.complete = true;
  return scrubber;
}

/** The notebook's start: frames arrive as messages of the model, pictures and sounds as bytes. */
function render({ model, el }) {
  const data = model.get("facts");
  const first = model.get("first");
  const start = { ...startOf(data, first), step: model.get("step") };
  const scrubber = new Scrubber(el, data, { start, ask: (question) => model.send({ type: "ask", ...question }) });
  const receive = (message, buffers) => {
    if (message.type === "frame") scrubber.add({ ...message, picture: buffers[0], sound: buffers[1] });
  };
  model.on("msg:custom", receive);
  const stops = [follow(model, ["step"], () => scrubber.show(model.get("step")))];
  if (model.get("goes_on")) {
    const button = scrubber.view.offerToGoOn((step) => model.send({ type: "go on", step }));
    stops.push(follow(model, ["busy"], () => (button.disabled = model.get("busy"))));
    scrubber.show();
  }
  el.addEventListener("its-step", (event) => write(model, "step", event.detail));
  for (const frame of first) scrubber.add(frame);
  return () => {
    model.off("msg:custom", receive);
    for (const stop of stops) stop();
    scrubber.remove();
  };
}

export default { render };
