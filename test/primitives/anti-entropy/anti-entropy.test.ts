import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { MemberCopies } from "../../../src/primitives/anti-entropy/member-copies.js";
import { Keys } from "../../../src/scripts/keys.js";
import { command, shown } from "../../helpers/deployment.js";
import type { SharedPrimaries, SharedPrimary } from "../../helpers/primaries.js";
import { type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
let keys: Keys;

beforeAll(async () => {
  primaries = await sharedPrimaries();
});
beforeEach(async () => {
  // It does not look by itself: each test says when.
  instance = await startInstance(primaries.urls, { env: { QUORATE_ANTI_ENTROPY_INTERVAL_MS: "86400000" } });
  keys = new Keys(instance.prefix);
});
afterEach(() => instance[Symbol.asyncDispose]());

const at = (place: number) => primaries.all[place] as SharedPrimary;
const register = (id: string, ttlMs = 60_000) =>
  instance.call("PUT", `/v1/services/s/members/${id}`, { address: `${id}:1`, ttlMs });
const leave = (id: string) => instance.call("DELETE", `/v1/services/s/members/${id}`);
/** As a primary that lost a write. */
const lose = (place: number, id: string) => command(at(place), "DEL", keys.member("s", id));
const stored = async (place: number, id: string) => {
  const [left, revision] = (await command(at(place), "HMGET", keys.member("s", id), "left", "revision")) as (
    | string
    | null
  )[];
  return left === null ? null : `${left === "0" ? "live" : "left"} ${revision}`;
};
const everywhere = (id: string) => Promise.all([0, 1, 2].map((place) => stored(place, id)));

/** One pass: what it found, and whether it repaired that. */
async function compare(): Promise<string[]> {
  const found: string[] = [];
  const { primaries: among } = instance.service;
  await new MemberCopies(among, keys, systemClock, () => 0).run({
    found: (primary, difference, isRepaired) =>
      void found.push(`${among.all.indexOf(primary)} ${difference}${isRepaired ? ", repaired" : ""}`),
    pause: (ms) => systemClock.sleep(ms / 10),
  });
  return found;
}

describe("a comparison of the members", () => {
  test("finds nothing where all is well, also while members come, beat and leave", async () => {
    await register("a");
    const busy = (async () => {
      for (let i = 0; i < 60; i++) {
        await register(`b${i % 7}`);
        await instance.call("POST", "/v1/services/s/members/a/heartbeat");
        if (i % 3 === 0) await leave(`b${i % 7}`);
      }
    })();
    for (let pass = 0; pass < 3; pass++) expect(await compare()).toEqual([]);
    await busy;
  });

  test("copies a member that one primary lacks, with the time that is left", async () => {
    await register("a", 30_000);
    await lose(1, "a");
    expect(await compare()).toEqual(["1 missing, repaired"]);
    expect(await everywhere("a")).toEqual(["live 1", "live 1", "live 1"]);
    // By clocks of one machine. The way to the primary takes a while; the whole ttl again would be half a second more at least.
    const [one = 0, other = 0, third = 0] = await Promise.all(
      [0, 1, 2].map(async (place) => Number(await command(at(place), "ZSCORE", keys.members("s"), "a"))),
    );
    expect(other).toBeLessThan(Math.max(one, third) + 450);
    expect(other).toBeGreaterThan(one - 10_000);
    expect(await compare()).toEqual([]);
  });

  test("copies a newer revision to the primary that missed it", async () => {
    await register("a");
    const before = (await command(at(2), "DUMP", keys.member("s", "a"))) as string;
    expect(before).not.toBeNull();
    await instance.call("PATCH", "/v1/services/s/members/a", { weight: 2 });
    await command(at(2), "HSET", keys.member("s", "a"), "revision", "1", "change", "");
    await command(at(2), "HDEL", keys.member("s", "a"), "claim");
    expect(await compare()).toEqual(["2 stale, repaired"]);
    expect(await everywhere("a")).toEqual(["live 2", "live 2", "live 2"]);
  });

  test("never brings back a member that only one primary still has, and counts it", async () => {
    await register("a");
    await lose(0, "a");
    await lose(1, "a");
    expect(await compare()).toEqual(["2 unconfirmed"]);
    expect(await everywhere("a")).toEqual([null, null, "live 1"]);
  });

  test("would bring it back if one copy were enough", async () => {
    await register("a");
    await lose(0, "a");
    await lose(1, "a");
    Object.defineProperty(instance.service.primaries, "majority", { value: 1 });
    expect(await compare()).toEqual(["0 missing, repaired", "1 missing, repaired"]);
    expect(await everywhere("a")).toEqual(["live 1", "live 1", "live 1"]);
  });

  test("never brings back a member that left, and tells those that have not heard of it", async () => {
    await register("a");
    const before = (await command(at(0), "HGETALL", keys.member("s", "a"))) as string[];
    await leave("a");
    await lose(0, "a");
    await lose(1, "a");
    for (const place of [0, 1]) {
      await command(at(place), "HSET", keys.member("s", "a"), ...before);
      await command(at(place), "PEXPIRE", keys.member("s", "a"), 60_000);
    }
    expect(await everywhere("a")).toEqual(["live 1", "live 1", "left 1"]);
    expect(await compare()).toEqual(["0 stale, repaired", "1 stale, repaired"]);
    expect(await everywhere("a")).toEqual(["left 1", "left 1", "left 1"]);
  });

  test("tells of content that differs under one version, and leaves it", async () => {
    await register("a");
    await command(at(1), "HSET", keys.member("s", "a"), "registered", '{"address":"b:1"}');
    expect(await compare()).toEqual(["1 diverged"]);
  });

  test("reads everything part by part", async () => {
    const ids = Array.from({ length: 600 }, (_, i) => `m${i}`);
    for (let i = 0; i < ids.length; i += 50)
      await Promise.all(ids.slice(i, i + 50).map((id) => register(id)));
    await lose(0, "m0");
    await lose(1, "m599");
    await lose(2, "m300");
    expect((await compare()).sort()).toEqual([
      "0 missing, repaired",
      "1 missing, repaired",
      "2 missing, repaired",
    ]);
  });
});

describe("instances", () => {
  test("take turns, and tell what they found in /v1/primaries and in metrics", async () => {
    const env = { QUORATE_ANTI_ENTROPY_INTERVAL_MS: "1000" };
    await using one = await startInstance(primaries.urls, { prefix: instance.prefix, env });
    await using other = await startInstance(primaries.urls, { prefix: instance.prefix, env });
    await register("a");
    await lose(1, "a");
    const passes = async () => {
      const texts = await Promise.all(
        [one, other].map(async (each) => (await each.call("GET", "/metrics")).body),
      );
      return texts
        .map((text) =>
          Number(
            /quorate_anti_entropy_passes_total\{outcome="complete"\} (\d+)/.exec(String(text))?.[1] ?? 0,
          ),
        )
        .reduce((sum, count) => sum + count, 0);
    };
    const startedMs = performance.now();
    await expect.poll(passes, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    // Each would make one a second by itself.
    expect(await passes()).toBeLessThanOrEqual(Math.ceil((performance.now() - startedMs) / 700) + 1);
    expect(await everywhere("a")).toEqual(["live 1", "live 1", "live 1"]);

    const texts = await Promise.all(
      [one, other].map(async (each) => String((await each.call("GET", "/metrics")).body)),
    );
    const repaired = texts.filter((text) =>
      /quorate_anti_entropy_repairs_total\{primary="[^"]+",kind="members"\} 1/.test(text),
    );
    expect(repaired).toHaveLength(1);
    expect(texts.join("")).toMatch(
      /differences_total\{primary="[^"]+",kind="members",difference="missing"\} 1/,
    );
    const copies = await Promise.all([one, other].map(async (each) => (await shown(each)).primaries[1]));
    const [known] = copies.flatMap(
      (primary) => (primary as unknown as { copies: object | null }).copies ?? [],
    );
    expect(known).toMatchObject({ stale: 0, diverged: 0, unconfirmed: 0, comparedAgeMs: expect.any(Number) });
  }, 60_000);
});
