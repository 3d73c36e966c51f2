import type { Ballot } from "./ballot.js";
import type { KeyedChange, Version } from "./register.js";

/**
 * How a version of a register is stored, behind the fixed fields that lua/lib/registers.lua describes: its number, the
 * earlier changes or `-`, the keyed changes as JSON or `-`, a line feed, and the value as JSON.
 */
export function toText({ number, earlier, keyed, json }: Version): string {
  const known = keyed.length === 0 ? "-" : JSON.stringify(keyed.map(toFields));
  return `${number} ${earlier || "-"} ${known}\n${json ?? ""}`;
}

export function toVersion(text: string, etag: Ballot, isLive: boolean): Version {
  const line = text.indexOf("\n");
  const [number = "", earlier = "", known = ""] = text.slice(0, line).split(" ");
  return {
    number: Number(number),
    etag,
    json: isLive ? text.slice(line + 1) : null,
    earlier: earlier === "-" ? "" : earlier,
    keyed: known === "-" ? [] : (JSON.parse(known) as Fields[]).map(toKeyed),
  };
}

/** Without spaces in any of them. */
type Fields = readonly [key: string, body: string, number: number, etag: Ballot, atMs: number, told: string];

function toFields({ key, body, number, etag, atMs, told }: KeyedChange): Fields {
  return [key, body, number, etag, atMs, told];
}

function toKeyed([key, body, number, etag, atMs, told]: Fields): KeyedChange {
  return { key, body, number, etag, atMs, told };
}
