// The live page: words in, a picture that sounds out, step by step. All is made here, in a worker.

import { timesteps } from "../schedule.js";
import { Beginning, readFile } from "./beginning.js";
import { hindrance, isKept, isMetered, settle } from "./device.js";
import { Examples, fetched } from "./examples.js";
import { FACTS } from "./facts.js";
import { Form } from "./form.js";
import { Result } from "./result.js";
import { Seeds } from "./seeds.js";
import { fromAddress, fromRecipe, toAddress } from "./settings.js";
import { Engine } from "./wire.js";

const part = (name) => document.querySelector(`[data-part=${name}]`);
const megabytes = (bytes) => Math.ceil(bytes / 1e6);
const DOWNLOAD = FACTS.packed.reduce((sum, { bytes }) => sum + bytes, 0);

class Page {
  constructor() {
    this.asks = false; // whether the download waits for a press on Compose
    this.running = null; // {settings, began, steps, done}, of the composition under way
    this.queued = false; // whether to compose as soon as the engine is ready
    this.form = new Form(FACTS.usual, { compose: () => this.compose(), stop: () => this.stop(), rolled: () => this.asks || this.compose() });
    part("form").replaceChildren(this.form.root);
    part("settings").replaceChildren(this.form.set);
    this.result = new Result(part("result"), { hear: (run, step) => this.engine.hear(run, step), link: (button) => this.copyLink(button) });
    this.examples = new Examples(part("examples"), (example) => this.showExample(example, true));
    this.seeds = new Seeds(part("seeds"), {
      settings: () => this.wanted(), thumbnails: (settings, seeds) => this.draft(settings, seeds),
      choose: (seed) => { this.form.write({ seed }); this.compose(); },
    });
    this.beginning = new Beginning(part("beginning"), { file: (file) => this.open(file) });
    this.engine = new Engine(this.heeds());
    this.status = part("status");
    this.bar = part("progress");
    this.bindKeys();
    addEventListener("hashchange", () => this.readAddress() && this.compose());
  }

  // ---- the beginning -----------------------------------------------------------------------------

  async begin() {
    const asked = this.readAddress();
    if (!asked) this.showExample(FACTS.examples[0], false);
    this.why = hindrance();
    if (this.why) return this.giveUp(this.why);
    await settle();
    this.asks = isMetered() && !(await isKept(FACTS.packed));
    if (asked) this.queued = !this.asks;
    if (this.asks) this.offer();
    else this.load();
  }

  /** Settings out of the address into the form; whether there were any. */
  readAddress() {
    if (location.hash.slice(1) === this.address) return false; // it was written by this page
    const found = fromAddress(location.hash, FACTS.usual);
    if (found) this.form.write(found);
    return Boolean(found);
  }

  offer() {
    this.form.go.textContent = `Load ${megabytes(DOWNLOAD)} MB and compose`;
    this.seeds.button.disabled = true; // until that is pressed
    this.say("Composing needs the networks, which are loaded once and then kept. The gallery below plays without them.");
  }

  load() {
    if (this.engine.state !== "none") return;
    this.asks = this.seeds.button.disabled = false;
    this.form.go.textContent = "Compose";
    this.say("Loading the networks …");
    this.engine.load();
  }

  giveUp(why) {
    this.why = why;
    for (const button of [this.form.go, this.form.dice, this.seeds.button]) button.disabled = true;
    this.bar.hidden = true;
    this.running = null;
    this.say(`${why} The pictures of the gallery below play all the same.`, true);
    if (!this.result.scrubber) this.showExample(FACTS.examples[0], false);
  }

  // ---- composing ---------------------------------------------------------------------------------

  /** The settings as they are asked for now, with words for at least one of the models. */
  wanted() {
    const settings = structuredClone(this.form.settings);
    for (const name of Object.keys(settings)) if (typeof settings[name] === "string") settings[name] = settings[name].trim();
    return settings;
  }

  async compose() {
    if (this.why) return;
    const settings = this.wanted();
    if (!settings.image_prompt && !settings.sound_prompt) {
      this.say("Write what you want to see, what you want to hear, or both.", true);
      return this.form.root.elements.image_prompt.focus();
    }
    this.queued = true;
    this.load();
    if (this.engine.state !== "ready") return this.busy(true);
    this.queued = false;
    const { init } = this.beginning;
    if (init) Object.assign(settings, { init: await this.latentOf(init), init_told: init.told, strength: this.beginning.strength });
    if (init && !settings.init) return;
    this.address = toAddress(settings, FACTS.usual);
    history.replaceState(null, "", `#${this.address}`);
    this.examples.mark(null);
    this.running = { settings, began: performance.now() };
    this.busy(true);
    this.say("Reading the words …");
    this.engine.compose(settings);
  }

  /** What a run begins with, in the networks' terms: found once for each file. */
  async latentOf(init) {
    try {
      this.say(`Reading ${init.name} …`);
      init.latent ||= (await this.engine.analyse(init.kind, init.data)).latent;
      return init.latent;
    } catch (error) {
      this.say(error.message, true);
      return null;
    }
  }

  stop() {
    this.queued = false;
    if (this.engine.state === "ready") this.engine.stop();
    this.busy(false);
    if (this.running) this.say(this.running.steps ? `Stopped after ${this.running.done} of ${this.running.steps} steps.` : "Stopped.");
    this.running = null;
  }

