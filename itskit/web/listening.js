// A blind listening test: one question at a time, each sound heard before it is judged, and each
// answer given away at once. What is what is not known here.
//
//   new ListeningTest(element, facts, host)
//
// facts  {question, pair, trials: [{id, question, training, sounds, choices}], discard, seal, answered: [id]}
// host   sound(id) -> Promise<bytes>; tell(answer) -> Promise<the right answer, for practice>;
//        close() -> Promise<{lines, name, envelope}>; next, where somebody else may go on

const HEARD = 0.98; // of a sound that counts as all of it
const SIDES = { first: "the first", second: "the second" };

export class ListeningTest {
  constructor(element, facts, host) {
    Object.assign(this, { facts, host });
    this.answered = new Set(facts.answered);
    this.body = make("div", { class: "its-body" });
    this.alarm = make("output", { class: "its-alarm", role: "alert" });
    this.root = makeRoot("its-listening", "Listening test", this.body, this.alarm);
    this.root.test = this;
    this.channel = openChannel();
    if (this.channel) this.channel.onmessage = () => this.hush();
    this.keys = (event) => this.key(event);
    this.root.addEventListener("keydown", this.keys);
    element.replaceChildren(this.root);
    if (this.rest().length === 0) this.end();
    else this.begin();
  }

  rest() {
    return this.facts.trials.filter((trial) => !this.answered.has(trial.id));
  }

  show(...parts) {
    this.hush();
    this.trial = null;
    this.body.replaceChildren(...parts.filter(Boolean));
  }

  hush(but = null) {
    for (const audio of this.root.querySelectorAll("audio")) if (audio !== but) audio.pause();
  }

  // ---- before ------------------------------------------------------------------------------------

  begin() {
    const { facts } = this;
    const count = facts.trials.length;
    const practice = facts.trials.filter((trial) => trial.training).length;
    const going = this.answered.size > 0;
    const go = make("button", { type: "button", class: "its-press its-go", text: going ? "Go on" : "Begin" });
    go.addEventListener("click", () => this.ask());
    this.show(
      make("h2", { text: "A listening test" }),
      make("p", { text: `${facts.question} ${count} questions, about ${Math.ceil(count / 4)} minutes.` + (practice ? ` Practice comes first (${practice}): there you are told what was right.` : "") }),
      make("p", { text: "Use headphones if you can, in a quiet place. Set your volume at the first sound and leave it: all sounds are equally loud. There is no rush, and no going back." }),
      make("p", { class: "its-note", text: `No name is asked for or kept. ${facts.discard}` }),
      this.sealed(),
      make("div", {}, go),
    );
  }

  sealed() {
    const seal = make("p", { class: "its-note" }, "The order, the key and this rule are fixed already. Their seal (SHA-256): ", make("code", { text: this.facts.seal }));
    return seal;
  }

  // ---- a question --------------------------------------------------------------------------------

  ask() {
    const trial = this.rest()[0];
    if (!trial) return this.end();
    const { facts } = this;
    const n = facts.trials.indexOf(trial);
    const place = trial.training ? `Practice ${n + 1}` : `Question ${n + 1} of ${facts.trials.length}`;
    const options = this.options(trial);
    const next = make("button", { type: "button", class: "its-press its-go", text: "Next", disabled: true });
    const told = make("output", { class: "its-told" });
    const players = trial.sounds.map((sound, k) => this.player(sound, k, trial.sounds.length));
    next.addEventListener("click", () => this.next());
    this.show(
      make("div", { class: "its-line-up its-note" }, make("span", { text: place })),
      make("progress", { max: facts.trials.length, value: n, "aria-label": place }),
      make("h2", { text: trial.question }),
      make("div", { class: "its-players" }, ...players.map((player) => player.root)),
      options.root, told, make("div", {}, next));
    this.trial = { ...trial, n, players, options, next, told, plays: 0, begun: 0 };
    players[0].button.focus({ preventScroll: true });
  }

  options(trial) {
    const inputs = trial.choices.map((value) => {
      const input = make("input", { type: "radio", name: `its-${trial.id}`, value });
      input.addEventListener("change", () => (this.trial.next.disabled = false));
      return input;
    });
    const labels = inputs.map((input, k) => make("label", { class: "its-option" }, input, SIDES[input.value] || input.value, make("kbd", { text: String(k + 1), "aria-hidden": "true" })));
    const root = make("fieldset", { disabled: true }, make("legend", { text: trial.sounds.length > 1 ? "Listen to both to the end, then choose." : "Listen to the end, then choose." }), ...labels);
    return { root, inputs };
  }

