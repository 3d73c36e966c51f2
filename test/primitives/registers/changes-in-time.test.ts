import { describe, expect, test } from "vitest";
import { NO_BALLOT } from "../../../src/algorithms/ballot.js";
import { Changes } from "../../../src/primitives/registers/changes.js";
import { type Answer, failed } from "../../../src/redis/answer.js";
import { PrimaryFailure } from "../../../src/redis/failures.js";
import type { Primary } from "../../../src/redis/primary.js";
import { Keys } from "../../../src/scripts/keys.js";
import { type Call, SCRIPTS } from "../../../src/scripts/scripts.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { steadyPrimaries } from "../../helpers/steady-primaries.js";

// However the primaries answer, or not, a change comes to an end, and says what it may have done.

/** A primary by which of its replies come, and after how long; null: none, and it is not known whether the script ran. */
type Behaviour = (half: "prepare" | "accept", nowMs: number) => { afterMs: number; reply: unknown };

const SILENT_MS = 200;
const silence = { afterMs: SILENT_MS, reply: null };
const promise = { afterMs: 1, reply: [1, `${NO_BALLOT}000000000000000`, ""] };
const refusal = { afterMs: 1, reply: [0, `fffffffffffe:${"f".repeat(24)}`] };

function changesOn(behaviour: Behaviour) {
  const clock = new FakeClock();
  const asked: { readonly half: string; readonly atMs: number }[] = [];
  const primary = {
    configurationEpoch: "1:one",
    staleEpochs: 0,
    up: true,
    refusal: null,
    latency: { recentMs: 0 },
    ask<T>(call: Call<T>, answered: (answer: Answer<T>) => void) {
      const half = call.script === SCRIPTS["prepare-register"] ? "prepare" : "accept";
      const { afterMs, reply } = behaviour(half, clock.monotonicMs());
      asked.push({ half, atMs: clock.monotonicMs() });
      clock.after(afterMs, () =>
        answered(
          reply === null
            ? failed(new PrimaryFailure("unknown", "no answer"))
            : { ok: true, value: call.parse(reply) },
        ),
      );
    },
  } as unknown as Primary;
  const primaries = steadyPrimaries([primary, primary, primary], "one");
  let nonces = 0;
  const ids = { hexNonce: () => String(++nonces).padStart(24, "0") };
  const changes = new Changes(primaries, new Keys("q:"), clock, () => 0.5, ids);
  const change = (name = "a") => {
    const beganMs = clock.monotonicMs();
    return changes
      .change(name, () => ({ kind: "write", json: "1", ttlMs: null, result: null, told: "-" }))
      .then(
        ({ kind }) => kind,
        (error) => error.code as string,
      )
      .then((outcome) => ({ outcome, tookMs: clock.monotonicMs() - beganMs }));
  };
  const tries = () => asked.filter(({ half }) => half === "prepare").length / 3;
  return { clock, change, tries, asked };
}

/** It begins no try after this, ms; the last one may take two silences. */
const TRIES_MS = 1_000;

describe("a change that finds no majority", () => {
  test("ends after one try where nothing was sent that could be accepted", async () => {
    const { clock, change, asked } = changesOn(() => silence);
    const changed = change();
    await clock.advance(10_000);
    expect(await changed).toEqual({ outcome: "no_quorum", tookMs: SILENT_MS });
    expect(asked.filter(({ half }) => half === "accept")).toEqual([]);
  });

  test.each<[string, Behaviour]>([
    ["never again", (half, nowMs) => (half === "prepare" && nowMs === 0 ? promise : silence)],
    ["only to promise", (half) => (half === "prepare" ? promise : silence)],
  ])("says in time that its outcome is unknown, where the primaries answer %s", async (_when, behaviour) => {
    const { clock, change, tries } = changesOn(behaviour);
    const changed = change();
    await clock.advance(30_000);
    const { outcome, tookMs } = await changed;
    expect(outcome).toBe("outcome_unknown");
    expect(tookMs).toBeLessThanOrEqual(TRIES_MS + 2 * SILENT_MS);
    expect(tries()).toBeGreaterThan(1);
  });

  test("is made where the primaries answer again in time", async () => {
    const { clock, change } = changesOn((half, nowMs) => {
      if (half === "prepare") return nowMs === 0 || nowMs > 500 ? promise : silence;
      return nowMs > 500 ? { afterMs: 1, reply: [1] } : silence;
    });
    const changed = change();
    await clock.advance(30_000);
    expect((await changed).outcome).toBe("written");
  });
});

describe("a change that others come before", () => {
  test.each([1, 150])(
    "has done nothing when it gives up, with primaries that take %i ms",
    async (afterMs) => {
      const { clock, change, asked } = changesOn(() => ({ ...refusal, afterMs }));
      const changed = change();
      await clock.advance(30_000);
      const { outcome, tookMs } = await changed;
      expect(outcome).toBe("contended");
      expect(asked.filter(({ half }) => half === "accept")).toEqual([]);
      expect(tookMs).toBeLessThanOrEqual(TRIES_MS + 2 * afterMs);
    },
  );

  test("of the same instance gives up as well, when its turn comes too late", async () => {
    // Primaries that are busy: each change takes 3 s.
    const { clock, change } = changesOn((half) =>
      half === "prepare" ? { ...promise, afterMs: 1_500 } : { afterMs: 1_500, reply: [1] },
    );
    const all = Promise.all([1, 2, 3, 4, 5].map(() => change()));
    await clock.advance(60_000);
    const outcomes = await all;
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      "written",
      "written",
      "contended",
      "contended",
      "contended",
    ]);
    for (const { tookMs } of outcomes) expect(tookMs).toBeLessThanOrEqual(5_000 + 3_000);
  });
});
