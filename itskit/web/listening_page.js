// The listening test as a page of its own: the sounds are in it, answers stay in this browser until
// they are downloaded, and the key is not here.

/** What this browser keeps of a test: the listeners who sat here, and their answers. */
class Shelf {
  constructor(seal) {
    this.name = `itskit-listening-${seal}`;
    this.sittings = [];
    this.keeps = true;
    try {
      this.sittings = JSON.parse(localStorage.getItem(this.name) || "[]");
      localStorage.setItem(this.name, JSON.stringify(this.sittings));
    } catch {
      this.keeps = false;
    }
  }

  write() {
    try {
      localStorage.setItem(this.name, JSON.stringify(this.sittings));
    } catch {
      this.keeps = false; // full, or forbidden: the answers are still in this page
    }
  }

  get lines() {
    return this.sittings.flatMap((sitting) => sitting.lines).map((line) => `${JSON.stringify(line)}\n`).join("");
  }
}

/** A letter or digit at random, eight times. */
function anybody() {
  const signs = "abcdefghijkmnpqrstuvwxyz23456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => signs[byte % 32]).join("");
}

function sit(shelf, count) {
  const order = crypto.getRandomValues(new Uint32Array(1))[0] % count;
  shelf.sittings.push({ listener: anybody(), order, lines: [] });
  shelf.write();
}

export function mountListening(element, data) {
  const shelf = new Shelf(data.facts.seal);
  const start = (fresh) => {
    if (fresh || !shelf.sittings.length) sit(shelf, data.sheets.length);
    const sitting = shelf.sittings.at(-1);
    const host = {
      sound: async (id) => asBytes(data.sounds[id]),
      tell: async (given) => {
        const seconds = Math.round(100 * given.seconds) / 100;
        const time = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
        sitting.lines.push({ seal: data.facts.seal, listener: sitting.listener, order: sitting.order, n: given.n, id: given.id, answer: given.answer, seconds, plays: given.plays, time });
        shelf.write();
        return data.practice[given.id];
      },
      close: async () => ({ lines: shelf.lines, name: data.name, envelope: "" }),
      next: () => start(true),
    };
    const trials = data.sheets[sitting.order];
    const test = new ListeningTest(element, { ...data.facts, trials, answered: sitting.lines.map((line) => line.id) }, host);
    if (!shelf.keeps) test.alarm.textContent = "This browser keeps nothing of this page: finish and download before you close it.";
    return test;
  };
  return start(false);
}