  /** A button that plays one sound from its start. */
  player(id, k, count) {
    const name = count > 1 ? `the ${["first", "second"][k]}` : "the sound";
    const button = make("button", { type: "button", class: "its-listen", text: `Play ${name}` });
    const audio = make("audio", { preload: "auto", hidden: true });
    const player = { root: make("div", {}, button, audio), button, audio, heard: false };
    this.host.sound(id).then(
      (bytes) => (audio.src = URL.createObjectURL(new Blob([asBytes(bytes)], { type: "audio/flac" }))),
      (error) => this.complain(error));
    const say = () => (button.textContent = audio.paused ? `Play ${name}${player.heard ? " again" : ""}` : `Stop ${name}`);
    button.addEventListener("click", () => (audio.paused ? this.play(player) : audio.pause()));
    audio.addEventListener("play", say);
    audio.addEventListener("pause", say);
    audio.addEventListener("error", () => this.complain("this sound cannot be played here"));
    const hear = () => {
      player.heard ||= audio.duration > 0 && audio.currentTime > HEARD * audio.duration;
      button.classList.toggle("its-heard", player.heard);
      if (this.trial) this.trial.options.root.disabled = !this.trial.players.every((one) => one.heard);
      say();
    };
    audio.addEventListener("timeupdate", hear);
    audio.addEventListener("ended", hear);
    return player;
  }

  async play(player) {
    this.hush(player.audio);
    if (this.channel) this.channel.postMessage("play");
    player.audio.currentTime = 0;
    this.trial.plays += 1;
    this.trial.begun ||= performance.now();
    await player.audio.play().catch((error) => error.name === "AbortError" || this.complain(error));
  }

  async next() {
    const { trial } = this;
    const chosen = trial && trial.options.inputs.find((input) => input.checked);
    if (!chosen || trial.next.disabled) return;
    if (trial.done) return this.ask();
    trial.next.disabled = trial.options.root.disabled = true;
    this.hush();
    const seconds = (performance.now() - trial.begun) / 1000;
    const answer = { id: trial.id, n: trial.n, answer: chosen.value, seconds, plays: trial.plays };
    try {
      const right = await this.host.tell(answer);
      this.answered.add(trial.id);
      this.alarm.textContent = "";
      if (!right) return this.ask();
      trial.told.textContent = right === chosen.value ? `Right: ${SIDES[right] || right}.` : `It was ${SIDES[right] || right}.`;
      trial.done = true;
    } catch (error) {
      trial.options.root.disabled = false;
      this.complain(error);
    }
    trial.next.disabled = false;
    trial.next.focus({ preventScroll: true });
  }

  key(event) {
    const { trial } = this;
    if (!trial || event.ctrlKey || event.metaKey || event.altKey) return;
    const input = trial.options.inputs[Number(event.key) - 1];
    if (input && !trial.options.root.disabled) {
      input.checked = true;
      input.focus({ preventScroll: true });
      trial.next.disabled = false;
    } else if (event.key === "p") this.play(trial.players.find((player) => !player.heard) || trial.players[0]);
    else if (event.key === "Enter" && !event.target.matches("button")) this.next();
    else return;
    event.preventDefault();
  }

  complain(error) {
    this.alarm.textContent = `That did not work: ${error.message || error}`;
  }

  // ---- after -------------------------------------------------------------------------------------

  async end() {
    this.show(make("p", { text: "One moment …" }));
    const { lines, name, envelope } = await this.host.close();
    const save = make("a", { class: "its-press its-go", href: `data:application/x-ndjson;charset=utf-8,${encodeURIComponent(lines)}`, download: name, text: "Download the answers" });
    const again = this.host.next && make("button", { type: "button", class: "its-press", text: "Somebody else begins" });
    if (again) again.addEventListener("click", () => this.host.next());
    const opened = envelope && make("details", {}, make("summary", { text: "The opened envelope" }), make("pre", { text: envelope }));
    const words = envelope
      ? "Here is the envelope: the secret behind the order, and what every sound was. Its SHA-256 is the seal that you saw before."
      : "This page does not know what the sounds were. Send the file to whoever gave you the page; they can open the envelope for you, whose SHA-256 is the seal that you saw.";
    this.show(make("h2", { text: "Thank you for listening" }), make("p", { text: `All ${this.facts.trials.length} questions are answered.` }),
      make("div", { class: "its-line-up", style: "justify-content: flex-start" }, save, again || ""), make("p", { class: "its-note", text: words }), opened, this.sealed());
    this.root.dataset.done = "true";
  }

  remove() {
    this.hush();
    if (this.channel) this.channel.close();
    this.root.remove();
  }
}

// ---- as a widget ---------------------------------------------------------------------------------

/** Asks the kernel, and waits for the answer to that question. */
function asker(model) {
  const waiting = new Map();
  let count = 0;
  const receive = (message, buffers) => {
    const { resolve, reject } = waiting.get(message.call) || {};
    if (!resolve) return;
    waiting.delete(message.call);
    if (message.error) reject(new Error(message.error));
    else resolve({ ...message, bytes: buffers[0] });
  };
  model.on("msg:custom", receive);
  const ask = (type, more) => new Promise((resolve, reject) => {
    const call = `${Date.now()}-${Math.random()}-${(count += 1)}`;
    waiting.set(call, { resolve, reject });
    model.send({ type, call, ...more });
  });
  return { ask, stop: () => model.off("msg:custom", receive) };
}

function render({ model, el }) {
  const { ask, stop } = asker(model);
  const host = {
    sound: async (id) => (await ask("sound", { id })).bytes,
    tell: async (answer) => (await ask("answer", answer)).right,
    close: () => ask("close"),
  };
  const test = new ListeningTest(el, { ...model.get("facts"), answered: model.get("answered") }, host);
  return () => {
    stop();
    test.remove();
  };
}

export default { render };
