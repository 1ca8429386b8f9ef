// A row of seeds: the same words, other noise, quickly drafted.

import { make } from "./house.js";
import { bitmapOf } from "./result.js";
import { LARGEST_SEED } from "./settings.js";

const COUNT = 6;

/** `on` is told to draft (`thumbnails`) and which seed was chosen (`choose`). */
export class Seeds {
  constructor(host, on) {
    this.on = on;
    this.row = make("ul", { class: "its-row its-drafts", "aria-label": "Drafts of other seeds" });
    this.button = make("button", { type: "button", class: "its-press", text: `Draft ${COUNT} seeds`, title: "The same words with other noise, in a few steps each" });
    this.button.addEventListener("click", () => this.draft());
    host.replaceChildren(this.button, this.row);
    this.last = null; // the settings of the row that is shown
    this.next = 0; // the seed with which the next row begins
  }

  draft() {
    const settings = this.on.settings();
    const { seed, ...words } = settings;
    const same = this.last === JSON.stringify(words);
    const first = Math.min(same ? this.next : seed + 1, LARGEST_SEED - COUNT);
    Object.assign(this, { last: JSON.stringify(words), next: first + COUNT });
    const seeds = Array.from({ length: COUNT }, (_, k) => first + k);
    this.tiles = new Map(seeds.map((one) => [one, this.tile(one)]));
    this.row.replaceChildren(...[...this.tiles.values()].map(({ item }) => item));
    this.button.textContent = `Draft ${COUNT} more`;
    this.on.thumbnails(settings, seeds);
  }

  tile(seed) {
    const canvas = make("canvas", { width: 256, height: 64, "aria-hidden": "true" });
    const button = make("button", { type: "button", class: "its-draft", disabled: true, "aria-label": `Compose with seed ${seed}` }, canvas, make("span", { text: `seed ${seed}` }));
    button.addEventListener("click", () => this.on.choose(seed));
    return { item: make("li", {}, button), button, canvas };
  }

  /** A draft is there: grey levels of a picture four times as wide as high. */
  show({ seed, pixels }) {
    const tile = this.tiles?.get(seed);
    if (!tile) return;
    const height = Math.round(Math.sqrt(pixels.length / 4));
    tile.canvas.getContext("2d").drawImage(bitmapOf(pixels, [4 * height, height]), 0, 0, 256, 64);
    tile.button.disabled = false;
  }

  /** Forgets the drafts that will not come. */
  clear() {
    for (const { item, button } of this.tiles?.values() || []) if (button.disabled) item.remove();
  }
}
