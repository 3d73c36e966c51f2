import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import type { BoundLeases } from "../../../src/primitives/leases/bound-leases.js";
import type { MemberChanges } from "../../../src/primitives/members/member-changes.js";
import type { MemberReads } from "../../../src/primitives/members/member-reads.js";
import { Pulses } from "../../../src/primitives/members/pulses.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import { Keys } from "../../../src/scripts/keys.js";
import type { MemberRecord } from "../../../src/scripts/member-calls.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";
import { startPrimaries } from "../../helpers/primaries.js";
import { freshName, startInstance } from "../../helpers/service.js";

test("heartbeats restore members that one primary of a majority still has, each by itself among those that are gone", async () => {
  await using primaries = await startPrimaries(3);
  const { urls } = primaries;
  await using instance = await startInstance(urls);
  const { membership } = instance.service;
  const keys = new Keys(instance.prefix);
  const services = [freshName(), freshName()];
  const registration = { address: "x:1", weight: 1, zone: null, tags: [], metadata: null };
  const members = services.flatMap((service) =>
    Array.from({ length: 60 }, (_, i) => ({ service, id: `m-${i}` })),
  );
  await Promise.all(members.map(({ service, id }) => membership.register(service, id, 15_000, registration)));
  const lost = members.map(({ service, id }) => keys.member(service, id));
  const forgetful = new Redis(urls[1] as string, { protocol: 2 });
  try {
    await primaries.all[2]?.stop();
    await forgetful.del(...lost);
    const unknown = members.map(({ service, id }) => ({ service, id: `un-${id}` }));
    const outcomes = await membership.heartbeats([...members, ...unknown]);
    const codes = outcomes.map((outcome) => ("error" in outcome ? outcome.error.code : "alive"));
    expect(codes).toEqual([...members.map(() => "alive"), ...unknown.map(() => "unknown_member")]);
    expect(await forgetful.exists(...lost)).toBe(lost.length);
  } finally {
    forgetful.disconnect();
  }
});

describe("heartbeats of members of which one of two primaries says that they have expired", () => {
  /** `outlive`: raises the revision of a member. */
  function disputed(clock: FakeClock, outlive: (id: string) => Promise<MemberRecord>): Pulses {
    const records = async (_service: string, ids: readonly string[]) => ({
      merged: ids.map((id) => {
        const record = memberRecord({ id });
        return { record, latest: record, state: "live", isDisputed: true };
      }),
    });
    return new Pulses(
      { majority: 2, decide: async () => true } as unknown as Primaries,
      new Keys("q:"),
      clock,
      { records: records as unknown as MemberReads["records"] },
      { put: async () => true },
      { outlive: ((_service: string, id: string) => outlive(id)) as unknown as MemberChanges["outlive"] },
      { recent: () => null },
      {} as Pick<BoundLeases, "listed" | "renew">,
    );
  }

  test("raise its revision once for all that come before that, however many", async () => {
    const clock = new FakeClock();
    let raised = 1;
    const pulses = disputed(clock, async (id) => {
      await clock.sleep(5);
      raised += 1;
      return memberRecord({ id, revision: raised });
    });
    const all = Promise.all(Array.from({ length: 200 }, () => pulses.of([{ service: "s", id: "m" }])));
    await clock.advance(100);
    for (const [outcome] of await all) expect(outcome).toMatchObject({ incarnation: 1 });
    expect(raised).toBeLessThanOrEqual(3);
  });

  test("fail by themselves where that cannot be", async () => {
    const clock = new FakeClock();
    const pulses = disputed(clock, async (id) => {
      if (id === "busy") throw new CoordinationError("overloaded", "Too many others change this member.");
      return memberRecord({ id, revision: 2 });
    });
    const outcomes = pulses.of(["busy", "m"].map((id) => ({ service: "s", id })));
    await clock.advance(10);
    expect(await outcomes).toMatchObject([{ error: { code: "overloaded" } }, { revision: 2 }]);
  });
});
