import { describe, expect, test } from "vitest";
import { NO_BALLOT } from "../../../src/algorithms/ballot.js";
import { Changes } from "../../../src/primitives/registers/changes.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import type { Answer } from "../../../src/redis/answer.js";
import type { Primary } from "../../../src/redis/primary.js";
import { Keys } from "../../../src/scripts/keys.js";
import { type Call, SCRIPTS } from "../../../src/scripts/scripts.js";
import { randomOf } from "../../helpers/chance.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { steadyPrimaries } from "../../helpers/steady-primaries.js";

// Two instances change one register all the time, each for many clients: how often each comes, and what becomes of it.

/** What one primary has of the register; see lua/lib/registers.lua. */
interface Stored {
  promised: string;
  accepted: string;
  /** What follows the two ballots. */
  rest: string;
}

function primariesOf(stored: readonly Stored[], time: FakeClock, random: () => number): Primaries {
  const all = stored.map((own) => ({
    configurationEpoch: "1:one",
    staleEpochs: 0,
    up: true,
    refusal: null,
    latency: { recentMs: 1 },
    ask<T>(call: Call<T>, answered: (answer: Answer<T>) => void) {
      const leg = () => 0.3 + random();
      time.after(leg(), () => {
        const reply = replyOf(own, call);
        time.after(leg(), () => answered({ ok: true, value: call.parse(reply) }));
      });
    },
  })) as unknown as Primary[];
  return steadyPrimaries(all, "one");
}

function replyOf(own: Stored, { script, args }: Call<unknown>): unknown {
  const ballot = args[0] as string;
  if (script === SCRIPTS["prepare-register"]) {
    if (own.promised >= ballot) return [0, own.promised];
    const before = own.rest === "" ? "" : own.promised + own.accepted + own.rest;
    own.promised = ballot;
    return [1, NO_BALLOT + NEVER, before];
  }
  if (own.promised > ballot) return [0, own.promised];
  const [, , etag, , live, text] = args;
  own.promised = ballot;
  own.accepted = ballot;
  own.rest = `${etag || ballot}${NEVER}${live}0${text}`;
  return [1];
}

/** No time. */
const NEVER = "0".repeat(15);

async function contended(seed: number, clients: number, ms: number) {
  const time = new FakeClock();
  const random = randomOf(seed);
  const stored = Array.from({ length: 3 }, () => ({ promised: NO_BALLOT, accepted: NO_BALLOT, rest: "" }));
  let nonces = 0;
  const ids = { hexNonce: () => (++nonces).toString(16).padStart(24, "0") };
  const outcomes: Record<string, number>[] = [{}, {}];
  let waitedMs = 0;
  const instances = outcomes.map((_, instance) => {
    const changes = new Changes(primariesOf(stored, time, random), new Keys("q:"), time, random, ids);
    return Array.from({ length: clients }, async () => {
      while (time.monotonicMs() < ms) {
        const beganMs = time.monotonicMs();
        const outcome = await changes
          .change("a", () => ({ kind: "write", json: "1", ttlMs: null, result: null, told: "-" }))
          .then(
            ({ kind }) => kind,
            (error) => error.code as string,
          );
        waitedMs = Math.max(waitedMs, time.monotonicMs() - beganMs);
        const its = outcomes[instance] as Record<string, number>;
        its[outcome] = (its[outcome] ?? 0) + 1;
      }
    });
  });
  let done = false;
  void Promise.all(instances.flat()).then(() => {
    done = true;
  });
  while (!done) await time.advance(50);
  return { outcomes, waitedMs };
}

describe("two instances that change one register all the time", () => {
  test.each([1, 2, 3])("get their turns alike and soon, and none is left in doubt: %i", async (seed) => {
    const { outcomes, waitedMs } = await contended(seed, 1, 5_000);
    const [one, other] = outcomes.map(({ written = 0 }) => written) as [number, number];
    expect(outcomes).toEqual([{ written: one }, { written: other }]);
    expect(Math.min(one, other) / Math.max(one, other)).toBeGreaterThan(0.9);
    // A change alone takes 3 ms. Where no ballot was ahead, it took up to 440.
    expect(waitedMs).toBeLessThan(100);
  });

  test("do so as well where many wait at each", async () => {
    const { outcomes, waitedMs } = await contended(1, 32, 3_000);
    expect(outcomes).toEqual([{ written: expect.any(Number) }, { written: expect.any(Number) }]);
    expect(waitedMs).toBeLessThan(500);
  });
});
