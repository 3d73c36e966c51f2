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
  registers: [
    "prepare-register",
    "accept-register",
    "read-register",
    "list-registers",
    "due-registers",
    "register-names",
    "raise-register-floor",
    "remove-register",
    "digest-registers",
    "restore-register",
    "drop-registers",
  ],
  members: [
    "announce-incarnation",
    "claim-incarnation",
    "claim-change",
    "put-member",
    "expire-members",
    "heartbeat",
    "list-members",
    "skim-members",
    "count-members",
    "scan-set",
    "read-events",
    "put-report",
    "list-reports",
    "note-probed",
    "read-guard",
    "begin-guard",
  ],
  bound: ["bind-lease", "list-bound", "unbind-leases", "restore-bound"],
  "anti-entropy": ["take-turn"],
  configuration: [
    "prepare",
    "accept",
    "commit-configuration",
    "admit",
    "summarize-state",
    "restore-counters",
    "restore-tombstones",
    "drop-holds",
    "drop-borrowed",
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
 * A script in two parts. `first`: the prelude, and the libraries that its plain path needs, or where it has none, those that know
 * nothing of a single run; several runs in one call share them. `own`: its plain path, the other libraries that it needs, and
 * itself. Lua makes the functions of a library anew whenever it comes to them, which costs more than a lock: a call that the
 * plain path answers returns before most are made.
 */
function load(folder: string, name: string): { readonly first: string; readonly own: string } {
  const text = read(`${folder}/${name}`);
  const path = /^-- Plain path: (.+)$/m.exec(text)?.[1];
  const plain = path === undefined ? null : read(`plain/${path}`);
  const early = plain === null ? sharedOf(librariesOf(text)) : librariesOf(plain);
  const late = librariesOf(text).filter((one) => !early.includes(one));
  const own = [...(plain === null ? [] : ["do", plain, "end"]), ...late.map(library), text];
  const prelude = preludeOf([...early.map(library), ...own].join("\n"));
  return { first: [prelude, ...early.map(library)].join("\n"), own: own.join("\n") };
}

/** Those before the first that has keys or arguments of its own run. */
function sharedOf(libraries: readonly string[]): readonly string[] {
  const first = libraries.findIndex((name) => /\b(KEYS|ARGV)\b/.test(library(name)));
  return first < 0 ? libraries : libraries.slice(0, first);
}

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
    Object.entries(NAMES).flatMap(([folder, names]) =>
      names.map((name) => {
        const { first, own } = load(folder, name);
        return [name, scriptOf(name, `${first}\n${own}`)];
      }),
    ),
  ) as Record<ScriptName, Script>,
);

/** Scripts that many requests call at once, each as one that runs it several times (redis/script-batches.ts). By name. */
export const BATCHES: ReadonlyMap<string, Script> = new Map(
  (
    [
      ["leases", "acquire-lease"],
      ["leases", "release-lease"],
      ["leases", "renew-lease"],
      ["queue", "leave-queue"],
      ["queue", "take-ticket"],
      ["registers", "prepare-register"],
      ["registers", "accept-register"],
      ["registers", "read-register"],
      ["registers", "restore-register"],
    ] as const
  ).map(([folder, name]) => {
    const { first, own } = load(folder, name);
    const text = read("lib/batch").replace("--SCRIPT\n", () => `${own}\n`);
    return [name, scriptOf(`${name} batch`, `${first}\n${text}`)];
  }),
);

/**
 * How many runs a batch may have of scripts that may send or receive 64 KB each: some 4 ms of a primary's time. By name; others
 * are bounded by their keys alone.
 */
export const RUNS_MAX: ReadonlyMap<string, number> = new Map([
  ["prepare-register", 20],
  ["accept-register", 20],
  ["read-register", 20],
  ["restore-register", 20],
]);

/**
 * Scripts whose calls wait for those that are under way, and for which they wait: those under one name leave together. Where they
 * do, accepts go first: behind a promise of the next change a primary would refuse the version of the one before.
 */
export const GATHERED: ReadonlyMap<string, string> = new Map([
  ["accept-register", "changes of registers"],
  ["prepare-register", "changes of registers"],
  ["read-register", "reads of registers"],
]);

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
