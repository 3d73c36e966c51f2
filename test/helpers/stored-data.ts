import { readFileSync } from "node:fs";
import type { Configuration } from "../../src/algorithms/configuration.js";
import { command } from "./deployment.js";
import type { SharedPrimary } from "./primaries.js";

/** What a version of Quorate stored on a primary, key by key, as it was at `atMs` by that primary's clock. */
export interface StoredData {
  readonly atMs: number;
  /** By their keys without the prefix. */
  readonly keys: Readonly<Record<string, StoredKey>>;
}

interface StoredKey {
  readonly type: "hash" | "zset" | "string";
  /** Null: it does not end. */
  readonly ttlMs: number | null;
  readonly value: string | Readonly<Record<string, string>>;
}

/** A file next to the test that reads it. */
export function storedData(file: URL): StoredData {
  return JSON.parse(readFileSync(file, "utf8")) as StoredData;
}

/**
 * Stores it on all primaries below a prefix, as if it had been written just now, and by these servers. Its configuration is
 * that of three primaries with the ids id0 to id2.
 */
export async function store(
  { atMs, keys }: StoredData,
  primaries: readonly SharedPrimary[],
  prefix: string,
): Promise<void> {
  const servers = await Promise.all(primaries.map(serverOf));
  await Promise.all(
    primaries.map(async (primary, place) => {
      const byMs = (servers[place]?.nowMs ?? 0) - atMs;
      const entries = Object.entries(keys).map(([key, { ttlMs, value }]) => {
        const moved = typeof value === "string" ? value : movedBy(byMs, value, prefix);
        const own = key === "configuration" ? ofPrimary(moved as Fields, servers, place) : moved;
        return { key: prefix + key, ttlMs: ttlMs ?? 0, value: own, isSet: keys[key]?.type === "zset" };
      });
      await command(primary, "EVAL", WRITE, 0, JSON.stringify(entries));
    }),
  );
}

type Fields = Readonly<Record<string, string>>;

interface Server {
  readonly address: string;
  readonly runId: string;
  readonly replid: string;
  readonly nowMs: number;
}

async function serverOf(primary: SharedPrimary): Promise<Server> {
  const info = String(await command(primary, "INFO"));
  const [seconds, micros] = (await command(primary, "TIME")) as [string, string];
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1] ?? "";
  const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  return {
    address: new URL(primary.url).host,
    runId: field("run_id"),
    replid: field("master_replid"),
    nowMs,
  };
}

/** Times by the clock of the primary, in ms; incarnations, counters and tickets are none, or need not be. */
function movedBy(byMs: number, fields: Fields, prefix: string): Fields {
  const moved = (name: string, value: string) => {
    if (value.startsWith("q:")) return prefix + value.slice("q:".length);
    return /^\d{13}$/.test(value) && name !== "incarnation" ? String(Number(value) + byMs) : value;
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, moved(name, value)]));
}

function ofPrimary(fields: Fields, servers: readonly Server[], place: number): Fields {
  const before = JSON.parse(fields.configuration ?? "") as Configuration;
  const primaries = before.primaries.map((entry, i) => {
    const { address = "", runId = "", replid = "" } = servers[i] ?? {};
    return { ...entry, address, runId, replid };
  });
  const own = (text = "") => text.replace("id0", `id${place}`);
  const configuration = JSON.stringify({ ...before, primaries });
  return { ...fields, configuration, id: own(fields.id), stamp: own(fields.stamp) };
}

const WRITE = `
  for _, one in ipairs(cjson.decode(ARGV[1])) do
    if type(one.value) == 'string' then redis.call('SET', one.key, one.value)
    else
      for name, value in pairs(one.value) do
        if one.isSet then redis.call('ZADD', one.key, value, name) else redis.call('HSET', one.key, name, value) end
      end
    end
    if one.ttlMs > 0 then redis.call('PEXPIRE', one.key, one.ttlMs) end
  end`;
