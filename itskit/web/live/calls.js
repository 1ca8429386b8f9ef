// Workers whose functions are called from elsewhere, and answer with promises.

/** The functions of a worker: `call(name, ...given)` resolves to what the function answers, and rejects
 *  with an Error in its words. Buffers among `given` that are large may be handed over with `lend`. */
export class Remote {
  constructor(url) {
    this.waiting = new Map();
    this.count = 0;
    this.broken = ""; // why it cannot work
    this.worker = new Worker(url, { type: "module" });
    this.worker.onmessage = ({ data }) => this.settle(data);
    this.worker.onerror = (event) => this.giveUp(event.message || `${url} could not be read`);
  }

  call(name, ...given) {
    return this.lend([], name, ...given);
  }

  /** `call`, for which the buffers in `transfer` move to the worker. */
  lend(transfer, name, ...given) {
    return new Promise((resolve, reject) => {
      if (this.broken) return reject(new Error(this.broken));
      this.waiting.set(++this.count, { resolve, reject });
      this.worker.postMessage({ number: this.count, name, given }, transfer);
    });
  }

  settle({ number, answer, error }) {
    const asked = this.waiting.get(number);
    this.waiting.delete(number);
    if (error === undefined) asked?.resolve(answer);
    else asked?.reject(new Error(error));
  }

  giveUp(why) {
    this.broken = why;
    for (const { reject } of this.waiting.values()) reject(new Error(why));
    this.waiting.clear();
  }
}

/** Lets other workers call these functions, in the order of the calls; for a worker's own top level. */
export function answerWith(functions) {
  let before = Promise.resolve();
  self.onmessage = ({ data: { number, name, given } }) => {
    before = before.then(async () => {
      try {
        self.postMessage({ number, answer: await functions[name](...given) });
      } catch (error) {
        self.postMessage({ number, error: String(error?.message || error) });
      }
    });
  };
}
