// Pictures of the gallery, with their sounds: they play without any network, and their words and
// seeds can be taken over.

import { make } from "./house.js";
import { FACTS } from "./facts.js";

const folder = (name) => new URL(`../gallery/${name}/`, import.meta.url);

/** The beginning of a sound file: samples at the house's rate, all channels in one, and silence behind
 *  what is shorter than a canvas. */
export async function decoded(bytes) {
  const { rate, seconds } = FACTS;
  const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  const samples = new Float32Array(Math.round(rate * seconds));
  for (let channel = 0; channel < sound.numberOfChannels; channel++)
    sound.getChannelData(channel).subarray(0, samples.length).forEach((value, k) => (samples[k] += value / sound.numberOfChannels));
  return samples;
}

/** An entry's picture and sound: {bitmap, samples, recipe}. */
export async function fetched({ name, recipe }) {
  const read = async (file) => {
    const response = await fetch(new URL(file, folder(name)));
    if (!response.ok) throw new Error(`${file} of ${name} cannot be read`);
    return response;
  };
  const [picture, sound] = await Promise.all([read("picture.png"), read("sound.mp3")]);
  const bitmap = await createImageBitmap(await picture.blob());
  return { bitmap, samples: await decoded(await sound.arrayBuffer()), recipe };
}

/** A row of buttons, each with a picture and its words; `choose` is told which was pressed. */
export class Examples {
  constructor(host, choose) {
    this.buttons = new Map();
    const cards = FACTS.examples.map((example) => {
      const picture = make("img", { src: new URL("picture.png", folder(example.name)).href, alt: "", loading: "lazy", width: FACTS.size[0], height: FACTS.size[1] });
      const words = (kind, text) => make("span", { class: `its-${kind}`, text });
      const button = make("button", { type: "button", class: "its-example" }, picture,
        make("span", { class: "its-said" }, words("seen", example.image), make("span", { class: "its-hidden", text: " that sounds like " }), words("heard", example.sound)));
      button.addEventListener("click", () => choose(example));
      this.buttons.set(example.name, button);
      return make("li", {}, button);
    });
    host.replaceChildren(...cards);
  }

  mark(name) {
    this.marked = name;
    for (const [own, button] of this.buttons) button.toggleAttribute("aria-current", own === name);
  }
}
