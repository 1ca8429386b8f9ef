// Recipes inside files, as itskit/export/recipes.py puts them there: PNG, WAV, one-file page, JSON.

const KEY = "itskit-recipe";
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const MOST = 1 << 20; // bytes of text that a recipe may have

const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const codes = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const utf8 = (bytes) => new TextDecoder().decode(bytes);

/** A recipe as one line of ASCII, which every container can hold. */
export const asText = (recipe) =>
  JSON.stringify(recipe).replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function number(value, little = false) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, little);
  return bytes;
}

// ---- PNG -----------------------------------------------------------------------------------------

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** The chunks of a PNG file as {type, data, start}. */
function* chunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    yield { type: latin(bytes.subarray(at + 4, at + 8)), data: bytes.subarray(at + 8, at + 8 + length), start: at };
    at += 12 + length;
  }
}

/** A PNG file with the recipe in a chunk tEXt, in front of the picture. */
export function pngWith(bytes, recipe) {
  const body = codes(`tEXt${KEY}\0${asText(recipe)}`);
  const first = [...chunks(bytes)].find(({ type }) => type === "IDAT").start;
  return joined([bytes.subarray(0, first), number(body.length - 4), body, number(crc32(body)), bytes.subarray(first)]);
}

/** The bytes of a stream that was deflated, as zTXt and iTXt may hold them. */
async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function inPng(bytes) {
  for (const { type, data } of chunks(bytes)) {
    if (!["tEXt", "zTXt", "iTXt"].includes(type) || latin(data.subarray(0, KEY.length + 1)) !== `${KEY}\0`) continue;
    const rest = data.subarray(KEY.length + 1);
    if (type === "tEXt") return latin(rest);
    if (type === "zTXt") return latin(await inflated(rest.subarray(1)));
    const text = rest.subarray(rest.indexOf(0, rest.indexOf(0, 2) + 1) + 1); // behind a language and a keyword in it
    return utf8(rest[0] ? await inflated(text) : text);
  }
  return null;
}

// ---- WAV -----------------------------------------------------------------------------------------

/** A WAV file with the recipe as a comment: the chunk LIST INFO ICMT, behind the sound. */
export function wavWith(bytes, recipe) {
  const text = codes(`${asText(recipe)}\0`);
  const even = joined([text, new Uint8Array(text.length % 2)]);
  const body = joined([codes("INFOICMT"), number(even.length, true), even]);
  const whole = joined([bytes, codes("LIST"), number(body.length, true), body]);
  whole.set(number(whole.length - 8, true), 4);
  return whole;
}

function inWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const isComment = latin(bytes.subarray(at, at + 4)) === "LIST" && latin(bytes.subarray(at + 8, at + 16)) === "INFOICMT";
    if (isComment) return utf8(bytes.subarray(at + 20, at + 8 + size)).replace(/\0+$/, "");
    at += 8 + size + (size % 2);
  }
  return null;
}

// ---- pages ---------------------------------------------------------------------------------------

/** JSON that can stand inside a script element: no text in it can close that element. */
const jsonInHtml = (data) =>
  JSON.stringify(data).replace(/[&<>\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The one-file page of a scrubber: `template` and what it leaves open are those of itskit.export. */
export function pageWith(template, fields, data) {
  const filled = { ...fields, title: escaped(data.title), data: jsonInHtml(data) };
  return template.replace(/\$(\w+)/g, (whole, name) => filled[name] ?? whole);
}

function inPage(bytes) {
  const found = utf8(bytes).match(/<script type="application\/json" id="data">(.*?)<\/script>/);
  const recipe = found && JSON.parse(found[1]).recipe;
  return recipe ? JSON.stringify(recipe) : null;
}

// ---- any file ------------------------------------------------------------------------------------

/** The kind of a file by its content: "png", "wav", "text" or "other". */
function kindOf(bytes) {
  if (SIGNATURE.every((byte, k) => bytes[k] === byte)) return "png";
  if (latin(bytes.subarray(0, 4)) === "RIFF" && latin(bytes.subarray(8, 12)) === "WAVE") return "wav";
  return /^\s*(\uFEFF)?\s*[\x7b<]/.test(utf8(bytes.subarray(0, 64))) ? "text" : "other";
}

/** The recipe in the bytes of a file, or null. */
export async function readRecipe(bytes) {
  const kind = kindOf(bytes);
  try {
    const asJson = () => (utf8(bytes.subarray(0, 64)).trim().startsWith("{") && bytes.length < MOST ? utf8(bytes) : inPage(bytes));
    const text = await { png: () => inPng(bytes), wav: () => inWav(bytes), text: asJson, other: () => null }[kind]();
    const found = text && text.length < MOST ? JSON.parse(text) : null;
    return found && typeof found === "object" ? found : null;
  } catch {
    return null; // damaged, or another's
  }
}
