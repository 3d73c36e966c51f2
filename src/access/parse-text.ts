import { once } from "node:events";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { type Document, LineCounter, parseDocument, type YAMLError } from "yaml";
import { COLUMN_MAX, DEPTH_MAX, isTooDeep, isYamlTooDeep, scanJson } from "./scan-text.js";

/** The content of a text in YAML or JSON, or where and why it is neither. */
export type Parsed =
  | { readonly kind: "parsed"; readonly content: unknown }
  | {
      readonly kind: "failed";
      readonly at: { readonly line: number; readonly col: number } | undefined;
      /** Of the parser. */
      readonly code: string;
      /** It is about a `*`, which stands for a name that was given before. */
      readonly alias: boolean;
    };

/**
 * Parses a text without stopping the event loop for long: YAML takes a second for a few MB, and so more than a little of
 * it is parsed in a thread. Refuses what is nested too deep for a parser, and a field that is there twice.
 */
export async function parseText(text: string): Promise<Parsed> {
  try {
    if (isJson(text)) return parseJson(text);
    if (text.length > YAML_AT_ONCE) return await parseInThread(text);
    if (isYamlTooDeep(text)) return failed(TOO_DEEP);
    const document = parseDocument(text, YAML);
    const [failure] = [...document.errors, ...document.warnings];
    return failure ? failed(failure) : { kind: "parsed", content: document.toJS(YAML) };
  } catch {
    return failed(errorIn(text));
  }
}

export const isJson = (text: string): boolean => /^\s*\{/.test(text);

/** For line numbers: undefined where they would take long, or must not be looked for. */
export function documentOf(text: string, lineCounter: LineCounter): Document.Parsed | undefined {
  if (text.length > YAML_AT_ONCE || isYamlTooDeep(text)) return undefined;
  return parseDocument(text, { ...YAML, lineCounter });
}

/** Its warnings are errors to us; by default they are printed, with lines of the file. */
const YAML = Object.freeze({
  version: "1.2",
  uniqueKeys: true,
  maxAliasCount: 1_000,
  logLevel: "error",
} as const);
/** In characters: takes some 50 ms. */
const YAML_AT_ONCE = 64 * 1024;

type Failure = Pick<YAMLError, "code" | "message" | "linePos">;

function failed({ code, message, linePos }: { [field in keyof Failure]?: Failure[field] | string }): Parsed {
  const at = linePos as Failure["linePos"];
  return { kind: "failed", at: at?.[0], code: code ?? "", alias: /alias/i.test(message ?? "") };
}

function parseJson(text: string): Parsed {
  const { tooDeep, duplicateAt } = scanJson(text);
  if (tooDeep) return failed(TOO_DEEP);
  const content: unknown = JSON.parse(text);
  if (duplicateAt === undefined) return { kind: "parsed", content };
  const before = text.slice(0, duplicateAt).split("\n");
  const at = { line: before.length, col: (before.at(-1)?.length ?? 0) + 1 };
  return { kind: "failed", at, code: "DUPLICATE_KEY", alias: false };
}

/** Of JSON as of YAML, which includes it, since the parser of JSON tells no line. */
function errorIn(text: string): Partial<Failure> {
  const linePos = documentOf(text, new LineCounter())?.errors[0]?.linePos;
  return linePos ? { linePos } : {};
}

async function parseInThread(text: string): Promise<Parsed> {
  const yaml = createRequire(import.meta.url).resolve("yaml");
  const nesting = { isTooDeep: `(${isTooDeep})`, bounds: [DEPTH_MAX, COLUMN_MAX], tooDeep: TOO_DEEP };
  const worker = new Worker(THREAD, { eval: true, workerData: { yaml, text, options: YAML, ...nesting } });
  const [{ json, failure }] = (await once(worker, "message")) as [
    { json?: string; failure?: Partial<Failure> },
  ];
  await worker.terminate();
  return failure ? failed(failure) : { kind: "parsed", content: JSON.parse(json ?? "null") };
}

/** In the language of the thread: a file of its own would be TypeScript in tests and JavaScript in dist/. */
const THREAD = `
  const { parentPort, workerData } = require("node:worker_threads");
  try {
    const { text, options, isTooDeep, bounds } = workerData;
    const { Lexer, parseDocument } = require(workerData.yaml);
    if (eval(isTooDeep)(new Lexer().lex(text), ...bounds)) throw workerData.tooDeep;
    const document = parseDocument(text, options);
    const [failure] = [...document.errors, ...document.warnings];
    if (failure) throw failure;
    parentPort.postMessage({ json: JSON.stringify(document.toJS(options) ?? null) });
  } catch ({ code, message, linePos }) {
    parentPort.postMessage({ failure: { code, message, linePos } });
  }
`;

const TOO_DEEP = Object.freeze({ code: "TOO_DEEP" });
