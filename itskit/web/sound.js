// Chapter 1 of the scrubber: sound. Decoding, band filtering and playing, with one AudioContext.
// All chapters are joined into one ES module by module() in itskit/export/scrub.py; none imports
// another, so nothing has to be built.

const GLIDE = 0.018; // s, time constant of every crossfade: a few tens of ms from end to end
const LEAD = 0.012; // s between scheduling a voice and hearing it, so that its offset is exact
const EDGE = 0.006; // s of fade at both ends of a clip: a loop or a region never clicks
const MARGIN = 0.25; // s kept around a region while it is filtered

/** Keeps low..high hertz of samples: a mask on the spectrum, its edges a sixth of an octave soft. */
export function bandpass(samples, rate, low, high) {
  let n = 2;
  while (n < samples.length) n *= 2;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  re.set(samples);
  fft(re, im);
  const octave = 1 / 6;
  const gain = (hertz) => {
    if (hertz >= low && hertz <= high) return 1;
    if (hertz < low * 0.89 || hertz > high * 1.123) return 0; // a sixth of an octave is a factor 1.122
    const away = hertz < low ? Math.log2(low / hertz) : Math.log2(hertz / high);
    return away < octave ? Math.cos((Math.PI / 2) * (away / octave)) ** 2 : 0;
  };
  for (let k = 0; k <= n / 2; k++) {
    const g = gain((k * rate) / n);
    re[k] *= g;
    im[k] *= -g; // conjugated: a second forward transform is then the inverse one
    if (k === 0 || k === n / 2) continue;
    re[n - k] *= g;
    im[n - k] *= -g;
  }
  fft(re, im);
  const out = new Float32Array(samples.length);
  for (let i = 0; i < out.length; i++) out[i] = re[i] / n;
  return out;
}

/** The part of samples that a region {from, to, low, high} names (or all), with soft ends; the ends
 *  of all of a seamless sound join each other, and stay. */
export function cut(samples, rate, region, seamless = false) {
  let clip = samples.slice();
  if (region) {
    const from = Math.round(region.from * rate);
    const to = Math.round(region.to * rate);
    const margin = Math.round(MARGIN * rate);
    const start = Math.max(0, from - margin);
    const wide = samples.subarray(start, Math.min(samples.length, to + margin));
    clip = bandpass(wide, rate, region.low, region.high).slice(from - start, to - start);
  }
  if (seamless && !region) return clip;
  const edge = Math.min(Math.round(EDGE * rate), clip.length >> 1);
  for (let i = 0; i < edge; i++) {
    clip[i] *= i / edge;
    clip[clip.length - 1 - i] *= i / edge;
  }
  return clip;
}

/** Decodes compressed sounds to Float32Array at the toolkit's own rate, without a user gesture.
 *  Codecs add silence in front, and browsers disagree on removing it: a probe with a click at a
 *  known time tells how much this browser left, and every sound is moved back by that much. */
export function createDecoder({ rate, seconds, probe }) {
  const Offline = window.OfflineAudioContext || window.webkitOfflineAudioContext;
  const context = new Offline(1, 1, rate);
  const decode = async (bytes) => (await context.decodeAudioData(bytes.slice().buffer)).getChannelData(0);
  const delay = probe
    ? decode(probe.bytes).then((click) => {
        let top = 0;
        for (let i = 1; i < click.length; i++) if (Math.abs(click[i]) > Math.abs(click[top])) top = i;
        return Math.round(top - probe.at * rate);
      })
    : Promise.resolve(0);
  return async (bytes) => {
    const [raw, late] = [await decode(bytes), await delay];
    const samples = new Float32Array(Math.round(seconds * rate));
    const start = Math.max(0, late);
    samples.set(raw.subarray(start, start + samples.length - Math.max(0, -late)), Math.max(0, -late));
    return samples;
  };
}

