// The scrubber to look at: its parts in one place, what a person does in them, and the keyboard.

const SCROLLING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown"]; // what a page itself does with them
const TYPED_IN = "input, textarea, select, [contenteditable]";

/** Hands a file to the person; its name is made of plain letters only. */
export function saveFile(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Writes state into the parts (`tell`, `playing`, …) and passes on to `on`, a Scrubber, what a
 *  person does. */
export class View {
  constructor(data, stage) {
    this.data = data;
    this.last = data.count - 1;
    this.begun = null; // the step it was first on, and whether the hint has done its work
    this.told = false;
    this.controls = createControls(data);
    this.steps = createSteps(data);
    this.footer = createFooter(data);
    this.live = make("div", { class: "its-hidden", role: "status" });
    this.root = makeRoot("its-scrubber", "Scrubber: see and hear every step",
      createHeader(data), stage.element, this.controls.element, this.steps.element, this.footer, this.live);
  }

  percent(step) {
    return this.last ? (100 * step) / this.last : 50;
  }

  // ---- what a person does ------------------------------------------------------------------------

  bind(on) {
    this.on = on;
    const { controls, root, steps } = this;
    steps.slider.addEventListener("input", () => on.show(Number(steps.slider.value)));
    steps.slider.addEventListener("change", () => root.dispatchEvent(new CustomEvent("its-step", { bubbles: true, detail: on.state.step })));
    controls.play.addEventListener("click", () => on.toggle());
    controls.loop.addEventListener("click", () => this.repeat());
    controls.volume.addEventListener("input", () => on.player.setVolume(Number(controls.volume.value)));
    for (const button of controls.tracks.children) button.addEventListener("click", () => on.choose(button.dataset.track));
    this.offerToSave();
    root.addEventListener("keydown", (event) => this.key(event));
    if (steps.chart) this.bindPlot(steps.chart.element);
  }

  offerToSave() {
    for (const [kind, suffix] of [["picture", "png"], ["sound", "wav"]])
      this.footer.querySelector(`[data-save=${kind}]`).addEventListener("click", () => this.save(kind, suffix));
  }

  /** Says how it was made, once all of that is known. */
  explain(data) {
    const footer = createFooter(data);
    this.footer.replaceWith(footer);
    this.footer = footer;
    this.offerToSave();
  }

  /** A button beside the slider that tells of the step to go on from; step 0 has nothing to keep. */
  offerToGoOn(tell) {
    const button = make("button", { type: "button", class: "its-press its-go-on" });
    button.addEventListener("click", () => tell(this.on.state.step));
    this.steps.note.before((this.goOn = button));
    return button;
  }

  /** The plot is a large handle of the slider: pressing or dragging on it moves the step. */
  bindPlot(plot) {
    const move = (event) => this.on.show(placeOver(plot, event).x * this.last);
    const begin = (event) => {
      this.steps.slider.focus({ preventScroll: true });
      move(event);
    };
    onDrag(plot, { begin, move });
  }

  repeat() {
    this.controls.loop.setAttribute("aria-pressed", String(this.on.loop()));
  }

  async save(kind, suffix) {
    const { step, track } = this.on.state;
    const file = await this.on[kind]();
    if (file) saveFile(file, `${this.data.name}-step-${step}-${track}.${suffix}`);
  }

  /** A key that was pressed here or, in a page of its own, wherever nothing else needs it. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (!this.root.contains(target) && (target.matches(TYPED_IN) || SCROLLING.includes(key))) return;
    const typing = target.matches("input:not(.its-step)");
    const pressed = key === " " && target.matches("button, summary, a") && target !== this.controls.play;
    const action = pressed || (typing && key !== " ") ? null : this.actions()[key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  /** What each key does. */
  actions() {
    const { on, last } = this;
    const by = (stride) => () => on.show(on.state.step + stride);
    const repeat = () => this.repeat();
    const actions = {
      ArrowLeft: by(-1), ArrowDown: by(-1), ArrowRight: by(1), ArrowUp: by(1), PageDown: by(-5), PageUp: by(5),
      Home: () => on.show(0), End: () => on.show(last), Escape: () => on.select(null), l: repeat, L: repeat, " ": () => on.toggle(),
    };
    this.data.tracks.forEach((track, i) => (actions[i + 1] = () => on.choose(track.key)));
    return actions;
  }

  // ---- what is to be seen ------------------------------------------------------------------------

  announce(text) {
    this.live.textContent = text;
  }

  playing(on, seconds) {
    this.root.classList.toggle("its-on", on);
    this.controls.play.setAttribute("aria-label", on ? "Pause" : "Play");
    this.controls.clock.firstChild.textContent = seconds.toFixed(2);
  }

  choose(track) {
    for (const button of this.controls.tracks.children) button.setAttribute("aria-pressed", String(button.dataset.track === track));
  }

  /** Marks on the rail which steps of the shown track are prepared; none once all are. */
  ready(frames) {
    const prepared = [...frames.values()].filter((frame) => frame.bitmap);
    const all = prepared.length === this.data.count;
    const marks = prepared.map((frame) => make("i", { style: `left: ${this.percent(frame.step)}%` }));
    this.steps.ready.replaceChildren(...(all ? [] : marks));
  }

  /** Says which step is asked for, and which frame (or none yet) stands for it. */
  tell({ step, track }, frame) {
    const { data, last, steps } = this;
    if (steps.slider.value !== String(step)) steps.slider.value = step;
    const t = (data.tracks.find((one) => one.key === track).timesteps || data.timesteps)[step];
    steps.where.replaceChildren("step ", make("b", { text: String(step) }), ` of 0–${last}`, make("i", { text: ` noise level t = ${t}` }));
    steps.slider.setAttribute("aria-valuetext", `Step ${step} of 0 to ${last}, noise level ${t}`);
    this.begun ??= step;
    steps.hint.classList.toggle("its-done", (this.told ||= step !== this.begun)); // whoever has moved it knows
    const off = frame && frame.step !== step;
    steps.note.textContent = !frame ? "preparing …" : off ? `showing step ${frame.step}, the nearest prepared` : "";
    steps.slider.parentNode.style.setProperty("--at", `${this.percent(step)}%`);
    steps.cursor.style.left = `${this.percent(step)}%`;
    if (steps.chart) steps.chart.show(step);
    if (!this.goOn) return;
    this.goOn.hidden = !step;
    this.goOn.textContent = `Go on from step ${step}`;
    this.goOn.title = `Make step ${step} and all later ones anew, by the words and settings above; what is before step ${step} stays`;
  }
}
