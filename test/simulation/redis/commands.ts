import { murmur3 } from "../../../src/algorithms/murmur3.js";
import { type Keyspace, type StreamEntry, type Value, WrongType } from "./keyspace.js";
import { Failure, OK, type Reply, Status } from "./reply.js";

/** One command on a database. Only what src/redis and its scripts use is here; a test fails loudly on anything else. */
export type Command = (keys: Keyspace, args: readonly string[], nowMs: number) => Reply;

/** Runs one command. Throws on commands that the simulation lacks: that is no error that Redis would know. */
export function runCommand(name: string, keys: Keyspace, args: readonly string[], nowMs: number): Reply {
  const command = (READS[name] ?? WRITES[name]) as Command | undefined;
  if (!command) throw new Error(`the simulated Redis has no command ${name}: add it to commands.ts`);
  try {
    return command(keys, args, nowMs);
  } catch (error) {
    if (error instanceof WrongType) return WRONG_TYPE;
    if (error instanceof NotAnInteger) return NOT_AN_INTEGER;
    throw error;
  }
}

export function isWrite(name: string): boolean {
  return name in WRITES;
}

const READS: Readonly<Record<string, Command>> = {
  PING: () => new Status("PONG"),
  TIME: (_keys, _args, nowMs) => {
    const micros = Math.floor(nowMs * 1000);
    return [String(Math.floor(micros / 1e6)), String(micros % 1e6)];
  },
  GET: (keys, [key = ""]) => textOf(keys.get(key)),
  GETRANGE: (keys, [key = "", first, last]) => {
    const bytes = Buffer.from(textOf(keys.get(key)) ?? "");
    return bytes.subarray(...rangeOf(bytes.length, integer(first), integer(last))).toString();
  },
  EXISTS: (keys, args) => args.filter((key) => keys.get(key)).length,
  PTTL: (keys, [key = ""], nowMs) => {
    const atMs = keys.expiresAtMs(key);
    if (atMs === undefined) return -2;
    return atMs === Number.POSITIVE_INFINITY ? -1 : Math.floor(atMs) - Math.floor(nowMs);
  },
  HGET: (keys, [key = "", field = ""]) => fieldsOf(keys.get(key))?.get(field) ?? null,
  HMGET: (keys, [key = "", ...names]) => {
    const fields = fieldsOf(keys.get(key));
    return names.map((name) => fields?.get(name) ?? null);
  },
  HGETALL: (keys, [key = ""]) => [...(fieldsOf(keys.get(key)) ?? [])].flat(),
  HKEYS: (keys, [key = ""]) => [...(fieldsOf(keys.get(key))?.keys() ?? [])],
  HLEN: (keys, [key = ""]) => fieldsOf(keys.get(key))?.size ?? 0,
  HEXISTS: (keys, [key = "", field = ""]) => (fieldsOf(keys.get(key))?.has(field) ? 1 : 0),
  ZCARD: (keys, [key = ""]) => scoresOf(keys.get(key))?.size ?? 0,
  ZSCORE: (keys, [key = "", member = ""]) => {
    const score = scoresOf(keys.get(key))?.get(member);
    return score === undefined ? null : String(score);
  },
  ZMSCORE: (keys, [key = "", ...members]) => {
    const scores = scoresOf(keys.get(key));
    return members.map((member) => {
      const score = scores?.get(member);
      return score === undefined ? null : String(score);
    });
  },
  ZCOUNT: (keys, [key = "", low = "", high = ""]) =>
    ordered(scoresOf(keys.get(key))).filter(([, score]) => isWithin(score, low, high)).length,
  ZRANGE: (keys, [key = "", first, last, ...options]) => {
    const withScores = options[0]?.toUpperCase() === "WITHSCORES";
    if (options.length > (withScores ? 1 : 0)) throw new Error("the simulated ZRANGE knows WITHSCORES only");
    const found = ranged(ordered(scoresOf(keys.get(key))), integer(first), integer(last));
    return found.flatMap(([member, score]) => (withScores ? [member, String(score)] : [member]));
  },
  ZREVRANGE: (keys, [key = "", first, last]) => {
    const found = ranged(ordered(scoresOf(keys.get(key))).reverse(), integer(first), integer(last));
    return found.map(([member]) => member);
  },
  ZRANK: (keys, [key = "", member = ""]) => {
    const place = ordered(scoresOf(keys.get(key))).findIndex(([one]) => one === member);
    return place < 0 ? null : place;
  },
  ZRANGEBYLEX: (keys, [key = "", low = "", high = "", ...options]) => {
    const found = ordered(scoresOf(keys.get(key)))
      .map(([member]) => member)
      .filter((member) => isAbove(member, low) && isBelow(member, high));
    return limited(found, options);
  },
  ZLEXCOUNT: (keys, [key = "", low = "", high = ""]) =>
    [...(scoresOf(keys.get(key))?.keys() ?? [])].filter(
      (member) => isAbove(member, low) && isBelow(member, high),
    ).length,
  ZRANGEBYSCORE: (keys, [key = "", low = "", high = "", ...options]) => {
    const found = ordered(scoresOf(keys.get(key)))
      .filter(([, score]) => isWithin(score, low, high))
      .map(([member]) => member);
    return limited(found, options);
  },
  XRANGE: (keys, [key = "", low = "", high = "", ...options]) => {
    const count = option(options, "COUNT");
    const from = low === "-" ? [0, 0] : low.split("-").map(Number);
    if (high !== "+") throw new Error("the simulated XRANGE goes to the end only");
    const found = entriesOf(keys.get(key)).filter(
      ({ ms, seq }) => ms > (from[0] as number) || (ms === from[0] && seq >= (from[1] ?? 0)),
    );
    return found
      .slice(0, count === undefined ? undefined : integer(count))
      .map(({ ms, seq, pairs }) => [`${ms}-${seq}`, [...pairs]]);
  },
  SCAN: (keys, [cursor = "0", ...options]) => {
    const pattern = globOf(option(options, "MATCH") ?? "*");
    return page(keys.keys(), cursor, (key) => (pattern.test(key) ? [key] : []));
  },
  HSCAN: (keys, [key = "", cursor = "0", ...options]) => {
    const pattern = globOf(option(options, "MATCH") ?? "*");
    const fields = fieldsOf(keys.get(key)) ?? new Map<string, string>();
    return page([...fields.keys()], cursor, (field) =>
      pattern.test(field) ? [field, fields.get(field) ?? ""] : [],
    );
  },
  ZSCAN: (keys, [key = "", cursor = "0"]) => {
    const scores = scoresOf(keys.get(key)) ?? new Map<string, number>();
    return page([...scores.keys()], cursor, (member) => [member, String(scores.get(member))]);
  },
};

