// A worker that turns mel pictures into sounds, while the next step is composed.

import { answerWith } from "./calls.js";
import { reconstruct } from "./griffin_lim.js";
import { normaliseLoudness } from "./loudness.js";
import { melPicture } from "./mel.js";
import { asHeard } from "./recordings.js";

answerWith({
  /** {plain, audible}: what a picture (n_mels, frames) says, and the same at the loudness of all sounds. */
  play(picture, mel, options) {
    const plain = reconstruct(picture, mel, options);
    return { plain, audible: normaliseLoudness(plain, mel.sr) };
  },

  /** The mel picture (n_mels, frames) of samples at mel.sr Hz, cut or filled up with silence. */
  paint(samples, mel, frames) {
    return melPicture(asHeard(samples, mel, frames), mel);
  },
});
