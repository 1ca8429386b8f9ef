// Words as the numbers that the text encoder reads: BERT's WordPiece without capitals and accents
// (Devlin et al. 2018; Wu et al. 2016), from the tokenizer.json that the Python package ships.

const CHINESE = [[0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf], [0xf900, 0xfaff], [0x2f800, 0x2fa1f]];
const SPACE = /[\t\n\r\p{Z}]/u;
const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/u;
const PUNCTUATION = /[!-/:-@[-`\x7b-~\p{P}]/u;
const LONGEST_WORD = 100; // letters; a longer one is unknown

export class Tokenizer {
  /** `file` is what tokenizer.json holds; `length` the tokens of a prompt, marks at both ends
   *  included. */
  constructor(file, length) {
    this.vocabulary = new Map(Object.entries(file.model.vocab));
    this.length = length;
    this.special = new Map(file.added_tokens.map(({ content, id }) => [content, id]));
    const names = [...this.special.keys()].map((name) => name.replace(/[[\]]/g, "\\$&"));
    this.specialNames = new RegExp(`(${names.join("|")})`);
    [this.pad, this.begin, this.end, this.unknown] = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"].map((name) => this.special.get(name));
  }

  /** {ids, mask}, each an Int32Array (length,): what is too long is cut off, what is short is
   *  padded. */
  encode(text) {
    const found = text.toWellFormed().split(this.specialNames).flatMap((part) =>
      this.special.has(part) ? [this.special.get(part)] : words(part).flatMap((word) => this.pieces(word)));
    const ids = [this.begin, ...found.slice(0, this.length - 2), this.end];
    const at = (k, filled, empty) => (k < ids.length ? filled : empty);
    return {
      ids: Int32Array.from({ length: this.length }, (_, k) => at(k, ids[k], this.pad)),
      mask: Int32Array.from({ length: this.length }, (_, k) => at(k, 1, 0)),
    };
  }

  /** The longest known pieces of a word, from its beginning on; one unknown piece makes all of it
   *  unknown. */
  pieces(word) {
    const letters = [...word];
    if (letters.length > LONGEST_WORD) return [this.unknown];
    const found = [];
    for (let start = 0, end; start < letters.length; start = end) {
      const piece = () => (start ? "##" : "") + letters.slice(start, end).join("");
      for (end = letters.length; end > start && !this.vocabulary.has(piece()); ) end--;
      if (end === start) return [this.unknown];
      found.push(this.vocabulary.get(piece()));
    }
    return found;
  }
}

/** A text's words and signs: lower case, no accents, each sign and Chinese letter for itself. The
 *  browser's table of Unicode is newer than Python's: of 658 rare signs one takes another view. */
function words(text) {
  const read = [...text].filter((letter) => SPACE.test(letter) || !CONTROL.test(letter));
  const spaced = read.map((letter) => (isChinese(letter.codePointAt(0)) ? ` ${letter} ` : letter)).join("");
  const bare = [...spaced.normalize("NFD")].filter((letter) => !/\p{Mn}/u.test(letter));
  const apart = bare.map((letter) => {
    if (SPACE.test(letter)) return " ";
    return PUNCTUATION.test(letter) ? ` ${letter} ` : letter.toLowerCase();
  });
  return apart.join("").split(" ").filter(Boolean);
}

function isChinese(code) {
  return CHINESE.some(([first, last]) => first <= code && code <= last);
}
