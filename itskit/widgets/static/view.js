// Chapter 4 of the scrubber: everything around the picture, and the keyboard.

const ICONS = {
  play: "M8 5.2v13.600l11-6.800z",
  pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z",
  loop: "M16 3.500l4 3.500-4 3.500V8H8a3 3 0 0 0-3 3v1H3v-1a5 5 0 0 1 5-5h8zM8 20.500L4 17l4-3.500V16h8a3 3 0 0 0 3-3v-1h2v1a5 5 0 0 1-5 5H8z",
  volume: "M4 9.500v5h3.500L12 19V5L7.500 9.500zM14.500 8.200a5 5 0 0 1 0 7.600z",
  eye: "M12 5.500C7 5.500 3.200 9.300 2 12c1.200 2.700 5 6.500 10 6.500s8.800-3.800 10-6.500c-1.200-2.700-5-6.500-10-6.500zm0 10.500a4 4 0 1 1 0-8 4 4 0 0 1 0 8z",
  ear: "M4 10h2v4H4zM8 7h2v10H8zM12 3.500h2v17h-2zM16 7h2v10h-2zM20 10h2v4h-2z",
};

const SCROLLING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown"]; // what a page itself does with them
const HOME = "https://github.com/itskit/itskit";

const icon = (name) =>
  make("svg", { viewBox: "0 0 24 24", class: `its-icon its-icon-${name}`, "aria-hidden": "true", focusable: "false" }, make("path", { d: ICONS[name] }));

function createHeader(data) {
  const header = make("header", { class: "its-header" });
  data.prompts.forEach((prompt, g) => {
    const text = make("span", { class: "its-prompt", dir: "auto", text: prompt.text });
    const kind = prompt.sense === "hear" ? "ear" : "eye";
    const line = make("p", { style: `--series: var(--its-guide-${g})` }, icon(kind), make("span", { class: "its-hidden", text: `${prompt.sense}: ` }), text);
    if (prompt.negative) line.append(make("span", { class: "its-negative", dir: "auto", text: `not: ${prompt.negative}` }));
    header.append(line);
  });
  header.append(make("p", { class: "its-score", text: "This picture is the score of its own sound: time runs to the right, and the higher up, the higher the pitch." }));
  return header;
}

function createControls(data) {
  const play = make("button", { type: "button", class: "its-play", "aria-label": "Play", title: "Play or pause (space)" }, icon("play"), icon("pause"));
  const clock = make("span", { class: "its-clock" }, make("b", { text: "0.00" }), ` / ${data.seconds.toFixed(2)} s`);
  const loop = make("button", { type: "button", class: "its-loop", "aria-label": "Repeat", title: "Repeat (L)", "aria-pressed": "true" }, icon("loop"));
  const tracks = make("div", { class: "its-tracks", role: "group", "aria-label": "What to look at and listen to" });
  data.tracks.forEach((track, i) => tracks.append(make("button", {
    type: "button", "data-track": track.key, "aria-pressed": "false", title: `${track.hint} (${i + 1})`, text: track.label,
  })));
  const volume = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.5, "aria-label": "Volume", class: "its-range" });
  const element = make("div", { class: "its-controls" }, play, clock, loop, tracks, make("label", { class: "its-volume", title: "Volume" }, icon("volume"), volume));
  return { element, play, clock, loop, tracks, volume };
}

function createSteps(data) {
  const last = data.count - 1;
  const slider = make("input", { type: "range", min: 0, max: last, step: 1, value: last, "aria-label": "Denoising step", class: "its-range its-step" });
  const ready = make("div", { class: "its-ready", "aria-hidden": "true" });
  const where = make("span", { class: "its-where" });
  const note = make("span", { class: "its-note", "aria-live": "polite" });
  const chart = data.diagnosis ? createChart(data.diagnosis) : null;
  const cursor = make("div", { class: "its-cursor", "aria-hidden": "true" });
  const hint = make("p", { class: "its-hint", text: last ? "Drag this slider: the picture comes out of noise, and its sound with it." : "" });
  const curves = chart && make("details", { class: "its-curves" },
    make("summary", { text: "The tug-of-war of the two models, as curves" }),
    make("div", { class: "its-plot" }, chart.element, cursor), chart.legend);
  const element = make("section", { class: "its-steps", "aria-label": "Steps" },
    make("div", { class: "its-line-up" }, where, note),
    make("div", { class: "its-rail" }, ready, slider), hint, ...(chart ? [curves] : []));
  return { element, slider, ready, where, note, hint, chart, cursor };
}