  draft(settings, seeds) {
    this.load();
    this.engine.thumbnails(settings, seeds);
  }

  busy(on) {
    this.form.go.hidden = on;
    this.form.stopper.hidden = !on;
    if (on && document.activeElement === this.form.go) this.form.stopper.focus();
    if (!on && document.activeElement === this.form.stopper) this.form.go.focus();
    if (!on) this.bar.hidden = true;
  }

  // ---- what the engine says ----------------------------------------------------------------------

  heeds() {
    return {
      failed: (why) => { this.busy(false); this.giveUp(why); },
      progress: ({ what, loaded, total }) => this.loaded(what, loaded, total),
      ready: ({ seconds }) => this.ready(seconds),
      step: (message) => this.step(message),
      sound: (message) => this.sound(message),
      done: ({ recipe }) => this.done(recipe),
      thumbnail: (message) => this.seeds.show(message),
      error: ({ id, message }) => this.mistake(id, message),
    };
  }

  /** Something that was asked for cannot be done: a composition, or drafts beside it. */
  mistake(id, message) {
    if (id === this.engine.run) {
      this.busy(false);
      this.running = null;
    } else this.seeds.clear();
    this.say(message, true);
  }

  loaded(what, loaded, total) {
    this.bar.hidden = false;
    this.bar.max = total || 1;
    this.bar.value = loaded;
    const told = total ? `${megabytes(loaded)} of ${megabytes(total)} MB` : `${megabytes(loaded)} MB`;
    if (!this.running) this.say(loaded < total ? `Loading ${what}: ${told}` : `Preparing ${what} …`);
  }

  ready(seconds) {
    this.bar.hidden = true;
    if (!this.running) this.say(`Ready in ${seconds.toFixed(1)} s. Write what you want to see and to hear.`);
    if (this.queued) this.compose();
  }

  step({ id, step, steps, pixels }) {
    const { running } = this;
    if (!running) return; // stopped
    if (!running.steps) {
      const all = timesteps(running.settings.num_inference_steps, running.settings.spacing);
      this.result.begin(running.settings, { count: steps, timesteps: all.slice(-steps), run: id });
    }
    Object.assign(running, { steps, done: step + 1 });
    this.result.step(step, pixels);
    Object.assign(this.bar, { hidden: false, max: steps, value: step + 1 });
    this.say(step + 1 < steps ? `Step ${step + 1} of ${steps}` : "Making the sound …");
  }

  sound({ id, step, samples }) {
    if (this.result.run === id) this.result.sound(step, samples); // else another is shown by now
  }

  done(recipe) {
    const { running } = this;
    if (!running) return;
    this.result.finish(recipe);
    this.busy(false);
    this.running = null;
    this.say(`Composed in ${((performance.now() - running.began) / 1000).toFixed(1)} s. Press play, or the space bar.`);
  }

  // ---- examples and files ------------------------------------------------------------------------

  async showExample(example, asked) {
    if (!example) return;
    if (this.running) this.stop();
    const { settings } = fromRecipe(example.recipe, FACTS.usual);
    this.form.write(settings);
    if (this.beginning.init) this.beginning.set(null);
    this.examples.mark(example.name);
    try {
      const { bitmap, samples, recipe } = await fetched(example);
      if (this.running || this.examples.marked !== example.name) return; // something else is wanted by now
      this.result.begin(settings, { count: 1, timesteps: [0], recipe });
      this.result.scrubber.put({ track: "clean", step: 0, bitmap, samples });
    } catch (error) {
      return this.say(error.message, true);
    }
    if (!asked) return;
    this.address = toAddress(settings, FACTS.usual);
    history.replaceState(null, "", `#${this.address}`);
    this.result.player.play();
    if (!this.why) this.say(`See ${example.image}, hear ${example.sound}. Press Compose to watch it come out of noise.`);
  }

  async open(file) {
    try {
      const found = await readFile(file);
      if (!found.recipe) {
        this.beginning.set(found);
        return this.say(`The next composition begins with ${found.name}.`);
      }
      const { settings, missing } = fromRecipe(found.recipe, FACTS.usual);
      this.form.write(settings);
      this.beginning.strength = settings.strength ?? this.beginning.strength;
      const said = missing.length ? ` Left out, since only Python can do it: ${missing.join("; ")}.` : "";
      this.say(`The settings of ${file.name} are in the fields. Press Compose to make it again.${said}`);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  async copyLink(button) {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(new URL(`#${toAddress(this.result.settings, FACTS.usual)}`, location.href).href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it from the address bar";
    }
    setTimeout(() => (button.textContent = said), 2000);
  }

  // ---- around ------------------------------------------------------------------------------------

  say(text, alarm = false) {
    this.status.textContent = text;
    this.status.classList.toggle("its-alarm", alarm);
  }

  bindKeys() {
    const help = part("help");
    for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => help.showModal());
    help.addEventListener("click", (event) => event.target === help && help.close());
    document.addEventListener("keydown", (event) => {
      const { target, key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
      if (key === "Escape" && (this.running || this.queued)) return this.stop();
      if (target.matches("input:not([type=range]), textarea, select")) return;
      if (key === "?") return help.showModal();
      if (key.toLowerCase() === "n" && !this.why) return this.form.roll();
      if (this.result.scrubber && !this.result.host.contains(target)) this.result.view.key(event);
    });
  }
}

document.documentElement.classList.add("its-runs");
const page = new Page();
part("page").page = page;
page.begin();
