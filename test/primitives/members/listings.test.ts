import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { toGone } from "../../../src/primitives/members/gone-member.js";
import { type Listed, Listings } from "../../../src/primitives/members/listings.js";
import { toMember } from "../../../src/primitives/members/member.js";
import { goneOf, liveOf, MemberReads } from "../../../src/primitives/members/member-reads.js";
import { type Answer, failed } from "../../../src/redis/answer.js";
import { PrimaryFailure } from "../../../src/redis/failures.js";
import type { Primary } from "../../../src/redis/primary.js";
import { Keys } from "../../../src/scripts/keys.js";
import { MEMBERS_AT_ONCE_MAX, type MemberRecord, putMember } from "../../../src/scripts/member-calls.js";
import { putReport } from "../../../src/scripts/report-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import { randomOf } from "../../helpers/chance.js";
import { memberRecord } from "../../helpers/member-record.js";
import { freshName, ownPrefix } from "../../helpers/names.js";
import { STAMP } from "../../helpers/one-server.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { steadyPrimaries } from "../../helpers/steady-primaries.js";

// What lists show, which is mostly told by one primary of a majority, against the whole records of the same majority.

const STATES = 600;
const PRIMARIES = 3;
const keys = new Keys(ownPrefix());
let servers: readonly Redis[];
beforeAll(async () => {
  const { urls } = await sharedPrimaries();
  servers = urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
  await Promise.all(servers.map((redis) => redis.hset(keys.configuration, "stamp", STAMP)));
});
afterAll(() => {
  for (const redis of servers) redis.disconnect();
});

async function run<T>(at: number, { script, keys: used, args, parse }: Call<T>): Promise<T> {
  const all = [keys.configuration, ...used];
  return parse(await (servers[at] as Redis).eval(script.text, all.length, ...all, STAMP, ...args));
}

let asked: { at: number; script: string; ids: number }[];
beforeEach(() => {
  asked = [];
});

/** `source`: whose data this primary tells; another's than its own, to show what that would do. */
function primaryAt(at: number, isUp: boolean, source = at): Primary {
  const primary = {
    up: isUp,
    staleEpochs: 0,
    ask: <T>(call: Call<T>, answered: (answer: Answer<T>) => void) => {
      asked.push({ at, script: call.script.name, ids: call.args.length });
      if (!isUp) return answered(failed(new PrimaryFailure("not_sent", "away")));
      run(source, call).then(
        (value) => answered({ ok: true, value }),
        (error) => answered(failed(error)),
      );
    },
    // Repairs: what is compared must not change.
    run: () => Promise.reject(new PrimaryFailure("not_sent", "no repairs")),
  };
  return primary as unknown as Primary;
}

/** Lists, and whole reads, by these of the primaries. */
function readers(up: readonly number[], sources: readonly number[] = [0, 1, 2]) {
  const of = (from: readonly number[]) =>
    steadyPrimaries(Array.from({ length: PRIMARIES }, (_, at) => primaryAt(at, up.includes(at), from[at])));
  const reads = new MemberReads(of([0, 1, 2]), keys, systemClock, 50);
  return { reads, listings: new Listings(of(sources), keys, systemClock, reads) };
}

/** As lists tell it, but for some milliseconds. */
function told({ live, gone }: Listed): unknown[] {
  const about = (ms: number | null) => (ms === null ? null : Math.floor(ms / 20_000));
  return [
    ...live.map(toMember).map(({ lastHeartbeatAgeMs, endsInMs, ...member }, index) => ({
      ...member,
      lastHeartbeatAgeMs: about(lastHeartbeatAgeMs),
      endsInMs: about(endsInMs),
      reported: live[index]?.reported === true,
      doubt: live[index]?.doubt,
    })),
    ...gone.map(toGone).map(({ goneForMs, forgottenInMs, ...member }) => ({
      ...member,
      goneForMs: about(goneForMs),
      forgottenInMs: about(forgottenInMs),
    })),
  ];
}

async function wholly(reads: MemberReads, service: string, ids: readonly string[]): Promise<Listed> {
  const found: { live: MemberRecord[]; gone: MemberRecord[] } = { live: [], gone: [] };
  for (let at = 0; at < ids.length; ) {
    const { merged, lookedAt } = await reads.records(service, ids.slice(at, at + MEMBERS_AT_ONCE_MAX));
    found.live.push(...liveOf(merged));
    found.gone.push(...goneOf(merged));
    at += lookedAt;
  }
  return found;
}

/** Stores one member on one primary, as it may be there. What it is follows from incarnation and revision. */
async function store(at: number, service: string, id: string, random: () => number): Promise<void> {
  const one = <T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const [incarnation, revision, beats] = [one(5, 5, 5, 6), one(3, 3, 4), one(0, 1, 2)];
  const kind = one("live", "live", "live", "none", "left", "copied", "own", "late", "earlier version");
  if (kind === "none") return;
  await put(at, service, id, {
    incarnation,
    revision,
    beats,
    left: kind === "left",
    expired: kind === "copied" ? "copied" : null,
  });
  const key = keys.member(service, id);
  const redis = servers[at] as Redis;
  if (kind === "own") await redis.hset(key, "left", "2", "gone", Date.now());
  if (kind === "late") await redis.hset(key, "deadline", Date.now() - 3_000);
  if (kind === "earlier version") await redis.hdel(key, "deadline", "status", "change", "event");
  if (one(true, false)) await redis.hset(key, "load", `{"cpu":0.${beats + 1}}`);
}