const WRITES: Readonly<Record<string, Command>> = {
  SET: (keys, [key = "", text = "", ...rest], nowMs) => {
    const onlyNew = rest[0]?.toUpperCase() === "NX";
    if (onlyNew && keys.get(key)) return null;
    const options = onlyNew ? rest.slice(1) : rest;
    if (options.length === 0) keys.set(key, { type: "string", text });
    else if (options[0]?.toUpperCase() === "PX" && options.length === 2) {
      const ttlMs = integer(options[1]);
      if (ttlMs <= 0) return new Failure("ERR invalid expire time in 'set' command");
      keys.set(key, { type: "string", text }, Math.floor(nowMs) + ttlMs);
    } else throw new Error("the simulated SET knows NX and PX only");
    return OK;
  },
  SETRANGE: (keys, [key = "", at, text = ""]) => {
    const from = integer(at);
    const before = Buffer.from(textOf(keys.get(key)) ?? "");
    if (from + Buffer.byteLength(text) > before.length)
      throw new Error("the simulated SETRANGE makes no text longer");
    const whole = Buffer.from(before);
    whole.write(text, from);
    keys.set(key, { type: "string", text: whole.toString() }, keys.expiresAtMs(key));
    return whole.length;
  },
  DEL: (keys, args) => args.filter((key) => keys.delete(key)).length,
  UNLINK: (keys, args) => args.filter((key) => keys.delete(key)).length,
  RENAME: (keys, [from = "", to = ""]) => (keys.rename(from, to) ? OK : new Failure("ERR no such key")),
  PEXPIRE: (keys, [key = "", ttl, ...options], nowMs) => {
    if (options.length > 0) throw new Error("the simulated PEXPIRE has no options");
    const ttlMs = integer(ttl);
    if (keys.get(key) && ttlMs <= 0) return keys.delete(key) ? 1 : 0;
    return keys.expire(key, Math.floor(nowMs) + ttlMs) ? 1 : 0;
  },
  HSET: (keys, [key = "", ...pairs]) => {
    const fields = keys.hash(key);
    const before = fields.size;
    for (let i = 0; i + 1 < pairs.length; i += 2) fields.set(pairs[i] as string, pairs[i + 1] as string);
    return fields.size - before;
  },
  HSETNX: (keys, [key = "", field = "", text = ""]) => {
    if (fieldsOf(keys.get(key))?.has(field)) return 0;
    keys.hash(key).set(field, text);
    return 1;
  },
  HINCRBY: (keys, [key = "", field = "", by]) => {
    const more = integer(by);
    const sum = integer(fieldsOf(keys.get(key))?.get(field) ?? "0") + more;
    keys.hash(key).set(field, String(sum));
    return sum;
  },
  HDEL: (keys, [key = "", ...names]) => {
    if (!fieldsOf(keys.get(key))) return 0;
    const fields = keys.hash(key);
    const removed = names.filter((name) => fields.delete(name)).length;
    if (fields.size === 0) keys.delete(key);
    return removed;
  },
  ZADD: (keys, [key = "", ...rest]) => {
    const flag = /^(GT|LT|NX|XX)$/i.exec(rest[0] ?? "")?.[1]?.toUpperCase();
    const pairs = flag ? rest.slice(1) : rest;
    if (flag === "XX" && !scoresOf(keys.get(key))) return 0;
    const scores = keys.zset(key);
    const before = scores.size;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [score, member] = [Number(pairs[i]), pairs[i + 1] as string];
      if (Number.isNaN(score)) throw new Error(`the simulated ZADD knows no flag ${pairs[i]}`);
      const old = scores.get(member);
      const isKept = (before: number) =>
        flag === "NX" || (flag === "GT" && score <= before) || (flag === "LT" && score >= before);
      const isSet = old === undefined ? flag !== "XX" : !isKept(old);
      if (isSet) scores.set(member, score);
    }
    return scores.size - before;
  },
  ZREM: (keys, [key = "", ...members]) => removeFrom(keys, key, (member) => members.includes(member)),
  ZREMRANGEBYSCORE: (keys, [key = "", low = "", high = ""]) =>
    removeFrom(keys, key, (_member, score) => isWithin(score, low, high)),
  XADD: (keys, [key = "", ...rest], nowMs) => {
    const isCapped = rest[0]?.toUpperCase() === "MAXLEN";
    const [id, ...pairs] = isCapped ? rest.slice(3) : rest;
    if (id !== "*" || (isCapped && rest[1] !== "~"))
      throw new Error("the simulated XADD knows MAXLEN ~ and * only");
    const entries = keys.stream(key);
    const last = entries.at(-1);
    const ms = Math.max(Math.floor(nowMs), last?.ms ?? 0);
    const entry = { ms, seq: last?.ms === ms ? last.seq + 1 : 0, pairs };
    entries.push(entry);
    // As Redis does: a node of 100 entries at a time.
    if (isCapped && entries.length >= integer(rest[2]) + 100) entries.splice(0, 100);
    return `${entry.ms}-${entry.seq}`;
  },
  FLUSHALL: (keys) => {
    keys.clear();
    return OK;
  },
  PUBLISH: (keys, [channel = "", message = ""]) => {
    keys.published.push({ channel, message });
    return keys.listeners(channel);
  },
};

