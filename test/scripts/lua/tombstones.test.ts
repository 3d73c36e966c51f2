import { describe, expect, test } from "vitest";
import { restoreTombstones } from "../../../src/scripts/configuration-calls.js";
import { readTombstone } from "../../../src/scripts/lease-calls.js";
import { lease, lock, OneServer } from "../../helpers/one-server.js";

// What a primary that is readmitted takes over of leases that were ended, on one real server.
const server = new OneServer();

const RELEASED = "released";
const BROKEN = "broken\nit hung\nfor long";

/** What is said of a lease after it was copied from others, each with the time that is left, and which that is. */
async function copied(...sources: [says: string, leftMs: number][]): Promise<[says: string, leftMs: number]> {
  const key = server.keys.leaseTombstone(lease(lock()).leaseId);
  for (const [says, leftMs] of sources) await server.run(restoreTombstones([{ key, says, leftMs }]));
  return [(await server.redis.get(key)) ?? "", await server.redis.pttl(key)];
}

describe("tombstones from other primaries", () => {
  test("say what they said there", async () => {
    expect((await copied([BROKEN, 60_000]))[0]).toBe(BROKEN);
    expect((await copied([RELEASED, 60_000]))[0]).toBe(RELEASED);
    const own = lease(lock());
    const key = server.keys.leaseTombstone(own.leaseId);
    await server.run(restoreTombstones([{ key, says: BROKEN, leftMs: 60_000 }]));
    expect(await server.renew(own, 1)).toEqual({ kind: "broken", reason: "it hung\nfor long" });
    const told = (leaseId: string) => server.run(readTombstone(server.keys, leaseId));
    expect(await told(own.leaseId)).toEqual({ kind: "broken", reason: "it hung\nfor long" });
    expect(await told("another")).toBeNull();
    const released = lease(lock());
    await server.granted(released);
    await server.release(released, true);
    expect(await told(released.leaseId)).toEqual({ kind: "released" });
  });

  test.each([
    ["broken after released", [RELEASED, BROKEN], BROKEN],
    ["released after broken", [BROKEN, RELEASED], BROKEN],
    ["two reasons", [BROKEN, "broken\nanother"], BROKEN],
    ["a broken lease after an attempt that was given up", ["1", BROKEN], BROKEN],
  ] as const)("that differ say what tells more: %s", async (_, [one, other], says) => {
    expect((await copied([one, 60_000], [other, 60_000]))[0]).toBe(says);
  });

  test("live as long as the one that lives longest, whichever says more", async () => {
    for (const [one, other] of [
      [60_000, 20_000],
      [20_000, 60_000],
    ] as const) {
      for (const [first, second] of [
        [RELEASED, BROKEN],
        [BROKEN, RELEASED],
      ] as const) {
        const [says, leftMs] = await copied([first, one], [second, other]);
        expect(says).toBe(BROKEN);
        expect(leftMs).toBeGreaterThan(50_000);
        expect(leftMs).toBeLessThanOrEqual(60_000);
      }
    }
  });
});
