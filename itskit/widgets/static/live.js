// The instrument `Live`: prompts and sliders, one canvas, one loop that glides from sound to sound.
// Joined behind sound.js, which brings Player, and chart.js, which brings make().

const ROWS = [
  ["balance", "balance", "sound", "picture", 0, 1, 0.05],
  ["image_scale", "picture guidance", "loose", "strict", 1, 20, 0.5],
  ["sound_scale", "sound guidance", "loose", "strict", 1, 20, 0.5],
];

function liveRender({ model, el }) {
  const cleanup = [];
  const listen = (names, tell) => {
    for (const name of names.split(" ")) {
      model.on(`change:${name}`, tell);
      cleanup.push(() => model.off(`change:${name}`, tell));
    }
    tell();
  };
  const write = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };

  function words(name, label, guide) {
    const input = make("input", { type: "text", "aria-label": label, spellcheck: "true", style: `--series: var(--its-guide-${guide})` });
    input.addEventListener("input", () => write(name, input.value));
    listen(name, () => { if (input.value !== model.get(name)) input.value = model.get(name); });
    return make("label", { class: "its-words" }, make("span", { text: label }), input);
  }

  function slider([name, label, less, more, min, max, step]) {
    const input = make("input", { type: "range", class: "its-range", min, max, step, "aria-label": label });
    const value = make("output", { class: "its-note" });
    input.addEventListener("input", () => write(name, Number(input.value)));
    listen(name, () => {
      input.value = model.get(name);
      value.textContent = model.get(name).toFixed(step < 0.1 ? 2 : 1);
    });
    const ends = make("div", { class: "its-line-up its-ends" }, make("span", { text: less }), make("span", { text: more }));
    return make("div", { class: "its-dial" }, make("div", { class: "its-line-up" }, make("span", { text: label }), value), input, ends);
  }

  const seed = make("input", { type: "number", min: 0, step: 1, "aria-label": "seed" });
  seed.addEventListener("input", () => { if (/^\d{1,9}$/.test(seed.value)) write("seed", Number(seed.value)); });
  listen("seed", () => { if (Number(seed.value) !== model.get("seed") || !seed.value) seed.value = model.get("seed"); });
  const dice = make("button", { type: "button", class: "its-press", text: "another seed" });
  dice.addEventListener("click", () => write("seed", model.get("seed") + 1));

  const button = make("button", { type: "button", class: "its-press its-go" });
  const status = make("output", { class: "its-note", role: "status" });
  const picture = make("img", { alt: "the composed picture, which is also the sound's spectrogram" });
  const head = make("div", { class: "its-head", hidden: true });
  const player = new Player({ rate: 1, seconds: 1, onchange: () => draw() });
  button.addEventListener("click", () => (player.playing ? player.pause() : player.play()));

  let beat = 0;
  function draw() {
    button.textContent = player.playing ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(player.playing));
    head.hidden = !player.playing;
    head.style.left = `${(100 * player.heard()) / player.seconds}%`;
    if (player.playing && !beat) beat = requestAnimationFrame(() => { beat = 0; draw(); });
  }

  let address = "";
  listen("picture", () => {
    if (!model.get("picture").byteLength) return;
    URL.revokeObjectURL(address);
    picture.src = address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    picture.alt = `${model.get("image_prompt")} that sounds like ${model.get("sound_prompt")}`;
  });
  listen("samples", () => {
    const bytes = model.get("samples");
    if (!bytes.byteLength) return;
    const samples = Float32Array.from({ length: bytes.byteLength / 2 }, (_, k) => bytes.getInt16(2 * k, true) / 32768);
    Object.assign(player, { rate: model.get("rate"), seconds: samples.length / model.get("rate") });
    player.setSound(samples);
  });
  listen("status", () => { status.textContent = model.get("status"); });
  const notes = make("output", { class: "its-note its-ignored", role: "note" });
  listen("notes", () => { notes.textContent = model.get("notes"); });

  const root = make("div", { class: "its-scrubber its-live", role: "group", "aria-label": "Live", "data-lm-suppress-shortcuts": "true" },
    words("image_prompt", "see", 0), words("sound_prompt", "hear", 1),
    make("div", { class: "its-canvas" }, picture, head),
    make("div", { class: "its-line-up" }, button, status), notes,
    make("div", { class: "its-dials" }, ...ROWS.map(slider),
      make("div", { class: "its-dial" }, make("div", { class: "its-line-up" }, make("span", { text: "seed" })), make("div", { class: "its-line-up" }, seed, dice))));
  cleanup.push(followTheme(root));
  root.live = { player };
  el.replaceChildren(root);
  draw();
  model.send({ type: "shown" });
  return () => {
    cancelAnimationFrame(beat);
    cleanup.forEach((one) => one());
    player.close();
    URL.revokeObjectURL(address);
  };
}

export default { render: liveRender };
