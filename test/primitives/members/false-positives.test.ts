import { describe, expect, test } from "vitest";
import type { ProbeResult } from "../../../src/probing/probe.js";
import { Probing } from "../../../src/probing/probing.js";
import { Keys } from "../../../src/scripts/keys.js";
import type { Instance } from "../../simulation/instance.js";
import { Chance } from "../../simulation/random.js";
import { inVirtualTime, type VirtualDeployment } from "../../simulation/virtual-time.js";

// Members that live and answer, in virtual time: nobody may ever see one of them suspect or gone.

const SERVICE = "search";
const TTL_MS = 3_000;
const INTERVAL_MS = TTL_MS / 3;
const RUN_MS = 25_000;
const IDS = Array.from({ length: 10 }, (_, i) => `m${i}`);
const registration = (id: string) => ({
  address: `${id}:1`,
  weight: 1,
  zone: null,
  tags: [],
  metadata: null,
});

/** Lists the service at every instance again and again, and notes what is not as it should be. */
async function watch({ sleep, nowMs, universe }: VirtualDeployment): Promise<Found> {
  const wrong = new Set<string>();
  let most = 0;
  for (let round = 0; nowMs() < RUN_MS; round++) {
    const awake = universe.alive.filter(({ frozen }) => !frozen);
    const members = (await awake[round % awake.length]?.core.membership.list(SERVICE)) ?? [];
    const statuses = new Map(members.map(({ id, status }) => [id, status]));
    const now = IDS.filter((id) => statuses.get(id) !== "up");
    for (const id of now) wrong.add(`${id} ${statuses.get(id) ?? "is gone"}`);
    most = Math.max(most, now.length);
    await sleep(100);
  }
  return { wrong: [...wrong], most };
}

/** What was wrong with whom, and with how many at once. */
interface Found {
  readonly wrong: readonly string[];
  readonly most: number;
}

describe("heartbeats and reporters that are late at random", () => {
  /** Heartbeats, and what reporters see and say, are late by up to so many times to live. */
  async function findingsWith(
    late: { beats: number; reporters: number },
    seed: number,
  ): Promise<readonly string[]> {
    let found: readonly string[] = [];
    await inVirtualTime(async (deployment) => {
      const { one, sleep, nowMs, universe } = deployment;
      const chance = new Chance(seed, "late");
      const passing = (what: keyof typeof late) => sleep(chance.between(0, late[what] * TTL_MS));
      const anywhere = () => chance.pick(universe.alive).core.membership;
      for (const id of IDS) await one.core.membership.register(SERVICE, id, TTL_MS, registration(id));
      const ignored = () => {};

      /** Sends a heartbeat every interval, however long each is under way. */
      const live = async (id: string) => {
        for (; nowMs() < RUN_MS; await sleep(INTERVAL_MS))
          void passing("beats").then(() => anywhere().heartbeat(SERVICE, id).catch(ignored));
      };
      /** Calls others, who answer at once; reports those whose answer it has not seen for as long as their time to live. */
      const call = async (reporter: string) => {
        for (; nowMs() < RUN_MS; await sleep(INTERVAL_MS)) {
          const other = chance.pick(IDS.filter((id) => id !== reporter));
          const sentMs = nowMs();
          void passing("reporters").then(async () => {
            if (nowMs() - sentMs <= TTL_MS) return;
            await passing("reporters");
            const report = { reporter, reason: "no answer" };
            await anywhere().suspicions.reportByPeer(SERVICE, other, report).catch(ignored);
          });
        }
      };
      const members = IDS.flatMap((id) => [live(id), call(id)]);
      found = (await watch(deployment)).wrong;
      await Promise.all(members);
    });
    return found;
  }

  test.each([1, 2])("by up to 0.6 of the time to live make nobody suspect, seed %d", async (seed) => {
    expect(await findingsWith({ beats: 0.6, reporters: 0.6 }, seed)).toEqual([]);
  });

  test("by much more do: what finds nothing above could find something", async () => {
    const suspect = await findingsWith({ beats: 0.6, reporters: 2 }, 1);
    expect(suspect.filter((one) => one.endsWith("suspect"))).not.toEqual([]);
    const gone = await findingsWith({ beats: 3, reporters: 0.6 }, 1);
    expect(gone.filter((one) => one.endsWith("is gone"))).not.toEqual([]);
  });
});

describe("an instance that probes", () => {
  const probe = { tcp: "10.0.0.7:9000", intervalMs: 1_000, timeoutMs: 500 };

  /** Three instances probe members that answer all of them but those that are cut off. */
  async function findingsWith(
    cutOff: readonly number[],
    disturb: (instances: readonly Instance[], sleep: (ms: number) => Promise<void>) => Promise<void>,
  ): Promise<Found & { failures: number }> {
    let found: Found = { wrong: [], most: 0 };
    let failures = 0;
    await inVirtualTime(async (deployment) => {
      const { one, start, sleep, nowMs, universe } = deployment;
      await start();
      const chance = new Chance(1, "probes");
      for (const id of IDS)
        await one.core.membership.register(SERVICE, id, 60_000, { ...registration(id), probe });
      const probing = universe.instances.map((instance, place) => {
        const look = async (): Promise<ProbeResult> => {
          const answer = new Promise<ProbeResult>((settle) => {
            if (cutOff.includes(place)) return;
            universe.scheduler.after(chance.between(1, 50), () =>
              instance.receive(() => settle({ outcome: "ok", detail: "" })),
            );
          });
          const timeout = instance.clock.sleep(500).then(() => ({ outcome: "timeout", detail: "" }) as const);
          const result = await Promise.race([answer, timeout]);
          if (result.outcome === "timeout") failures += 1;
          return result;
        };
        const { membership, primaries } = instance.core;
        const { clock } = instance;
        const random = chance.next.bind(chance);
        return new Probing(["10.0.0.0/8"], `i${place}`, {
          membership,
          primaries,
          keys: new Keys("q:"),
          clock,
          random,
          look,
        });
      });
      for (const each of probing) each.start();
      const disturbing = disturb(universe.instances, sleep);
      found = await watch(deployment);
      await disturbing;
      for (const each of probing) each.stop();
      expect(nowMs()).toBeGreaterThanOrEqual(RUN_MS);
    });
    return { ...found, failures };
  }

  test("and is paused again and again makes nobody suspect", async () => {
    const { wrong } = await findingsWith([], async ([, stalled], sleep) => {
      for (const ms of [300, 2_000, 6_000, 700]) {
        await sleep(2_500);
        stalled?.freeze();
        await sleep(ms);
        stalled?.resume();
      }
    });
    expect(wrong).toEqual([]);
  });

  test("and reaches the primaries but no member makes nobody suspect", async () => {
    const { wrong, failures } = await findingsWith([1], async () => {});
    expect(failures).toBeGreaterThan(20);
    expect(wrong).toEqual([]);
  });

  test("finds out what all three do not reach: what finds nothing above could find something", async () => {
    const { wrong, most } = await findingsWith([0, 1, 2], async () => {});
    expect(wrong.every((one) => one.endsWith("suspect"))).toBe(true);
    // Half of the service at most.
    expect(most).toBe(5);
  });
});
