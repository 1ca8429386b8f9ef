
/* ---- in the book: the same questions without a kernel. `render` above draws them; what it asks of a
   model is answered here. The run has been, so its answer is known, and shown when it is asked for. */

const ANSWERS = "itskit-answers";

function answersKept() {
  try {
    return localStorage.getItem(ANSWERS) || "";
  } catch {
    return ""; // a browser that keeps nothing for files
  }
}

const session = { text: answersKept() };

function log(model, event) {
  const { question, value: answer, seconds, kind } = model.values;
  const key = model.key || question;
  const record = { event, key, question, kind, answer, seconds, time: new Date().toISOString() };
  if (event === "reveal") record.truth = model.outcome.truth ?? null;
  session.text += `${JSON.stringify(record)}\n`;
  try {
    localStorage.setItem(ANSWERS, session.text);
  } catch {
    // then they last as long as the page
  }
}

class BookModel {
  constructor({ values, files }) {
    this.listeners = {};
    this.outcome = values.outcome || {};
    this.values = { ...values, value: null, seconds: 0, status: "", outcome: {} };
    for (const name of ["ground", "overlay"]) this.values[name] = bytesOf(files[name]);
    this.overlay = this.values.overlay;
    this.values.overlay = bytesOf("");
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    if (name === "value") log(this, "answer");
    for (const heard of this.listeners[`change:${name}`] || []) heard();
  }

  save_changes() {}

  on(event, heard) {
    for (const one of event.split(" ")) (this.listeners[one] ||= []).push(heard);
  }

  off(event, heard) {
    for (const one of event.split(" ")) {
      this.listeners[one] = (this.listeners[one] || []).filter((other) => other !== heard);
    }
  }

  send(content) {
    if (content.type !== "download") return;
    const file = { type: "file", name: "answers.jsonl", text: session.text };
    for (const heard of this.listeners["msg:custom"] || []) heard(file);
  }

  reveal() {
    const { kind, value, facts } = this.values;
    const { truth, ran } = this.outcome;
    const said = value === null ? "You did not answer." : `You said: ${told(kind, value, facts.unit)}.`;
    this.set("overlay", this.overlay);
    this.set("outcome", { truth, said, ran, verdict: verdict(kind, value, truth, facts.unit) });
    log(this, "reveal");
  }
}

function told(kind, value, unit = "") {
  const part = (share) => `${Math.round(100 * share)}%`;
  if (kind === "point") return `${part(value[0])} from the left, ${part(value[1])} from the top`;
  if (kind === "region") return `from ${part(value[0])} to ${part(value[2])} from the left`;
  return kind === "step" ? `step ${value}` : `${value} ${unit}`.trim();
}

/** How an answer lies to what the run said, where that is plain: see itskit/answers.py. */
function verdict(kind, mine, truth, unit = "") {
  if (mine === null || truth === null) return "";
  const off = Math.abs(mine - truth);
  if (mine === truth) return "You were right.";
  if (kind === "choice") return "You were wrong.";
  if (kind === "step") return `You were off by ${off} step${off > 1 ? "s" : ""}.`;
  return kind === "number" ? `You were off by ${Number(off.toPrecision(4))} ${unit}.`.replace(" .", ".") : "";
}

function bytesOf(text = "") {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function bringToLife(place) {
  const model = new BookModel(JSON.parse(place.dataset.widget));
  const el = document.createElement("div");
  render({ model, el });
  place.replaceChildren(el);
  if (!model.outcome.ran) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "its-answer";
  button.textContent = "See what the run said";
  button.addEventListener("click", () => {
    model.reveal();
    button.remove();
  });
  place.append(button);
}

function dress() {
  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.append(style);
}

dress();
document.querySelectorAll(".its-book-predict").forEach(bringToLife);
