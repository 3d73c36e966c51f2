import { parseInfo } from "./observation.js";

/** What a server says of itself, for those who operate it. Null in a field: it does not tell. */
export interface ServerReport {
  readonly product: "redis" | "valkey";
  readonly version: string;
  readonly role: "primary" | "replica";
  readonly persistence: {
    readonly appendOnly: boolean;
    /** `CONFIG GET appendfsync`: always, everysec or no. */
    readonly appendFsync: string | null;
    /** `CONFIG GET save`, such as `3600 1 300 100`; empty: no snapshots. */
    readonly save: string | null;
    /** Whether the last writes to disk succeeded. */
    readonly writesSucceed: boolean | null;
  };
  readonly memory: {
    readonly usedBytes: number | null;
    /** Null: without a limit, or it does not tell. */
    readonly maxBytes: number | null;
    readonly maxmemoryPolicy: string | null;
  };
  readonly clock: ClockDifference;
}

/** By how much the clock of the server is ahead of this instance's, ms. */
export interface ClockDifference {
  readonly differenceMs: number;
  /** The true difference is at most this far from `differenceMs`: half of a round trip. */
  readonly uncertaintyMs: number;
}

/** The replies to INFO and CONFIG GET; null: it refuses that. */
export interface Replies {
  readonly info: string;
  readonly appendFsync: unknown;
  readonly save: unknown;
}

export function readReport({ info, appendFsync, save }: Replies, clock: ClockDifference): ServerReport {
  const fields = parseInfo(info);
  const valkey = fields.get("valkey_version");
  const appendOnly = fields.get("aof_enabled") === "1";
  return {
    product: valkey === undefined ? "redis" : "valkey",
    version: valkey ?? fields.get("redis_version") ?? "",
    role: fields.get("role") === "slave" ? "replica" : "primary",
    persistence: {
      appendOnly,
      appendFsync: settingOf(appendFsync),
      save: settingOf(save),
      writesSucceed: writesSucceed(fields, appendOnly),
    },
    memory: {
      usedBytes: numberOf(fields.get("used_memory")),
      maxBytes: numberOf(fields.get("maxmemory")) || null,
      maxmemoryPolicy: fields.get("maxmemory_policy") ?? null,
    },
    clock,
  };
}

/**
 * From when the server's clock was read, by that clock, and when that was asked and answered, by this instance's; all in
 * microseconds since 1970.
 */
export function clockDifference(theirs: number, askedAt: number, answeredAt: number): ClockDifference {
  const halfTrip = Math.max(0, answeredAt - askedAt) / 2;
  return {
    differenceMs: Math.round((theirs - askedAt - halfTrip) / 1_000),
    uncertaintyMs: Math.ceil(halfTrip / 1_000),
  };
}

/** The reply to TIME, in microseconds since 1970. Throws where it is something else. */
export function microsOf(reply: unknown): number {
  const [seconds, micros] = reply as readonly string[];
  const all = Number(seconds) * 1_000_000 + Number(micros);
  if (!Number.isFinite(all)) throw new Error("the server does not answer TIME as Redis does");
  return all;
}

function writesSucceed(fields: ReadonlyMap<string, string>, appendOnly: boolean): boolean | null {
  const states = [
    appendOnly ? fields.get("aof_last_write_status") : undefined,
    fields.get("rdb_last_bgsave_status"),
  ].filter((state) => state !== undefined);
  return states.length === 0 ? null : states.every((state) => state === "ok");
}

/** `["save", "3600 1"]` -> `3600 1`; null: it was refused. */
function settingOf(reply: unknown): string | null {
  const value = Array.isArray(reply) ? reply[1] : null;
  return typeof value === "string" ? value : null;
}

function numberOf(text: string | undefined): number | null {
  const number = Number(text);
  return text === undefined || !Number.isFinite(number) ? null : number;
}