/** A line to copy: its text, and a button that puts it on the clipboard, or marks it where it may not. */
function createLine(label, text) {
  const code = make("code", { text, translate: "no" });
  const button = make("button", { type: "button", class: "its-copy", text: "Copy", "aria-label": `Copy the line for ${label}` });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Marked";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return make("div", { class: "its-line-of" }, make("span", { text: label }), button, make("pre", { tabindex: 0 }, code));
}

/** The recipe as a list of names and values, flat enough to read. */
function createFooter(data) {
  const list = make("dl");
  for (const [name, value] of Object.entries(data.recipe || {})) {
    if (value === null || value === undefined || value === "") continue;
    const whole = typeof value === "object" ? JSON.stringify(value) : String(value);
    const text = whole.length > 600 ? `${whole.slice(0, 600)} …` : whole; // a map of weights is long
    list.append(make("dt", { text: name.replaceAll("_", " ") }), make("dd", { dir: "auto", text }));
  }
  const keys = "← → step · space play · Home End first and last · 1–" + data.tracks.length + " tracks · L repeat · Esc whole sound · drag on the picture to hear only that part";
  return make("footer", { class: "its-footer" },
    make("details", {}, make("summary", { text: "How it was made" }), list),
    ...(data.again ? [make("details", { class: "its-again" }, make("summary", { text: "Make it again" }), createLine("Python", data.again.python), createLine("the command line", data.again.shell))] : []),
    make("details", {}, make("summary", { text: "Keys" }), make("p", { text: keys })),
    make("button", { type: "button", "data-save": "picture", text: "Save picture", title: "The picture of this step as PNG" }),
    make("button", { type: "button", "data-save": "sound", text: "Save sound", title: "What plays now, the region if there is one, as WAV" }),
    make("p", { class: "its-from" }, "Made with ", make("a", { href: HOME, target: "_blank", rel: "noopener", text: "itskit" }), ", images that sound"));
}

