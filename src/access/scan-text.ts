import { Lexer } from "yaml";

/** What a parser of JSON does not tell. */
export interface JsonScan {
  readonly tooDeep: boolean;
  /** Where the first field stands that its object has already; meaningful where the text is JSON. */
  readonly duplicateAt: number | undefined;
}

/** One pass over the text, which need not be JSON. */
export function scanJson(text: string): JsonScan {
  /** The fields of each object around; null for a list. */
  const around: (Set<string> | null)[] = [];
  let duplicateAt: number | undefined;
  let stringAt = 0;
  let stringEnd = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      stringAt = at;
      at = stringEnd = endOfString(text, at);
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      if (around.length === DEPTH_MAX) return { tooDeep: true, duplicateAt };
      around.push(code === OPEN_OBJECT ? new Set() : null);
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) around.pop();
    else if (code === COLON && duplicateAt === undefined) {
      const fields = around.at(-1);
      const field = fieldOf(text.slice(stringAt, stringEnd + 1));
      if (fields?.has(field)) duplicateAt = stringAt;
      fields?.add(field);
    }
  }
  return { tooDeep: false, duplicateAt };
}

/** Where the closing quote is; the end of the text if there is none. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return text.length;
}

/** Of a string in JSON; what is no JSON stands for itself. */
function fieldOf(string: string): string {
  if (!string.includes("\\")) return string.slice(1, -1);
  try {
    return String(JSON.parse(string));
  } catch {
    return string;
  }
}

/**
 * Whether the parser of YAML, which calls itself for each level, would run out of stack, and so might abort the process.
 * `tokens`: of its own lexer, which knows quotes and comments and goes no deeper. Levels of blocks are bounded by their
 * column: each begins further to the right. It needs nothing else, so that its source can be run in a thread.
 */
export function isTooDeep(tokens: Iterable<string>, depthMax: number, columnMax: number): boolean {
  let depth = 0;
  let column = 0;
  for (const token of tokens) {
    const isIndent = column === 0 && /^ +$/.test(token);
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
    else if ((token === "-" || token === "?" || isIndent) && column + token.length > columnMax) return true;
    if (depth > depthMax) return true;
    column = token.endsWith("\n") ? 0 : column + token.length;
  }
  return false;
}

export const isYamlTooDeep = (text: string): boolean =>
  isTooDeep(new Lexer().lex(text), DEPTH_MAX, COLUMN_MAX);

/** A keys file needs six levels. */
export const DEPTH_MAX = 50;
export const COLUMN_MAX = 100;

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
