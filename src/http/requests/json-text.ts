import { CoordinationError } from "../../errors.js";

/**
 * Throws `invalid_request`, naming the field, if a JSON body has a number that JavaScript cannot represent: `1e999` would
 * silently become null, and 9007199254740993 would lose its last digit. Text that is not JSON passes.
 */
export function refuseLostNumbers(text: string): void {
  if (!SUSPECT.test(text)) return;
  const lost = firstLost(text);
  if (!lost) return;
  const field = lost.path
    .map(({ key, at }) => at ?? key)
    .join(".")
    .slice(0, SHOWN_MAX);
  const detail = `the number ${shortened(lost.token)} cannot be represented exactly: send it as text`;
  throw new CoordinationError("invalid_request", field ? `${field}: ${detail}` : detail, {
    help: { errors: [{ field, detail }], ...(field && { field }) },
  });
}

/** Where a value is: in an object by its key, in a list by its place there. */
interface Step {
  key: string;
  at: number | null;
}

/** In one pass, since a body may have 2 MB of numbers: some 20 ms. */
function firstLost(text: string): { readonly token: string; readonly path: readonly Step[] } | null {
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
    else if (isLost(token)) return { token, path };
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

function shortened(token: string): string {
  return token.length > SHOWN_MAX ? `${token.slice(0, SHOWN_MAX)}…` : token;
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
const SHOWN_MAX = 100;
