// The page's end of the wire to the worker that composes: `engine.js` beside this folder.

const FIRST_WORD = 60000; // ms in which a worker that lives says something

/** `on` is told of what the worker says, each by its type: progress, ready, step, sound, done,
 *  thumbnail, analysed, error. What belongs to a run that another has replaced is left out. */
export class Engine {
  constructor(on) {
    this.on = on;
    this.state = "none"; // then "loading", "ready" or "failed"
    this.count = 0; // numbers that were given
    this.run = 0; // the number of the composition whose messages count
    this.row = 0; // that of the row of thumbnails
    this.waiting = []; // what is sent as soon as it is ready
    this.answers = []; // who waits for what was analysed, in the order of the questions
  }

  load() {
    if (this.state === "loading" || this.state === "ready") return;
    this.state = "loading";
    const base = new URL("../", import.meta.url).href;
    this.worker = new Worker(new URL("engine.js", base), { type: "module" });
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "its files could not be read");
    this.worker.onmessageerror = () => this.fail("it sent what this browser cannot read");
    this.worker.postMessage({ type: "load", base, threads: 0, device: "auto" });
    this.alarm = setTimeout(() => this.state === "loading" && !this.spoke && this.fail("it does not answer"), FIRST_WORD);
  }

  fail(why) {
    if (this.state === "failed") return;
    this.state = "failed";
    clearTimeout(this.alarm);
    this.worker?.terminate();
    this.worker = null;
    for (const { refuse } of this.answers.splice(0)) refuse(new Error(why));
    this.on.failed(`The engine cannot run here: ${why}.`);
  }

  receive(message) {
    this.spoke = true;
    const { type, id } = message;
    const mine = { thumbnail: this.row, step: this.run, sound: this.run, done: this.run }[type];
    if (mine !== undefined && id !== mine) return;
    if (type === "ready") this.ready(message);
    else if (type === "analysed") this.answers.shift()?.resolve(message);
    else if (type === "error" && this.state === "loading") this.fail(String(message.message).replace(/\.$/, ""));
    else if (type === "error" && id === undefined && this.answers.length) this.answers.shift().refuse(new Error(message.message));
    else if (type === "error" && id !== undefined && ![this.run, this.row].includes(id)) return;
    else this.on[type]?.(message);
  }

  ready(message) {
    this.state = "ready";
    clearTimeout(this.alarm);
    this.on.ready(message);
    for (const [waiting, transfer] of this.waiting.splice(0)) this.worker.postMessage(waiting, transfer);
  }

  send(message, transfer = []) {
    if (this.state === "ready") this.worker.postMessage(message, transfer);
    else if (this.state === "loading") this.waiting.push([message, transfer]);
  }

  /** Begins a composition, which replaces one that is under way; its number. */
  compose(settings) {
    this.run = ++this.count;
    this.waiting = this.waiting.filter(([{ type }]) => type !== "compose");
    this.send({ type: "compose", id: this.run, settings });
    return this.run;
  }

  stop() {
    this.waiting = this.waiting.filter(([{ type }]) => type !== "compose");
    this.send({ type: "stop", id: this.run });
  }

  /** Asks for the sound of a step; only those of the last run are still there. */
  hear(run, step) {
    if (run === this.run) this.send({ type: "hear", id: run, step });
  }

  thumbnails(settings, seeds) {
    this.row = ++this.count;
    this.send({ type: "thumbnails", id: this.row, settings, seeds });
  }

  /** Resolves to {latent} of a picture (grey levels) or a sound (samples at 16 kHz). */
  analyse(kind, data) {
    return new Promise((resolve, refuse) => {
      this.answers.push({ resolve, refuse });
      this.send({ type: "analyse", kind, data });
    });
  }
}
