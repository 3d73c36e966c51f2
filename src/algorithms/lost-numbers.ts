/** A number in JSON text that JavaScript cannot keep. */
export interface Lost {
  /** As it is written. */
  readonly token: string;
  /** Where: keys of objects, and places in lists. */
  readonly path: readonly (string | number)[];
}

/**
 * The first number of a JSON text that JavaScript cannot represent: `1e999` would silently become null, and 9007199254740993
 * would lose its last digit. Null: there is none. Text that is not JSON is for its parser.
 */
export function lostNumberIn(text: string): Lost | null {
  return SUSPECT.test(text) ? firstIn(text) : null;
}

/** Where a value is: in an object by its key, in a list by its place there. */
interface Step {
  key: string;
  at: number | null;
}

/** In one pass, since a body may have 2 MB of numbers: some 20 ms. */
function firstIn(text: string): Lost | null {
  const path: Step[] = [];
  let last = "";
  let top: Step | undefined;
  for (let at = 0; at < text.length; ) {
    const char = text.charCodeAt(at);
    const pattern = char === QUOTE ? STRING : char === MINUS || isDigit(char) ? NUMBER : null;
    if (pattern === null) {
      if (char === OPENING.object || char === OPENING.list)
        path.push({ key: "", at: char === OPENING.list ? 0 : null });
      else if (char === CLOSING.object || char === CLOSING.list) path.pop();
      else if (char === COLON && top) top.key = last;
      else if (char === COMMA && top && top.at !== null) top.at += 1;
      top = path.at(-1);
      at += 1;
      continue;
    }
    pattern.lastIndex = at;
    // A minus that no digit follows is no JSON.
    const end = pattern.test(text) ? pattern.lastIndex : at + 1;
    const token = text.slice(at, end);
    if (pattern === STRING) last = token.slice(1, -1);
    else if (token !== "-" && isLost(token))
      return { token, path: path.map(({ key, at: place }) => place ?? key) };
    at = end;
  }
  return null;
}

const isDigit = (char: number) => char >= 48 && char <= 57;

function isLost(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return true;
  const isSmall = Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  if (isSmall && value !== 0) return false;
  const [mantissa = "", exponent] = literal.split(/e/i);
  if (isSmall) return /[1-9]/.test(mantissa);
  // 6.02e23 is how a measurement is written, and comes back unchanged.
  const digits = mantissa.replace(/[-.]/g, "").replace(/^0+|0+$/g, "").length;
  return exponent === undefined || digits > DIGITS_KEPT;
}

/** Such numbers have 17 digits, or 16 that begin with a 9, or an exponent. Fencing tokens have 16 and begin with a 1. */
const SUSPECT = /\d{17}|9\d{15}|\d[eE][+-]?\d/;
// An unterminated string extends to the end of the text: otherwise every quote in it would be tried anew.
const STRING = /"(?:[^"\\]|\\.)*"?/y;
const NUMBER = /-?\d[\d.eE+-]*/y;
const [QUOTE, MINUS, COLON, COMMA] = [34, 45, 58, 44];
const OPENING = { object: 123, list: 91 };
const CLOSING = { object: 125, list: 93 };
const DIGITS_KEPT = 17;
