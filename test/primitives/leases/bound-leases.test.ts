import { beforeEach, describe, expect, test } from "vitest";
import { BoundLeases } from "../../../src/primitives/leases/bound-leases.js";
import type { LeaseVotes } from "../../../src/quorum/lease-votes.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import type { BoundLease } from "../../../src/scripts/bound-calls.js";
import { Keys } from "../../../src/scripts/keys.js";
import { FakeClock } from "../../helpers/fake-clock.js";

// Many heartbeats of one member at the same moment, in virtual time, with primaries that only count.

const MEMBER = { service: "search", id: "search-1", incarnation: 7, nonce: "n" };
const RENEWAL_MS = 10;
/** Renewals at once: the others had not begun when the second heartbeat came. */
const UNDER_WAY_MAX = 64;
const lease = (name: string): BoundLease => ({
  leaseId: `q-${name.padStart(22, "x")}`,
  token: 5,
  ttlMs: 1_000,
  mode: "exclusive",
  resources: [`lock/${name}`],
  queues: [`lock/${name}`],
  fingerprint: null,
  limit: null,
});
const LEASES = Array.from({ length: 100 }, (_, i) => lease(`orders-${i}`));

let clock: FakeClock;
let asked: { lists: number; renewals: number };
let bound: BoundLeases;
beforeEach(() => {
  clock = new FakeClock();
  asked = { lists: 0, renewals: 0 };
  const primaries = {
    all: [],
    majority: 2,
    decide: async (...[, , { afterwards }]: [unknown, unknown, { afterwards: (heard: object) => void }]) => {
      asked.lists += 1;
      await clock.sleep(1);
      afterwards({ answers: [] });
      return [LEASES, LEASES];
    },
  } as unknown as Primaries;
  const votes: Pick<LeaseVotes, "renew"> = {
    renew: async () => {
      asked.renewals += 1;
      await clock.sleep(RENEWAL_MS);
      return { kind: "extended" } as Awaited<ReturnType<LeaseVotes["renew"]>>;
    },
  };
  bound = new BoundLeases(primaries, new Keys("q:"), votes, clock, { ttlMaxMs: 600_000 });
});

/** What a heartbeat is told, and after which time. `names`: the leases that its caller may use. */
function beat(mayUse: (names: readonly string[]) => boolean = () => true) {
  const told: { held?: readonly { readonly names: readonly string[]; readonly validForMs: number }[] } = {};
  void (async () => {
    const listed = await bound.listed(MEMBER);
    const { held } = await bound.renew(MEMBER, listed, (_, names) => mayUse(names));
    told.held = held;
  })();
  return told;
}

describe("heartbeats of one member at the same moment", () => {
  test("share one renewal of each of its leases, and all are told", async () => {
    const all = Array.from({ length: 300 }, () => beat());
    await clock.advance(200);
    for (const { held } of all) expect(held).toHaveLength(LEASES.length);
    expect(asked.lists).toBeLessThanOrEqual(2);
    expect(asked.renewals).toBeLessThanOrEqual(2 * LEASES.length);
    expect(all.at(-1)?.held?.[0]?.validForMs).toBeLessThanOrEqual(1_000 - RENEWAL_MS);
    expect(clock.pending).toBe(0);
  });

  test("each have a renewal that began after them, and not one that was under way", async () => {
    const first = beat();
    await clock.advance(2);
    const second = beat();
    await clock.advance(200);
    expect([first.held, second.held]).toEqual([expect.anything(), expect.anything()]);
    expect(asked).toEqual({ lists: 2, renewals: LEASES.length + UNDER_WAY_MAX });
  });

  test("are told of the leases that their own caller may use, and of no others", async () => {
    const [all, one] = [beat(), beat(([name]) => name === "orders-7")];
    await clock.advance(200);
    expect(all.held).toHaveLength(LEASES.length);
    expect(one.held?.map(({ names }) => names)).toEqual([["orders-7"]]);
  });
});
