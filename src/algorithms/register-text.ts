import type { Ballot } from "./ballot.js";
import type { Intent } from "./intent.js";
import type { KeyedChange, Version } from "./register.js";

/**
 * How a version of a register is stored, behind the fixed fields that lua/lib/registers.lua describes: its number, the
 * earlier changes or `-`, the keyed changes as JSON or `-`, a line feed, and the value as JSON. Where a transaction has an
 * intent with it, the first line ends with that as JSON, and a line with the value that it writes comes before the value.
 */
export function toText({ number, earlier, keyed, json, intent }: Version): string {
  const known = keyed.length === 0 ? "-" : JSON.stringify(keyed.map(toFields));
  const plain = `${number} ${earlier || "-"} ${known}`;
  if (!intent) return `${plain}\n${json ?? ""}`;
  return `${plain} ${JSON.stringify(toIntentFields(intent))}\n${intent.write?.json ?? ""}\n${json ?? ""}`;
}

export function toVersion(text: string, etag: Ballot, isLive: boolean): Version {
  const line = text.indexOf("\n");
  const [number = "", earlier = "", known = "", intended] = text.slice(0, line).split(" ");
  const plain = {
    number: Number(number),
    etag,
    earlier: earlier === "-" ? "" : earlier,
    keyed: known === "-" ? [] : (JSON.parse(known) as Fields[]).map(toKeyed),
  };
  if (intended === undefined) return { ...plain, json: isLive ? text.slice(line + 1) : null };
  // JSON has no line feeds outside of what it is indented with.
  const next = text.indexOf("\n", line + 1);
  const intent = toIntent(JSON.parse(intended) as IntentFields, text.slice(line + 1, next));
  return { ...plain, json: text.slice(next + 1) || null, intent };
}

/** Whether a transaction has an intent with it. */
export function hasIntent(text: string): boolean {
  const line = text.slice(0, text.indexOf("\n"));
  return line.split(" ", 4).length === 4;
}

/** Without spaces in any of them. */
type Fields = readonly [key: string, body: string, number: number, etag: Ballot, atMs: number, told: string];

function toFields({ key, body, number, etag, atMs, told }: KeyedChange): Fields {
  return [key, body, number, etag, atMs, told];
}

function toKeyed([key, body, number, etag, atMs, told]: Fields): KeyedChange {
  return { key, body, number, etag, atMs, told };
}

/** Without spaces, too. */
type IntentFields = readonly [
  record: string,
  creation: Ballot,
  etag: Ballot,
  writes: 0 | 1,
  ttlMs: number | null,
  keyed: readonly [key: string, body: string, atMs: number] | null,
];

function toIntentFields({ record, creation, etag, write, keyed }: Intent): IntentFields {
  const its = keyed && ([keyed.key, keyed.body, keyed.atMs] as const);
  return [record, creation, etag, write ? 1 : 0, write?.ttlMs ?? null, its];
}

function toIntent([record, creation, etag, writes, ttlMs, keyed]: IntentFields, text: string): Intent {
  const write = writes ? { json: text || null, ttlMs } : null;
  return {
    record,
    creation,
    etag,
    write,
    keyed: keyed && { key: keyed[0], body: keyed[1], atMs: keyed[2] },
  };
}
