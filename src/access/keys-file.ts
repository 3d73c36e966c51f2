import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { certificateName } from "./certificates.js";
import { KEY, KEYS_FILE, type KeyEntry, type Limits } from "./grants-schema.js";
import { isJson, type Parsed, parseText, YAML, YAML_AT_ONCE } from "./parse-text.js";

/** What a keys file says, or every mistake in it: one line each, none with a secret in it. */
export type KeysFile =
  | { readonly kind: "read"; readonly keys: readonly KeyEntry[]; readonly limits: Limits | undefined }
  | { readonly kind: "refused"; readonly mistakes: readonly string[] };

/**
 * `file`: its name for the mistakes. `pause` is awaited every few ms while keys are checked. JSON is read twenty times
 * faster than YAML.
 */
export async function readKeysFile(
  file: string,
  text: string,
  pause: () => Promise<void> = async () => {},
): Promise<KeysFile> {
  if (text.length > LENGTH_MAX)
    return refused([`${file} has ${text.length} characters, but must have at most ${LENGTH_MAX}`]);
  const parsed = await parseText(text);
  if (parsed.kind === "failed") return refused([syntaxMistake(file, text, parsed)]);
  const places = new Places(file, text);
  const { content } = parsed;
  const whole = KEYS_FILE.safeParse(content);
  if (!whole.success)
    return refused(whole.error.issues.flatMap((one) => shapeMistakes(places, content, one)));
  const keys: KeyEntry[] = [];
  const mistakes: string[] = [];
  for (const [i, key] of whole.data.keys.entries()) {
    if (i % KEYS_AT_ONCE === KEYS_AT_ONCE - 1) await pause();
    const checked = KEY.safeParse(key);
    if (checked.success) keys.push(checked.data);
    else
      mistakes.push(...checked.error.issues.flatMap((one) => shapeMistakes(places, key, one, ["keys", i])));
    if (mistakes.length > MISTAKES_MAX) break;
  }
  if (mistakes.length === 0) mistakes.push(...ambiguities(places, keys));
  return mistakes.length > 0 ? refused(mistakes) : { kind: "read", keys, limits: whole.data.limits };
}

function refused(mistakes: readonly string[]): KeysFile {
  const shown = mistakes.slice(0, MISTAKES_MAX);
  return {
    kind: "refused",
    mistakes: mistakes.length > MISTAKES_MAX ? [...shown, "and more mistakes"] : shown,
  };
}

/** The reason in our words: that of the parser may repeat what is in the file. */
function syntaxMistake(file: string, text: string, { at, code, alias }: Parsed & { kind: "failed" }): string {
  const where = at ? `${file}:${at.line}:${at.col}` : file;
  if (isJson(text)) return `${where} is not valid JSON`;
  if (alias) {
    return `${where} is not valid YAML: a name that begins with * is an alias; the pattern * must be in quotes: "*"`;
  }
  const reason = REASONS[code];
  return `${where} is not valid YAML${reason === undefined ? "" : `: ${reason}`}`;
}

const REASONS: Readonly<Record<string, string>> = Object.freeze({
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

  /** Parses once more, for the line number: only where there is a mistake, and not where that would take long. */
  name(path: readonly PropertyKey[]): string {
    if (this.text.length > YAML_AT_ONCE) return `${this.file}: ${pathName(path)}`;
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

/** `base`: where in the file the content stands. */
function shapeMistakes(
  places: Places,
  content: unknown,
  issue: z.core.$ZodIssue,
  base: readonly PropertyKey[] = [],
): string[] {
  const place = [...base, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const known = PLAIN.test(key) ? ` "${key}"` : "";
      return `${places.name(place)} has an unknown field${known}, but must be ${issue.message}`;
    });
  }
  let value = content;
  for (const step of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return [`${places.name(place)} ${describe(value, issue.path)}, but must be ${issue.message}`];
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

/** In characters: ten times the room that 1,000 keys with 20 grants each take. */
const LENGTH_MAX = 64 * 1024 * 1024;
const MISTAKES_MAX = 20;
const KEYS_AT_ONCE = 20;
