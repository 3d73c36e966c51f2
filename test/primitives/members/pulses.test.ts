import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
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
