// What stands around the picture: prompts, controls, the slider of the steps, how it was made.

const ICONS = {
  play: "M8 5.2v13.600l11-6.800z",
  pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z",
  loop: "M16 3.500l4 3.500-4 3.500V8H8a3 3 0 0 0-3 3v1H3v-1a5 5 0 0 1 5-5h8zM8 20.500L4 17l4-3.500V16h8a3 3 0 0 0 3-3v-1h2v1a5 5 0 0 1-5 5H8z",
  volume: "M4 9.500v5h3.500L12 19V5L7.500 9.500zM14.500 8.200a5 5 0 0 1 0 7.600z",
  eye: "M12 5.500C7 5.500 3.200 9.300 2 12c1.200 2.700 5 6.500 10 6.500s8.800-3.800 10-6.500c-1.200-2.700-5-6.500-10-6.500zm0 10.500a4 4 0 1 1 0-8 4 4 0 0 1 0 8z",
  ear: "M4 10h2v4H4zM8 7h2v10H8zM12 3.500h2v17h-2zM16 7h2v10h-2zM20 10h2v4h-2z",
};

const HOME = "https://github.com/itskit/itskit";

const icon = (name) =>
  make("svg", { viewBox: "0 0 24 24", class: `its-icon its-icon-${name}`, "aria-hidden": "true", focusable: "false" }, make("path", { d: ICONS[name] }));

export function createHeader(data) {
  const header = make("header", { class: "its-header" });
  data.prompts.forEach((prompt, g) => {
    const text = make("span", { class: "its-prompt", dir: "auto", text: prompt.text });
    const kind = prompt.sense === "hear" ? "ear" : "eye";
    const line = make("p", { style: guideColor(g) }, icon(kind), make("span", { class: "its-hidden", text: `${prompt.sense}: ` }), text);
    if (prompt.negative) line.append(make("span", { class: "its-negative", dir: "auto", text: `not: ${prompt.negative}` }));
    header.append(line);
  });
  header.append(make("p", { class: "its-score", text: "This picture is the score of its own sound: time runs to the right, and the higher up, the higher the pitch." }));
  return header;
}

export function createControls(data) {
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

export function createSteps(data) {
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

/** What a recipe says, as [name, value], each guide's own under its name: ["image scale", 7.5]. */
function facts({ guides = [], ...recipe }) {
  const told = guides.flatMap(({ name, model, ...own }) => Object.entries(own).map(([key, value]) => [`${name} ${key}`, value]));
  return [...told, ...Object.entries(recipe)];
}

/** The recipe as a list of names and values, flat enough to read. */
export function createFooter(data) {
  const list = make("dl");
  for (const [name, value] of facts(data.recipe || {})) {
    if (value === null || value === undefined || value === "") continue;
    const whole = typeof value === "object" ? JSON.stringify(value) : String(value);
    const text = whole.length > 600 ? `${whole.slice(0, 600)} …` : whole; // a map of weights is long
    list.append(make("dt", { text: name.replaceAll("_", " ") }), make("dd", { dir: "auto", text }));
  }
  const keys = "← → step · space play · Home End first and last · 1–" + data.tracks.length + " tracks · L repeat · Esc whole sound · drag on the picture to hear only that part";
  return make("footer", { class: "its-footer" },
    make("details", {}, make("summary", { text: "How it was made" }), list),
    ...(data.again ? [make("details", { class: "its-again" }, make("summary", { text: "Make it again" }), createLine("Python", data.again.python), createLine("the command line", data.again.shell))] : []),
    make("details", { class: "its-keyboard" }, make("summary", { text: "Keys" }), make("p", { text: keys })),
    make("button", { type: "button", "data-save": "picture", text: "Save picture", title: "The picture of this step as PNG" }),
    make("button", { type: "button", "data-save": "sound", text: "Save sound", title: "What plays now, the region if there is one, as WAV" }),
    make("p", { class: "its-from" }, "Made with ", make("a", { href: HOME, target: "_blank", rel: "noopener", text: "itskit" }), ", images that sound"));
}
