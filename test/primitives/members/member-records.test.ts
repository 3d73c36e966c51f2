import { expect, test } from "vitest";
import type { MemberReads } from "../../../src/primitives/members/member-reads.js";
import { type KnownMember, MemberRecords } from "../../../src/primitives/members/member-records.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import { Keys } from "../../../src/scripts/keys.js";
import { putMember } from "../../../src/scripts/member-calls.js";
import type { Call } from "../../../src/scripts/scripts.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";

test("a change moves neither the end of a drain nor the last heartbeat, however long it takes", async () => {
  const clock = new FakeClock();
  const keys = new Keys("q:");
  const calls: Call<unknown>[] = [];
  const primaries = {
    majority: 2,
    decide: async (call: Call<unknown>, settle: (heard: { values: unknown[] }) => unknown) => {
      calls.push(call);
      await clock.sleep(100);
      const vote = { claimed: true, revision: 3, superseded: null };
      return settle({ values: [vote, vote] });
    },
  } as unknown as Primaries;
  const records = new MemberRecords(primaries, keys, {} as MemberReads, clock);
  const record = memberRecord({ revision: 2, status: "draining", endsInMs: 1_000, heartbeatAgeMs: 40 });
  const changed = { ...record, revision: 3, change: "c" };
  const known = { record, isStaleSomewhere: true } as KnownMember & { readonly record: typeof record };
  const outcome = records.change("s", known, changed, clock.monotonicMs());
  await clock.advance(300);
  expect(await outcome).toBeNull();
  // The record that some lack, the claim, and the change itself.
  const after = (passedMs: number) => ({
    expiresInMs: 15_000 - passedMs,
    endsInMs: 1_000 - passedMs,
    heartbeatAgeMs: 40 + passedMs,
  });
  expect(calls[0]?.args).toEqual(putMember(keys, "s", { ...record, ...after(0) }).args);
  expect(calls[2]?.args).toEqual(putMember(keys, "s", { ...changed, ...after(200) }, "change").args);
});
