import { expect, test } from "vitest";
import { Keys } from "../../../src/scripts/keys.js";
import { command } from "../../helpers/deployment.js";
import { OwnPair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

// A guard keeps those whose heartbeats are missing. It brings back nobody who has left or expired.

const pair = new OwnPair();
const keys = () => new Keys(pair.prefix);
const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const at = (place: number, ...args: (string | number)[]) =>
  command(pair.primary(place), ...(args as [string]));
const listed = async (service: string) =>
  (await pair.other.call("GET", `/v1/services/${service}/members`)).body.members.map(
    ({ id, status }: { id: string; status: string }) => `${id} ${status}`,
  );

async function fleet(): Promise<string> {
  const service = freshName("fleet");
  for (let i = 0; i < 5; i++)
    await pair.one.call("PUT", path(service, `m${i}`), { address: "m:1", ttlMs: 20_000 });
  for (let i = 0; i < 3; i++) await pair.untilOnAll(keys().member(service, "m4"));
  return service;
}

const guard = (service: string) =>
  Promise.all(
    [0, 1, 2].map((place) => at(place, "HSET", keys().guard(service), "until", Date.now() + 20_000)),
  );

test("one that has expired stays so while a primary that said so is away, and another has got a copy of that", async () => {
  const service = await fleet();
  const tombstone = ["left", "2", "deadline", Date.now() + 70_000] as const;
  for (const place of [0, 1, 2]) await at(place, "HSET", keys().member(service, "m0"), ...tombstone);
  await at(1, "HSET", keys().member(service, "m0"), "copied", "1");
  await guard(service);
  for (const place of [0, 1, 2])
    await at(place, "HSET", keys().member(service, "m1"), "deadline", Date.now() - 5);
  expect(await listed(service)).toEqual(["m1 suspect", "m2 up", "m3 up", "m4 up"]);
  await pair.primary(2).pause();
  expect(await listed(service)).toEqual(["m1 suspect", "m2 up", "m3 up", "m4 up"]);
});

test("one that leaves when its time is just over is gone, also if a guard begins then", async () => {
  const service = await fleet();
  for (const id of ["m0", "m1", "m2"]) {
    await Promise.all(
      [0, 1, 2].map((place) => at(place, "HSET", keys().member(service, id), "deadline", Date.now() - 5)),
    );
    const { status, body } = await pair.one.call("DELETE", path(service, id));
    expect([status, body]).toEqual([200, { left: false }]);
  }
  await Promise.all(
    [0, 1, 2].map((place) => at(place, "HSET", keys().member(service, "m3"), "deadline", Date.now() - 5)),
  );
  await guard(service);
  expect(await listed(service)).toEqual(["m3 suspect", "m4 up"]);
});