function put(
  at: number,
  service: string,
  id: string,
  { incarnation = 5, revision = 3, beats = 0, ...fields }: Partial<MemberRecord> & { beats?: number } = {},
) {
  const registered = JSON.stringify({
    address: `${id}:${incarnation}`,
    weight: revision,
    zone: null,
    tags: ["a\nb"],
    metadata: { "ä\u2028": '"' },
  });
  const record = memberRecord({
    id,
    incarnation,
    revision,
    registered,
    nonce: `n${incarnation}`,
    change: revision === 3 ? "" : `c${revision}`,
    ttlMs: 318_000,
    expiresInMs: 318_000,
    heartbeatAgeMs: 2_000 + 20_000 * beats,
    ...(revision === 4 && { status: "draining", endsInMs: 218_000 }),
    ...fields,
  });
  return run(at, putMember(keys, service, record));
}

const ids = Array.from({ length: STATES }, (_, i) => `m-${String(i).padStart(3, "0")}`);

/** Many members, of which most are the same on all primaries. */
async function fill(service: string, seed: number, share = 0.4): Promise<void> {
  const report = { reporter: "r", incarnation: 5, weight: 1, times: 1, countedAgeMs: 0, reason: "silent" };
  await Promise.all(
    ids.map(async (id, index) => {
      const random = randomOf(seed * STATES + index);
      const differs = random() < share;
      await Promise.all(
        servers.map((_, at) => (differs ? store(at, service, id, random) : put(at, service, id))),
      );
      if (random() >= 0.05) return;
      const at = Math.floor(random() * PRIMARIES);
      await run(at, putReport(keys, service, id, { ...report, leftMs: 60_000 }));
    }),
  );
}

describe("a list", () => {
  test.each([1, 2, 3])("shows what the whole records of its majority say, seed %i", async (seed) => {
    const service = freshName();
    await fill(service, seed);
    for (const up of [
      [0, 1],
      [1, 2],
      [2, 0],
    ]) {
      const { reads, listings } = readers(up);
      // Whoever comes first tells all.
      for (const _ of up) {
        const [shown, whole] = [await listings.all(service, ids), await wholly(reads, service, ids)];
        expect(told(shown)).toEqual(told(whole));
        expect(shown.live.length).toBeGreaterThan(STATES / 2);
        expect(shown.gone.length).toBeGreaterThan(STATES / 20);
      }
    }
  });

  test("that took the word of one primary for that of a majority would show something else", async () => {
    const service = freshName();
    await fill(service, 4);
    const { reads } = readers([0, 1]);
    const { listings } = readers([0, 1], [0, 0, 0]);
    const [shown, whole] = [await listings.all(service, ids), await wholly(reads, service, ids)];
    expect(told(shown)).not.toEqual(told(whole));
  });

  test("asks one primary for all about members that are the same, one for less, and the third for nothing", async () => {
    const service = freshName();
    await fill(service, 5, 0);
    await readers([0, 1, 2]).listings.all(service, ids);
    expect(asked.every(({ script }) => script === "skim-members")).toBe(true);
    expect(asked.length).toBe(2 * Math.ceil(STATES / MEMBERS_AT_ONCE_MAX));
    expect(new Set(asked.map(({ at }) => at)).size).toBe(PRIMARIES);
  });

  test("is read from all that answer where too few do in time, and fails where fewer than a majority do", async () => {
    const service = freshName();
    await put(0, service, "a");
    await put(1, service, "a");
    expect((await readers([0, 1]).listings.all(service, ["a", "b"])).live.map(({ id }) => id)).toEqual(["a"]);
    expect(asked.filter(({ script }) => script === "list-members")).toEqual([]);
    await expect(readers([0]).listings.all(service, ["a"])).rejects.toMatchObject({ code: "no_quorum" });
  });

  test("tells for how long a guard keeps members whose time is over", async () => {
    const service = freshName();
    for (const at of [0, 1, 2])
      for (const id of ["a", "b"]) {
        await put(at, service, id);
        if (id === "b")
          await (servers[at] as Redis).hset(keys.member(service, id), "deadline", Date.now() - 10);
        await (servers[at] as Redis).hset(keys.guard(service), "until", Date.now() + 60_000);
      }
    const part = await readers([0, 1, 2]).listings.part(service, ["a", "b"]);
    expect(part.live.map(({ id, doubt }) => [id, doubt])).toEqual([
      ["a", undefined],
      ["b", "guarded"],
    ]);
    expect(part.guardEndsInMs).toBeGreaterThan(50_000);
  });
});

describe("parts of a list", () => {
  test("are as many ids as are of use; the next is asked for before the last was worked on", async () => {
    const service = freshName();
    for (const at of [0, 1, 2]) await put(at, service, "m-000");
    let left = 300;
    const seen: number[] = [];
    const before: number[] = [];
    for await (const part of readers([0, 1, 2]).listings.parts(service, ids, () => Math.max(left, 50))) {
      seen.push(part.ids.length);
      before.push(asked.length);
      left -= part.ids.length;
      if (left <= -100) break;
    }
    expect(seen).toEqual([250, 50, 50, 50]);
    // The second was under way with the first; those behind it were not wanted when it came.
    expect(before).toEqual([4, 4, 6, 8]);
  });

  test("that are cut since they are large are all told, none twice", async () => {
    const service = freshName();
    const registered = JSON.stringify({ address: "m:1", metadata: "x".repeat(2_000) });
    const some = ids.slice(0, 300);
    for (const at of [0, 1, 2]) await Promise.all(some.map((id) => put(at, service, id, { registered })));
    // Of another revision on each primary: read in whole.
    for (const id of some.filter((_, i) => i % 3 === 0))
      await put(1, service, id, { registered, revision: 4 });
    const { live } = await readers([0, 1, 2]).listings.all(service, some);
    expect(live.map(({ id }) => id)).toEqual(some);
  });
});
