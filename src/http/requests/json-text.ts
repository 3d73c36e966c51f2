import { CoordinationError } from "../../errors.js";

/**
 * Throws `invalid_request`, naming the field, where a body of JSON has a number that JavaScript cannot keep: `1e999`
 * would become null, and 9007199254740993 lose its last digit, both without a word. Text that is no JSON passes.
 */
export function refuseLostNumbers(text: string): void {
  if (!SUSPECT.test(text)) return;
  for (const { 0: token, index } of text.matchAll(STRING_OR_NUMBER)) {
    if (token.startsWith('"') || !isLost(token)) continue;
    const field = pathTo(text.slice(0, index));
    const detail = `the number ${shortened(token)} cannot be kept as it is: send it as text`;
    throw new CoordinationError("invalid_request", field ? `${field}: ${detail}` : detail, {
      help: { errors: [{ field, detail }], ...(field && { field }) },
    });
  }
}

function isLost(literal: string): boolean {
  const value = Number(literal);
  const [mantissa = "", exponent] = literal.toLowerCase().split("e");
  if (!Number.isFinite(value)) return true;
  if (value === 0) return /[1-9]/.test(mantissa);
  // 6.02e23 is what a measurement looks like, and comes back as it was.
  const digits = mantissa.replace(/[-.]/g, "").replace(/^0+|0+$/g, "").length;
  return Math.abs(value) > Number.MAX_SAFE_INTEGER && (exponent === undefined || digits > DIGITS_KEPT);
}

/** The field whose value begins at the end of `before`, as `metadata.items.2`. */
function pathTo(before: string): string {
  const path: { key: string; at: number | null }[] = [];
  let last = "";
  for (const [token] of before.matchAll(STRING_OR_PUNCTUATION)) {
    const top = path.at(-1);
    if (token === "{") path.push({ key: "", at: null });
    else if (token === "[") path.push({ key: "", at: 0 });
    else if (token === "}" || token === "]") path.pop();
    else if (token === ":" && top) top.key = last;
    else if (token === "," && top && top.at !== null) top.at += 1;
    last = token.slice(1, -1);
  }
  return path
    .map(({ key, at }) => at ?? key)
    .join(".")
    .slice(0, SHOWN_MAX);
}

function shortened(token: string): string {
  return token.length > SHOWN_MAX ? `${token.slice(0, SHOWN_MAX)}…` : token;
}

/** What such numbers have: 17 digits, or 16 that begin with a 9, or an exponent. Fencing tokens have 16, from a 1 on. */
const SUSPECT = /\d{17}|9\d{15}|\d[eE][+-]?\d/;
// A string without an end goes to the end of the text: else each quote in it would be tried anew.
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*/g;
const STRING_OR_PUNCTUATION = /"(?:[^"\\]|\\.)*"?|[{}[\]:,]/g;
const DIGITS_KEPT = 17;
const SHOWN_MAX = 100;