/** Hands a file to the person; its name is made of plain letters only. */
function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Builds the whole; `tell`, `playing`, … write state into it, `bind` connects the actions. */
export function buildView(data, stage) {
  const controls = createControls(data);
  const steps = createSteps(data);
  const live = make("div", { class: "its-hidden", role: "status" });
  const root = make("div", { class: "its-scrubber", role: "group", "aria-label": "Scrubber: see and hear every step", "data-lm-suppress-shortcuts": "true" },
    createHeader(data), stage.element, controls.element, steps.element, createFooter(data), live);
  const last = data.count - 1;
  const percent = (step) => (last ? (100 * step) / last : 50);

  let begun = null;
  let told = false;
  let keys = () => {};
  function bind(on) {
    const moved = () => on.show(Number(steps.slider.value));
    steps.slider.addEventListener("input", moved);
    steps.slider.addEventListener("change", () => root.dispatchEvent(new CustomEvent("its-step", { bubbles: true, detail: on.state.step })));
    controls.play.addEventListener("click", on.toggle);
    const loop = () => controls.loop.setAttribute("aria-pressed", String(on.loop()));
    controls.loop.addEventListener("click", loop);
    controls.volume.addEventListener("input", () => on.player.setVolume(Number(controls.volume.value)));
    for (const button of controls.tracks.children) button.addEventListener("click", () => on.choose(button.dataset.track));
    for (const [kind, suffix] of [["picture", "png"], ["sound", "wav"]])
      root.querySelector(`[data-save=${kind}]`).addEventListener("click", async () => {
        const file = await on[kind]();
        if (file) download(file, `${data.name}-step-${on.state.step}-${on.state.track}.${suffix}`);
      });
    bindPlot(on);
    root.addEventListener("keydown", key);

    /** A key that was pressed here or, in a page of its own, wherever nothing else needs it. */
    function key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const outside = !root.contains(event.target);
      if (outside && (event.target.matches("input, textarea, select, [contenteditable]") || SCROLLING.includes(event.key))) return;
      const typing = event.target.matches("input:not(.its-step)");
      const step = on.state.step;
      const actions = {
        ArrowLeft: () => on.show(step - 1), ArrowDown: () => on.show(step - 1),
        ArrowRight: () => on.show(step + 1), ArrowUp: () => on.show(step + 1),
        PageDown: () => on.show(step - 5), PageUp: () => on.show(step + 5),
        Home: () => on.show(0), End: () => on.show(last),
        Escape: on.clear, l: loop, L: loop,
        " ": event.target.matches("button, summary, a") && !controls.play.matches(":focus") ? null : on.toggle,
      };
      data.tracks.forEach((track, i) => (actions[i + 1] = () => on.choose(track.key)));
      const action = typing && event.key !== " " ? null : actions[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      action();
    }
    keys = key;
  }

  /** The plot is a large handle of the slider: pressing or dragging on it moves the step. */
  function bindPlot(on) {
    if (!steps.chart) return;
    const plot = steps.chart.element;
    const go = (event) => {
      const box = plot.getBoundingClientRect();
      on.show(((event.clientX - box.left) / box.width) * last);
    };
    plot.addEventListener("pointerdown", (event) => {
      plot.setPointerCapture(event.pointerId);
      event.preventDefault();
      steps.slider.focus({ preventScroll: true });
      go(event);
    });
    plot.addEventListener("pointermove", (event) => plot.hasPointerCapture(event.pointerId) && go(event));
  }

  return {
    root,
    key: (event) => keys(event),
    slider: steps.slider,
    bind,
    announce: (text) => (live.textContent = text),
    time: (seconds) => (controls.clock.firstChild.textContent = seconds.toFixed(2)),
    playing(on) {
      root.classList.toggle("its-on", on);
      controls.play.setAttribute("aria-label", on ? "Pause" : "Play");
    },
    choose(track) {
      for (const button of controls.tracks.children) button.setAttribute("aria-pressed", String(button.dataset.track === track));
    },
    /** Marks on the rail which steps of the shown track are prepared; none once all are. */
    ready(frames) {
      const prepared = [...frames.values()].filter((frame) => frame.bitmap);
      const all = prepared.length === data.count;
      const marks = prepared.map((frame) => make("i", { style: `left: ${percent(frame.step)}%` }));
      steps.ready.replaceChildren(...(all ? [] : marks));
    },
    tell({ step, track }, frame) {
      if (steps.slider.value !== String(step)) steps.slider.value = step;
      const t = (data.tracks.find((one) => one.key === track).timesteps || data.timesteps)[step];
      steps.where.replaceChildren("step ", make("b", { text: String(step) }), ` of 0–${last}`, make("i", { text: ` noise level t = ${t}` }));
      steps.slider.setAttribute("aria-valuetext", `Step ${step} of 0 to ${last}, noise level ${t}`);
      begun ??= step;
      steps.hint.classList.toggle("its-done", (told ||= step !== begun)); // whoever has moved it knows
      const off = frame && frame.step !== step;
      steps.note.textContent = !frame ? "preparing …" : off ? `showing step ${frame.step}, the nearest prepared` : "";
      steps.slider.parentNode.style.setProperty("--at", `${percent(step)}%`);
      steps.cursor.style.left = `${percent(step)}%`;
      if (steps.chart) steps.chart.show(step);
    },
  };
}
