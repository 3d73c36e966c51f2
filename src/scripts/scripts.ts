import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { LIVENESS_LUA } from "./liveness.js";

/** One script of lua/, behind the common prelude and the libraries that it needs. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** A script with its keys and arguments. The primary puts its own KEYS[1] and ARGV[1] (the fence) in front. */
export interface Call<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** Whether it may wait for the end of this tick of the event loop, to be sent with others of the same script. */
  readonly batched?: boolean;
  /** Turns the reply, as the header of the Lua file describes it, into a value. */
  readonly parse: (reply: unknown) => T;
}

/** The scripts, by the folder of lua/ that holds them. */
const NAMES = {
  leases: [
    "acquire-lease",
    "raise-counters",
    "renew-lease",
    "repair-lease",
    "release-lease",
    "read-tombstone",
    "abandon-attempt",
    "inspect-name",
    "proclaim",
    "list-locks",
    "list-holders",
    "describe-holders",
    "sweep-held",
    "find-slots",
    "inspect-semaphore",
    "set-limit",
  ],
  queue: ["take-ticket", "leave-queue", "keep-waiting"],
  members: ["announce-incarnation", "put-member", "heartbeat", "list-members", "count-members", "scan-set"],
  configuration: [
    "prepare",
    "accept",
    "commit-configuration",
    "admit",
    "summarize-state",
    "restore-counters",
    "restore-tombstones",
    "drop-holds",
    "drop-overlong",
    "rotate-counters",
  ],
} as const;

export type ScriptName = (typeof NAMES)[keyof typeof NAMES][number];

const read = (path: string) => readFileSync(new URL(`./lua/${path}.lua`, import.meta.url), "utf8");

/** A file of lib/. queues.lua is preceded by the times that it shares with TypeScript. */
function library(name: string): string {
  const text = read(`lib/${name}`);
  return name === "queues" ? `${LIVENESS_LUA}\n${text}` : text;
}

/** The files of lib/ that a text needs: those named in its header, `-- Needs: leases, queues`, each after its own needs. */
function librariesOf(text: string): string[] {
  const named = /^-- Needs: (.+)$/m.exec(text)?.[1]?.split(", ") ?? [];
  return [...new Set(named.flatMap((name) => [...librariesOf(read(`lib/${name}`)), name]))];
}

/**
 * Reads a script, and puts in front of it the prelude, its plain path and the libraries that it needs. Lua makes a library's
 * functions anew in each call, which costs more than a lock: a call that the plain path answers returns before they are made.
 */
function load(folder: string, name: string): Script {
  const text = read(`${folder}/${name}`);
  const plainPath = /^-- Plain path: (.+)$/m.exec(text)?.[1];
  const early = plainPath === undefined ? [] : plainPathOf(read(`plain/${plainPath}`));
  const late = librariesOf(text).map(library);
  const body = [...early, ...late.filter((one) => !early.includes(one)), text].join("\n");
  return scriptOf(name, `${preludeOf(body)}\n${body}`);
}

/** A file of plain/, behind the libraries that it needs itself. */
const plainPathOf = (text: string) => [...librariesOf(text).map(library), "do", text, "end"];

/** The prelude; for a script that uses nothing of the fence but the configuration epoch, it reads nothing else. */
function preludeOf(body: string): string {
  const prelude = read("lib/prelude");
  return /\bfence\[/.test(body) ? prelude : prelude.replace(/(HMGET', KEYS\[1\], 'stamp')[^)]*/, "$1");
}

function scriptOf(name: string, text: string): Script {
  return Object.freeze({ name, text, sha1: createHash("sha1").update(text).digest("hex") });
}

/** All scripts by name; loaded once, when the process starts. */
export const SCRIPTS: Readonly<Record<ScriptName, Script>> = Object.freeze(
  Object.fromEntries(
    Object.entries(NAMES).flatMap(([folder, names]) => names.map((name) => [name, load(folder, name)])),
  ) as Record<ScriptName, Script>,
);

/** Scripts that many notified waiters call at once, each as one that runs it several times (redis/script-batches.ts). By name. */
export const BATCHES: ReadonlyMap<string, Script> = new Map(
  (["acquire-lease", "leave-queue", "take-ticket"] as const).map((name) => {
    const text = read("lib/batch").replace("--SCRIPT\n", () => `${SCRIPTS[name].text}\n`);
    return [name, scriptOf(`${name} batch`, text)];
  }),
);

/** A call of a script by its name; without `parse` the reply says nothing. */
export function scriptCall<T>(
  name: ScriptName,
  keys: Call<T>["keys"],
  args: Call<T>["args"],
  parse: Call<T>["parse"] = () => undefined as T,
): Call<T> {
  return { script: SCRIPTS[name], keys, args, parse };
}

/** The reply of scripts that say yes or no, {1} or {0}. */
export const isOne = (reply: unknown): boolean => (reply as [number])[0] === 1;
