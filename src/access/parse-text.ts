import { once } from "node:events";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { parse, parseDocument, YAMLError } from "yaml";

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
 * it is parsed in a thread.
 */
export async function parseText(text: string): Promise<Parsed> {
  try {
    if (isJson(text)) return { kind: "parsed", content: JSON.parse(text) };
    if (text.length <= YAML_AT_ONCE) return { kind: "parsed", content: parse(text, YAML) };
    return await parseInThread(text);
  } catch (error) {
    return failed(error instanceof YAMLError ? error : errorIn(text));
  }
}

export const isJson = (text: string): boolean => /^\s*\{/.test(text);

export const YAML = Object.freeze({ version: "1.2", uniqueKeys: true, maxAliasCount: 1_000 } as const);
/** In characters: takes some 50 ms. */
export const YAML_AT_ONCE = 64 * 1024;

type Failure = Pick<YAMLError, "code" | "message" | "linePos">;

function failed({ code, message, linePos }: Partial<Failure>): Parsed {
  return { kind: "failed", at: linePos?.[0], code: code ?? "", alias: /alias/i.test(message ?? "") };
}

/** Of JSON as of YAML, which includes it, since the parser of JSON tells no line. */
function errorIn(text: string): Partial<Failure> {
  return text.length > YAML_AT_ONCE ? {} : (parseDocument(text, YAML).errors[0] ?? {});
}

async function parseInThread(text: string): Promise<Parsed> {
  const yaml = createRequire(import.meta.url).resolve("yaml");
  const worker = new Worker(THREAD, { eval: true, workerData: { yaml, text, options: YAML } });
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
    const content = require(workerData.yaml).parse(workerData.text, workerData.options);
    parentPort.postMessage({ json: JSON.stringify(content ?? null) });
  } catch ({ code, message, linePos }) {
    parentPort.postMessage({ failure: { code, message, linePos } });
  }
`;