const WRONG_TYPE = new Failure("WRONGTYPE Operation against a key holding the wrong kind of value");
const NOT_AN_INTEGER = new Failure("ERR value is not an integer or out of range");

class NotAnInteger extends Error {}

function integer(text: string | undefined): number {
  if (text === undefined || !/^-?\d+$/.test(text)) throw new NotAnInteger();
  return Number(text);
}

function textOf(value: Value | undefined): string | null {
  if (value && value.type !== "string") throw new WrongType();
  return value?.text ?? null;
}

function fieldsOf(value: Value | undefined): ReadonlyMap<string, string> | undefined {
  if (value && value.type !== "hash") throw new WrongType();
  return value?.fields;
}

function scoresOf(value: Value | undefined): ReadonlyMap<string, number> | undefined {
  if (value && value.type !== "zset") throw new WrongType();
  return value?.scores;
}

function entriesOf(value: Value | undefined): readonly StreamEntry[] {
  if (value && value.type !== "stream") throw new WrongType();
  return value?.entries ?? [];
}

function ordered(scores: ReadonlyMap<string, number> | undefined): [string, number][] {
  return [...(scores ?? [])].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

/** Members by their places; those below 0 count from the end. */
function ranged<T>(all: readonly T[], first: number, last: number): T[] {
  const place = (at: number) => (at < 0 ? Math.max(0, all.length + at) : at);
  if (last < 0 && all.length + last < 0) return [];
  return all.slice(place(first), place(last) + 1);
}

/** From where to where, of so many. */
function rangeOf(length: number, first: number, last: number): [number, number] {
  const place = (at: number) => (at < 0 ? Math.max(0, length + at) : at);
  return [place(first), place(last) + 1];
}

function limited(found: readonly string[], options: readonly string[]): string[] {
  if (options.length === 0) return [...found];
  if (options[0]?.toUpperCase() !== "LIMIT") throw new Error("the simulated range knows LIMIT only");
  return found.slice(integer(options[1]), integer(options[1]) + integer(options[2]));
}

function isAbove(member: string, low: string): boolean {
  if (low === "-") return true;
  return low.startsWith("[") ? member >= low.slice(1) : member > low.slice(1);
}

function isBelow(member: string, high: string): boolean {
  if (high === "+") return true;
  return high.startsWith("[") ? member <= high.slice(1) : member < high.slice(1);
}

function isWithin(score: number, low: string, high: string): boolean {
  const [above, from] = bound(low);
  const [below, to] = bound(high);
  return (above ? score > from : score >= from) && (below ? score < to : score <= to);
}

/** Whether the bound itself is outside, and the bound. */
function bound(text: string): [boolean, number] {
  const open = text.startsWith("(");
  const rest = open ? text.slice(1) : text;
  if (/^[+-]?inf$/i.test(rest)) return [open, rest.startsWith("-") ? -Infinity : Infinity];
  return [open, Number(rest)];
}

function removeFrom(keys: Keyspace, key: string, isGone: (member: string, score: number) => boolean): number {
  const gone = [...(scoresOf(keys.get(key)) ?? [])].filter(([member, score]) => isGone(member, score));
  if (gone.length === 0) return 0;
  const scores = keys.zset(key);
  for (const [member] of gone) scores.delete(member);
  if (scores.size === 0) keys.delete(key);
  return gone.length;
}

function option(options: readonly string[], name: string): string | undefined {
  const place = options.findIndex((one, i) => i % 2 === 0 && one.toUpperCase() === name);
  return place < 0 ? undefined : options[place + 1];
}

/**
 * One page of a SCAN: small, so that a few elements already take several. In the order of hashes, so that whatever is
 * there all the time is told, as Redis promises, whatever else comes and goes.
 */
function page(all: readonly string[], cursor: string, tell: (one: string) => string[]): Reply {
  const rest = all
    .map((one) => ({ one, hash: murmur3(one) + 1 }))
    .filter(({ hash }) => hash > Number(cursor))
    .sort((a, b) => a.hash - b.hash);
  const last = rest[PAGE - 1]?.hash;
  const told = last === undefined ? rest : rest.filter(({ hash }) => hash <= last);
  return [
    last === undefined || told.length === rest.length ? "0" : String(last),
    told.flatMap(({ one }) => tell(one)),
  ];
}

const PAGE = 5;

/** Redis' patterns as far as we use them: `*`, and any character behind a backslash for itself. */
function globOf(pattern: string): RegExp {
  const parts = pattern.match(/\\.|[\s\S]/g) ?? [];
  const source = parts.map((part) =>
    part === "*" ? "[\\s\\S]*" : part.slice(-1).replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"),
  );
  return new RegExp(`^${source.join("")}$`);
}
