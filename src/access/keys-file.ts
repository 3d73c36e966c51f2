import { type Document, isNode, LineCounter, parse, parseDocument, YAMLError } from "yaml";
import type { z } from "zod";
import { certificateName } from "./certificates.js";
import { KEYS_FILE, type KeyEntry, type Limits } from "./grants-schema.js";

/** What a keys file says, or every mistake in it: one line each, none with a secret in it. */
export type KeysFile =
  | { readonly kind: "read"; readonly keys: readonly KeyEntry[]; readonly limits: Limits | undefined }
  | { readonly kind: "refused"; readonly mistakes: readonly string[] };

/** `file`: its name for the mistakes. JSON is read as JSON, which is a hundred times faster than YAML. */
export function readKeysFile(file: string, text: string): KeysFile {
  if (text.length > LENGTH_MAX)
    return refused([`${file} has ${text.length} characters, but must have at most ${LENGTH_MAX}`]);
  let content: unknown;
  try {
    content = isJson(text) ? JSON.parse(text) : parse(text, YAML);
  } catch (error) {
    return refused([syntaxMistake(file, text, error)]);
  }
  const checked = KEYS_FILE.safeParse(content);
  const places = new Places(file, text);
  if (!checked.success) {
    return refused(checked.error.issues.flatMap((issue) => shapeMistakes(places, content, issue)));
  }
  const { keys, limits } = checked.data;
  const mistakes = ambiguities(places, keys);
  return mistakes.length > 0 ? refused(mistakes) : { kind: "read", keys, limits };
}

function refused(mistakes: readonly string[]): KeysFile {
  const more = mistakes.length - MISTAKES_MAX;
  const shown = mistakes.slice(0, MISTAKES_MAX);
  return { kind: "refused", mistakes: more > 0 ? [...shown, `and ${more} more mistakes`] : shown };
}

const isJson = (text: string): boolean => /^\s*\{/.test(text);

/** A message of the parser may repeat a line of the file: only its first line is told, which does not. */
function syntaxMistake(file: string, text: string, error: unknown): string {
  const yaml = error instanceof YAMLError ? error : parseDocument(text, YAML).errors[0];
  const at = yaml?.linePos?.[0];
  if (isJson(text)) return `${file}${at ? `:${at.line}:${at.col}` : ""} is not valid JSON`;
  if (!yaml || !at) return `${file} is not valid YAML`;
  const hint = /alias/i.test(yaml.message) ? '; the pattern * must be in quotes: "*"' : "";
  const why = hint === "" ? SAFE_REASONS[yaml.code] : "a name that begins with * is an alias";
  return `${file}:${at.line}:${at.col} is not valid YAML${why ? `: ${why}` : ""}${hint}`;
}

/** Reasons in our words: those of the parser may repeat what is in the file. */
const SAFE_REASONS: Readonly<Record<string, string>> = Object.freeze({
  DUPLICATE_KEY: "a field is there twice",
  BAD_INDENT: "the indentation does not fit",
  TAB_AS_INDENT: "tabs cannot indent",
  MISSING_CHAR: "something is missing, such as a bracket or a quote",
  MULTIPLE_DOCS: "it must be one document",
  BLOCK_AS_IMPLICIT_KEY: "a line has two colons",
});

/** Names places in the file as `keys.yaml:12: keys[1].grants[0]`. */
class Places {
  #document: Document.Parsed | undefined;
  readonly #lines = new LineCounter();
  constructor(
    private readonly file: string,
    private readonly text: string,
  ) {}

  /** Parses once more, for the line numbers: only where there is a mistake to report. */
  name(path: readonly PropertyKey[]): string {
    this.#document ??= parseDocument(this.text, { ...YAML, lineCounter: this.#lines });
    const line = this.#lineOf(path);
    return `${this.file}${line === undefined ? "" : `:${line}`}: ${pathName(path)}`;
  }

  /** Of what is missing: the line of what it is missing in. */
  #lineOf(path: readonly PropertyKey[]): number | undefined {
    for (let length = path.length; length >= 0; length--) {
      const node =
        length === 0 ? this.#document?.contents : this.#document?.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return undefined;
  }
}

/** `keys[1].grants[0].kinds` */
function pathName(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return steps.join("").replace(/^\./, "") || "the file";
}

function shapeMistakes(places: Places, content: unknown, issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const known = PLAIN.test(key) ? ` "${key}"` : "";
      return `${places.name(issue.path)} has an unknown field${known}, but must be ${issue.message}`;
    });
  }
  let value = content;
  for (const step of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return [`${places.name(issue.path)} ${describe(value, issue.path)}, but must be ${issue.message}`];
}

/** In words that repeat a value only where a mistake is likely to be one of typing, and never a digest or a key. */
function describe(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is empty";
  if (Array.isArray(value)) return value.length === 0 ? "is an empty list" : `is a list of ${value.length}`;
  if (typeof value === "object") return "is an object";
  if (path.includes("sha256")) return "is something else";
  if (typeof value === "string") return PLAIN.test(value) ? `is "${value}"` : "is another text";
  return `is ${value}${path.at(-1) === "id" ? " (put it in quotes)" : ""}`;
}

const PLAIN = /^[\w.:* -]{1,30}$/;

/** What identifies a key identifies one, and every key has something that identifies it. */
function ambiguities(places: Places, keys: readonly KeyEntry[]): string[] {
  const mistakes: string[] = [];
  const seen = new Map<string, readonly PropertyKey[]>();
  const once = (what: string, value: string, path: readonly PropertyKey[]) => {
    const before = seen.get(`${what} ${value}`);
    if (before)
      mistakes.push(`${places.name(path)} repeats the ${what} of ${pathName(before)}, but must differ`);
    else seen.set(`${what} ${value}`, path);
  };
  for (const [i, { id, sha256, certificates }] of keys.entries()) {
    once("id", id, ["keys", i, "id"]);
    for (const [j, digest] of sha256.entries()) once("digest", digest, ["keys", i, "sha256", j]);
    for (const [j, name] of certificates.entries()) {
      once("name", certificateName(name), ["keys", i, "certificates", j]);
    }
    if (sha256.length + certificates.length === 0) {
      mistakes.push(`${places.name(["keys", i])} has no credential, but must have sha256 or certificates`);
    }
  }
  return mistakes;
}

const YAML = Object.freeze({
  version: "1.2",
  uniqueKeys: true,
  maxAliasCount: 1_000,
  prettyErrors: true,
} as const);
/** In characters: twenty times the room that 1,000 keys with 20 grants each take. */
const LENGTH_MAX = 64 * 1024 * 1024;
const MISTAKES_MAX = 20;