/** The WAV file (16 bit, mono) of samples. */
export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const put = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  put(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  put(8, "WAVEfmt ");
  [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, rate, 4], [28, 2 * rate, 4], [32, 2, 2], [34, 16, 2]].forEach(
    ([at, value, bytes]) => (bytes === 4 ? view.setUint32(at, value, true) : view.setUint16(at, value, true)));
  put(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((v, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, v)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}

/** This document and those around it that may be looked into: a saved page is a frame. */
function documents(here = window) {
  try {
    return [here.document, ...(here.parent === here ? [] : documents(here.parent))];
  } catch {
    return []; // of another origin
  }
}

/** Where players tell each other that they begin; null where a browser keeps pages apart. */
export function openChannel() {
  try {
    return new BroadcastChannel("itskit");
  } catch {
    return null;
  }
}

/** Plays one sound after another at one running position. One player sounds at a time: when another
 *  begins, in this page, in a frame or in another tab, or a plain audio element, this one pauses.
 *  Voices glide into each other with gains that always add up to one: the arriving voice follows
 *  1 - exp(-t/GLIDE) and every other one decays with exp(-t/GLIDE), however fast they follow. */
export class Player {
  constructor({ rate, seconds, onchange = () => {} }) {
    Object.assign(this, { rate, seconds, onchange });
    this.playing = false;
    this.loop = true;
    this.seamless = false; // whether the sound's end leads to its beginning
    this.volume = 0.5; // a safe start; sounds themselves are at -20 LUFS
    this.region = null;
    this.samples = null;
    this.cost = 0; // ms that the last clip took to cut out
    this.anchor = { at: 0, from: 0 }; // at context time `at` the position was `from` seconds
    this.channel = openChannel();
    this.yield = () => this.pause();
    if (this.channel) this.channel.onmessage = this.yield;
    document.addEventListener("play", this.yield, true);
  }

  get start() {
    return this.region ? this.region.from : 0;
  }

  get end() {
    return this.region ? this.region.to : this.seconds;
  }

  /** Seconds into the sound now, or at context time `when`. */
  position(when = this.context ? this.context.currentTime : 0) {
    if (!this.playing) return this.anchor.from;
    const length = this.end - this.start;
    const run = this.anchor.from - this.start + Math.max(0, when - this.anchor.at);
    return this.start + (this.loop ? run % length : Math.min(run, length));
  }

  /** What is being heard now: the position less the time sound takes to reach the ears. */
  heard() {
    if (!this.playing) return this.anchor.from;
    const late = Math.min(0.3, this.context.outputLatency || this.context.baseLatency || 0);
    const heard = this.position() - late;
    return heard >= this.start || !this.loop ? Math.max(this.start, heard) : heard + this.end - this.start;
  }

  /** Glides to other samples (Float32Array at `rate`) without moving the play position. */
  setSound(samples) {
    if (samples === this.samples) return;
    this.samples = samples;
    if (this.playing) this.speak();
  }

  setRegion(region) {
    const here = this.position();
    this.region = region;
    this.move(here >= this.start && here < this.end ? here : this.start);
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.master) this.master.gain.setTargetAtTime(volume * volume, this.context.currentTime, GLIDE);
  }

  setLoop(loop) {
    const here = this.position();
    this.loop = loop;
    this.move(here);
  }

  seek(seconds) {
    this.move(Math.min(Math.max(seconds, this.start), this.end - 0.001));
  }

  move(seconds) {
    this.anchor = { at: (this.context ? this.context.currentTime : 0) + LEAD, from: seconds };
    if (this.playing) this.speak();
    this.onchange();
  }

  /** Must be called from a user's gesture: browsers open the audio device only then. */
  async play() {
    if (this.playing) return;
    if (this.channel) this.channel.postMessage("play");
    for (const page of documents()) for (const one of page.querySelectorAll("audio, video")) one.pause();
    if (!this.context) {
      this.context = new (window.AudioContext || window.webkitAudioContext)();
      this.master = this.context.createGain();
      this.master.gain.value = this.volume * this.volume;
      this.master.connect(this.context.destination);
    }
    const wake = this.context.state === "running" ? null : this.context.resume();
    this.playing = true;
    this.onchange();
    if (wake) await wake;
    if (!this.playing) return; // paused again while the device was opening
    const from = this.anchor.from >= this.end - 0.002 || this.anchor.from < this.start ? this.start : this.anchor.from;
    this.anchor = { at: this.context.currentTime + LEAD, from };
    this.speak();
  }

  pause() {
    if (!this.playing) return;
    const here = this.position();
    this.playing = false;
    this.anchor = { at: 0, from: here };
    this.silence(this.context.currentTime);
    this.onchange();
  }

  /** Called once a frame: a sound that does not loop rests at its start after its end. */
  tick() {
    if (!this.playing || this.loop || this.position() < this.end) return;
    this.pause();
    this.anchor = { at: 0, from: this.start };
    this.onchange();
  }

  speak() {
    const when = this.context.currentTime + LEAD;
    this.silence(when);
    if (!this.samples) return;
    const began = performance.now();
    const clip = cut(this.samples, this.rate, this.region, this.seamless);
    this.cost = performance.now() - began;
    const buffer = this.context.createBuffer(1, clip.length, this.rate);
    buffer.copyToChannel(clip, 0);
    const source = this.context.createBufferSource();
    const gain = this.context.createGain();
    source.buffer = buffer;
    source.loop = this.loop;
    gain.gain.value = 0;
    gain.gain.setTargetAtTime(1, when, GLIDE);
    source.connect(gain).connect(this.master);
    source.start(when, Math.max(0, this.position(when) - this.start));
    this.voice = { source, gain };
  }

  silence(when) {
    if (!this.voice) return;
    const { source, gain } = this.voice;
    gain.gain.setTargetAtTime(0, when, GLIDE);
    source.onended = () => gain.disconnect();
    source.stop(when + 10 * GLIDE);
    this.voice = null;
  }

  close() {
    this.pause();
    if (this.channel) this.channel.close();
    document.removeEventListener("play", this.yield, true);
    if (this.context) this.context.close();
  }
}
