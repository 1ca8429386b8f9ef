// What is seen and heard: the house's scrubber, fed step by step, and the files that it can be kept as.

import { Scrubber, make, saveFile, wav } from "./house.js";
import { asText, pageWith, pngWith, wavWith } from "./files.js";
import { FACTS } from "./facts.js";

const TRACK = "clean";
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:";
const CPUS_FOR_SOUND = 4; // with which sounds of passing steps do not slow a run down
const IN_BASE64 = 0x8000; // bytes that are turned into letters at a time

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += IN_BASE64) text += String.fromCharCode(...bytes.subarray(at, at + IN_BASE64));
  return btoa(text);
}

/** A scrubber whose files carry the recipe, as those of itskit.export do. */
class Kept extends Scrubber {
  async picture() {
    const file = await super.picture();
    return this.data.recipe ? new Blob([pngWith(await bytesOf(file), this.data.recipe)], { type: "image/png" }) : file;
  }

  async sound() {
    const file = super.sound();
    return file && this.data.recipe ? new Blob([wavWith(await bytesOf(file), this.data.recipe)], { type: "audio/wav" }) : file;
  }
}

/** A file's name out of a prompt: a-z, 0-9 and single hyphens. */
function safe(text) {
  const plain = text.normalize("NFKD").replace(/[^\x20-\x7e]/g, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").slice(0, 40).replace(/^-+|-+$/g, "") || "prompt";
}

/** Eight hexadecimal digits that differ where a recipe does (FNV-1a). */
function digest(text) {
  let sum = 0x811c9dc5;
  for (const letter of text) sum = Math.imul(sum ^ letter.codePointAt(0), 0x01000193) >>> 0;
  return sum.toString(16).padStart(8, "0");
}

export const nameOf = ({ image_prompt: image, sound_prompt: sound, seed }, recipe) =>
  `${[image, sound].filter((words) => words.trim()).map(safe).join("--") || "itskit"}--seed${seed}-${digest(asText(recipe || {}))}`;

const promptsOf = (settings) =>
  [["see", "image"], ["hear", "sound"]]
    .map(([sense, name]) => ({ sense, text: settings[`${name}_prompt`].trim(), negative: settings[`${name}_negative`].trim() }))
    .filter(({ text }) => text);

/** Lines that make a result again: the file tells the rest. */
function again(name, recipe) {
  const [python, shell] = recipe.init ? [', init="YOUR FILE"', ' --init "YOUR FILE"'] : ["", ""];
  return {
    python: `import itskit\n\nresult = itskit.recompose(itskit.load_pair("pocket"), itskit.export.read_recipe("${name}.html")${python})`,
    shell: `itskit again ${name}.html${shell}`,
  };
}

/** What a scrubber has to know of a run, as facts() of itskit/export/scrub.py tells it. */
function factsOf(settings, { count, timesteps, recipe = null }) {
  const { size, seconds, rate, hertz } = FACTS;
  const name = nameOf(settings, recipe);
  return {
    format: 1, name, count, timesteps, size, seconds, rate, hertz, prompts: promptsOf(settings), recipe, diagnosis: null,
    types: { picture: "image/png", sound: "audio/wav" }, start: { track: TRACK, step: count - 1 },
    tracks: [{ key: TRACK, label: "Result", hint: "the clean result predicted at this step" }],
    again: recipe && again(name, recipe),
  };
}

/** Grey levels (height * width, row by row) as a picture that a canvas draws. */
export function bitmapOf(pixels, [width, height] = FACTS.size) {
  const canvas = make("canvas", { width, height });
  const picture = new ImageData(width, height);
  for (let k = 0, at = 0; k < pixels.length; k++, at += 4) {
    picture.data[at] = picture.data[at + 1] = picture.data[at + 2] = pixels[k];
    picture.data[at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** `on` is told of a step whose sound is wanted (`hear`) and of a link that is (`link`). */
export class Result {
  constructor(host, on) {
    Object.assign(this, { host, on });
    this.scrubber = null;
    this.following = false; // whether the step that comes next is shown by itself
    this.wanted = new Set(); // steps whose sound was asked for
  }

  get player() {
    return this.scrubber?.player;
  }

  /** Makes room for a run of `count` steps; its player goes on with what it plays. */
  begin(settings, { count, timesteps, recipe, run = null }) {
    const player = this.scrubber?.retire();
    player?.setRegion(null);
    Object.assign(this, { settings, run });
    document.title = [...promptsOf(settings).map(({ text }) => text.slice(0, 60)), "Images that sound"].join(" · ");
    this.wanted.clear();
    const data = factsOf(settings, { count, timesteps, recipe });
    const miss = ({ step }) => this.want(step);
    this.scrubber = new Kept(this.host, data, { start: data.start, player, miss });
    this.following = true;
    this.host.classList.toggle("its-single", count === 1);
    this.view.controls.volume.value = this.player.volume;
    this.view.controls.loop.setAttribute("aria-pressed", String(this.player.loop));
    this.view.root.addEventListener("input", () => (this.following = false));
    this.finish(recipe);
  }

  get view() {
    return this.scrubber.view;
  }

  step(step, pixels) {
    if (step) this.following &&= this.scrubber.state.step === step - 1;
    if (this.following) this.scrubber.state.step = step;
    this.scrubber.put({ track: TRACK, step, bitmap: bitmapOf(pixels), pixels });
  }

  sound(step, samples) {
    this.wanted.delete(step);
    this.scrubber.put({ track: TRACK, step, samples });
    this.keeping?.();
  }

  /** Asks for the sound of a step, once. Steps that pass by by themselves are only seen, unless it plays
   *  and there are CPUs for that: then one at a time is made to be heard. */
  want(step) {
    const passing = this.following && !this.scrubber.data.recipe;
    if (passing && !(this.player.playing && navigator.hardwareConcurrency >= CPUS_FOR_SOUND && !this.wanted.size)) return;
    const frame = this.frame(step);
    if (!frame?.bitmap || frame.samples || this.wanted.has(step)) return;
    this.wanted.add(step);
    this.on.hear(this.run, step);
  }

  frame(step) {
    return this.scrubber.frames.get(TRACK).get(step);
  }

  /** The recipe is there: the result can be kept. */
  finish(recipe) {
    const { data } = this.scrubber;
    this.host.classList.toggle("its-unfinished", !recipe);
    if (!recipe) return;
    const name = nameOf(this.settings, recipe);
    Object.assign(data, { recipe, name, again: again(name, recipe) });
    this.view.explain(data);
    const page = make("button", { type: "button", "data-save": "page", text: "Save page", title: "All steps with their sounds in one file, for any browser" });
    const link = make("button", { type: "button", "data-save": "link", text: "Copy link", title: "The address of this page with these words and settings" });
    page.addEventListener("click", () => this.savePage(page));
    link.addEventListener("click", () => this.on.link(link));
    this.view.footer.querySelector("[data-save=sound]").after(page, link);
  }

  // ---- a page of its own -------------------------------------------------------------------------

  /** Resolves once every step has its sound. */
  whole() {
    const missing = () => Array.from({ length: this.scrubber.data.count }, (_, k) => k).filter((k) => this.frame(k)?.bitmap && !this.frame(k).samples);
    return new Promise((done) => {
      this.keeping = () => {
        if (missing().length) return;
        this.keeping = null;
        done();
      };
      missing().forEach((step) => this.want(step));
      this.keeping();
    });
  }

  async savePage(button) {
    const { scrubber } = this;
    button.disabled = true;
    button.textContent = "Listening to all steps …";
    await this.whole();
    const held = [...scrubber.frames.get(TRACK).values()].sort((a, b) => a.step - b.step);
    const frames = [];
    for (const { step, bitmap, samples } of held) frames.push(await this.framed(step, bitmap, samples));
    const file = async (name) => (await fetch(new URL(name, import.meta.url))).text();
    const [template, style, script] = await Promise.all(["template.html", "scrubber.css", "house.js"].map(file));
    const fields = { ...FACTS.page, policy: POLICY, style, script, main: "scrubber", mount: "mountPage" };
    const data = { ...scrubber.data, title: promptsOf(this.settings).map(({ text }) => text).join(" + "), frames };
    saveFile(new Blob([pageWith(template, fields, data)], { type: "text/html" }), `${data.name}.html`);
    button.disabled = false;
    button.textContent = "Save page";
  }

  /** A step as the page holds it: two files in base64. */
  async framed(step, bitmap, samples) {
    const canvas = make("canvas", { width: FACTS.size[0], height: FACTS.size[1] });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const [seen, heard] = await Promise.all([bytesOf(picture), bytesOf(wav(samples, FACTS.rate))]);
    return { track: TRACK, step, picture: base64(seen), sound: base64(heard) };
  }
}
