// A picture or a recording of one's own to begin with, dropped on the page or chosen: what becomes of
// it, and the recipes that such files may carry.

import { make } from "./house.js";
import { decoded } from "./examples.js";
import { readRecipe } from "./files.js";
import { bitmapOf } from "./result.js";
import { FACTS } from "./facts.js";

const LARGEST = 64 << 20; // bytes

/** The grey levels (128 * 512) of a picture: whole, in its own proportions, on white. */
export async function greyLevels(blob) {
  const picture = await createImageBitmap(blob);
  const [width, height] = FACTS.size;
  const canvas = make("canvas", { width, height });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, width, height);
  ink.imageSmoothingQuality = "high";
  const scale = Math.min(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  ink.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
  const { data } = ink.getImageData(0, 0, width, height);
  return Uint8ClampedArray.from({ length: width * height }, (_, k) => 0.299 * data[4 * k] + 0.587 * data[4 * k + 1] + 0.114 * data[4 * k + 2]);
}

const heard = async (blob) => decoded(await blob.arrayBuffer());

async function sha256(bytes) {
  if (!crypto.subtle) return ""; // no secure address
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a file is: {recipe}, {kind: "picture" | "sound", data, told}; throws an Error in words. */
export async function readFile(file) {
  if (file.size > LARGEST) throw new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB: expected a picture or a recording below ${LARGEST >> 20} MB.`);
  const recipe = await readRecipe(new Uint8Array(await file.arrayBuffer()));
  if (recipe) return { recipe };
  for (const [kind, name, read] of [["picture", "Picture", greyLevels], ["sound", "Sound", heard]]) {
    try {
      const data = await read(file);
      const shape = kind === "picture" ? [FACTS.size[1], FACTS.size[0]] : [data.length];
      return { kind, data, name: file.name, told: { kind: name, shape, sha256: await sha256(data) } };
    } catch {
      continue; // it may be the other kind
    }
  }
  throw new Error(`${file.name} is no picture or recording that this browser reads, and carries no recipe of itskit.`);
}

/** The chip that says what a run begins with; `on` is told of files. */
export class Beginning {
  constructor(host, on) {
    Object.assign(this, { on, init: null, strength: FACTS.usual.strength });
    this.input = make("input", { type: "file", class: "its-hidden", tabindex: -1, "aria-hidden": "true" });
    this.button = make("button", { type: "button", class: "its-press", text: "Open a file", title: "Your own picture or recording to begin with, or a PNG, WAV or page made by itskit" });
    this.button.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      if (this.input.files.length) on.file(this.input.files[0]);
      this.input.value = "";
    });
    this.chip = make("div", { class: "its-init", hidden: true });
    this.hint = make("span", { class: "its-note", text: "Drop a picture or a recording here to begin with it; a PNG, WAV or page made by itskit brings its settings." });
    host.replaceChildren(this.button, this.input, this.hint, this.chip);
    this.catchDrops();
  }

  catchDrops() {
    const root = document.documentElement;
    const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    root.addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      root.classList.add("its-over");
    });
    root.addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("its-over"); });
    root.addEventListener("drop", (event) => {
      root.classList.remove("its-over");
      if (!carries(event)) return;
      event.preventDefault();
      if (event.dataTransfer.files.length) this.on.file(event.dataTransfer.files[0]);
    });
  }

  /** Begins with this from now on; null is noise alone. */
  set(init) {
    this.init = init;
    this.chip.hidden = !init;
    this.hint.hidden = Boolean(init);
    if (init) this.chip.replaceChildren(this.sight(init), this.slider(), this.away());
  }

  sight({ kind, data, name }) {
    const seen = kind === "picture" ? bitmapOf(data) : null;
    if (seen) seen.setAttribute("aria-hidden", "true");
    return make("div", { class: "its-sight" }, ...(seen ? [seen] : []), make("span", { dir: "auto", text: `begins with ${name}` }));
  }

  slider() {
    const input = make("input", { type: "range", class: "its-range", min: 0.05, max: 1, step: 0.05, value: this.strength, "aria-label": "Strength" });
    const value = make("output", { class: "its-note", text: String(this.strength) });
    input.addEventListener("input", () => {
      this.strength = Number(input.value);
      value.textContent = input.value;
    });
    return make("div", { class: "its-dial" },
      make("div", { class: "its-line-up" }, make("span", { text: "Strength" }), value), input,
      make("div", { class: "its-line-up its-ends", "aria-hidden": "true" }, make("span", { text: "keeps it" }), make("span", { text: "changes it" })));
  }

  away() {
    const button = make("button", { type: "button", class: "its-press", text: "Begin with noise" });
    button.addEventListener("click", () => {
      this.set(null);
      this.button.focus();
    });
    return button;
  }
}
