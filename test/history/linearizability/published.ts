/** Reads histories of real systems that others recorded and published, with the verdicts that are known of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { groupBy } from "../operation.js";
import { allLinearizable, type Call, linearizable, type Search, type Verdict } from "./linearizable.js";
import { type RegisterInput, type RegisterOutput, register, type TextInput, text } from "./objects.js";

export interface Published {
  readonly file: string;
  readonly isLinearizable: boolean;
}

/** `verdicts.tsv` of the folder: a file, a tab, and whether it is linearizable. */
export function publishedIn(folder: string): Published[] {
  const lines = readFileSync(join(folder, "verdicts.tsv"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const [file = "", verdict] = line.trim().split("\t");
    if (verdict !== "true" && verdict !== "false") throw new Error(`no verdict: ${line}`);
    return { file, isLinearizable: verdict === "true" };
  });
}

export function judge(folder: string, file: string, search: Search = {}): Verdict<unknown>["kind"] {
  const lines = readFileSync(join(folder, file), "utf8").split("\n");
  if (file.endsWith(".log")) return linearizable(registerCalls(lines), register<number>(), search).kind;
  const keys = [...groupBy(textCalls(lines), ({ key }) => key).values()];
  return allLinearizable(keys, (calls, configurationsMax) =>
    linearizable(calls, text, { configurationsMax, ...search }),
  ).kind;
}

type RegisterCall = Call<RegisterInput<number>, RegisterOutput<number>>;

/** A log of Jepsen: one register. A line is an event, and the place of its line serves as its time. */
export function registerCalls(lines: readonly string[]): RegisterCall[] {
  return pairs(lines.flatMap(registerEvent)).map(({ startMs, from, end }) => {
    const input = registerInput(from.what, from.value);
    const isUnknown = end === null || end.event.type === "info" || end.event.value === ":timed-out";
    const answer = isUnknown ? null : { atMs: end.atMs, output: registerOutput(input, end.event) };
    return { input, startMs, answer };
  });
}

function registerInput(what: string, value: string): RegisterInput<number> {
  if (what === "write") return { kind: "write", value: Number(value) };
  if (what === "read") return { kind: "read" };
  const [from, to] = value.replace(/[[\]]/g, "").split(" ").map(Number);
  return { kind: "cas", from: from as number, to: to as number };
}

function registerOutput(
  input: RegisterInput<number>,
  { type, value }: PublishedEvent,
): RegisterOutput<number> {
  if (type === "fail") return { kind: "differs" };
  if (input.kind !== "read") return { kind: "written" };
  return { kind: "value", value: value === "nil" ? null : Number(value) };
}

/** Events of several keys, each a text. */
export function textCalls(lines: readonly string[]): (Call<TextInput, string | null> & { key: string })[] {
  return pairs(lines.flatMap(textEvent)).map(({ startMs, from, end }) => {
    const { key = "", what, value } = from;
    const input: TextInput =
      what === "get" ? { kind: "get" } : { kind: what as "put" | "append", text: value };
    const output = what === "get" ? end?.event.value : null;
    return { key, input, startMs, answer: end && { atMs: end.atMs, output: output ?? "" } };
  });
}

interface PublishedEvent {
  readonly process: string;
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly what: string;
  readonly key?: string;
  readonly value: string;
}

function registerEvent(line: string): PublishedEvent[] {
  const [, process, type, what, value] = /- (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$/.exec(line) ?? [];
  if (process === undefined || value === undefined) return [];
  return [{ process, type: type as PublishedEvent["type"], what: what as string, value: value.trim() }];
}

function textEvent(line: string): PublishedEvent[] {
  const [, process, type, what, key, value] =
    /^\{:process (\d+), :type :(\w+), :f :(\w+), :key "([^"]*)", :value (?:nil|"([^"]*)")\}/.exec(line) ?? [];
  if (process === undefined) return [];
  return [
    {
      process,
      type: type as PublishedEvent["type"],
      what: what as string,
      key: key as string,
      value: value ?? "",
    },
  ];
}

interface Pair {
  readonly startMs: number;
  readonly from: PublishedEvent;
  readonly end: { readonly atMs: number; readonly event: PublishedEvent } | null;
}

/** A process does one thing at a time: what it is told next is the answer to what it asked last. */
function pairs(events: readonly PublishedEvent[]): Pair[] {
  const all: { startMs: number; from: PublishedEvent; end: Pair["end"] }[] = [];
  const open = new Map<string, (typeof all)[number]>();
  events.forEach((event, atMs) => {
    const asked = open.get(event.process);
    if (event.type === "invoke") {
      const next = { startMs: atMs, from: event, end: null };
      all.push(next);
      open.set(event.process, next);
    } else if (asked) {
      asked.end = { atMs, event };
      open.delete(event.process);
    } else throw new Error(`process ${event.process} is told what it did not ask`);
  });
  return all;
}
