import { expect, test } from "vitest";
import { ringIdOf } from "../../../src/algorithms/ring.js";
import { allTakePart, shown } from "../../helpers/deployment.js";
import { OwnPair } from "../../helpers/pair.js";
import { freshName, type Instance, until } from "../../helpers/service.js";

// The ringId is that of the members whichever primaries say who they are, and whichever instance asks them.

const pair = new OwnPair();

/** A service whose members have weights and zones, of which one drains, one restarts, one takes no share, and one has left. */
async function fleet(): Promise<string> {
  const service = freshName("fleet");
  for (let i = 0; i < 8; i++)
    await put(service, `m${i}`, { weight: 1 + i / 2, zone: i % 3 === 0 ? undefined : `z${i % 3}` });
  await put(service, "idle", { weight: 0 });
  await patch(service, "m1", { status: "draining" });
  await patch(service, "m2", { weight: 7.5, zone: null });
  await remove(service, "m3");
  await remove(service, "m4", "?restart=true&restartGraceMs=60000");
  return service;
}

const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const put = (service: string, id: string, more: object, at = pair.one) =>
  ok(at.call("PUT", path(service, id), { address: "10.0.0.7:9000", ttlMs: 60_000, ...more }));
const patch = (service: string, id: string, change: object, at = pair.one) =>
  ok(at.call("PATCH", path(service, id), change));
const remove = (service: string, id: string, query = "") =>
  ok(pair.other.call("DELETE", `${path(service, id)}${query}`));

async function ok(answer: ReturnType<Instance["call"]>): Promise<void> {
  expect([200, 201]).toContain((await answer).status);
}

/** What each instance says, in each of the ways in which it says so. */
async function told(service: string): Promise<string[]> {
  const base = `/v1/services/${service}`;
  const answers = await Promise.all(
    [pair.one, pair.other].flatMap(({ call }) => [
      call("GET", `${base}/members`),
      call("GET", `${base}/members?zone=z1&includeGone=true`),
      call("GET", `${base}/members?limit=2`),
      call("GET", `${base}/owner?key=k`),
    ]),
  );
  return answers.map(({ body }) => body.ringId);
}

const HALVES = Array.from({ length: 8 }, (_, i) => ({ id: `m${i}`, weight: 1 + i / 2, zone: `z${i % 3}` }));
/** Those of `fleet` that have a place, as nobody but this test says. */
const PLACED = HALVES.filter(({ id }) => id !== "m1" && id !== "m3").map(({ id, weight, zone }) => ({
  id,
  weight: id === "m2" ? 7.5 : weight,
  zone: id === "m2" || zone === "z0" ? undefined : zone,
}));

test("it stays the same with each one primary down in turn, at both instances", async () => {
  const service = await fleet();
  const expected = ringIdOf(PLACED);
  expect(new Set(await told(service))).toEqual(new Set([expected]));
  for (const primary of pair.primaries.all) {
    await primary.pause();
    expect(new Set(await told(service)), `without ${primary.port}`).toEqual(new Set([expected]));
    await primary.resume();
  }
});

test("it is that of the latest changes, which each one primary in turn has missed", async () => {
  const service = await fleet();
  let placed = PLACED.map((member) => ({ ...member }));
  for (const [turn, primary] of pair.primaries.all.entries()) {
    const before = ringIdOf(placed);
    await primary.pause();
    await patch(service, "m5", { weight: 20 + turn }, pair.at(turn));
    await patch(service, "m6", { zone: `moved-${turn}` }, pair.at(turn + 1));
    await put(service, "m4", { weight: 3, zone: `again-${turn}` });
    await put(service, `new-${turn}`, {});
    placed = placed.map((member) =>
      member.id === "m5"
        ? { ...member, weight: 20 + turn }
        : member.id === "m6"
          ? { ...member, zone: `moved-${turn}` }
          : member.id === "m4"
            ? { ...member, weight: 3, zone: `again-${turn}` }
            : member,
    );
    placed.push({ id: `new-${turn}`, weight: 1, zone: undefined });
    expect(ringIdOf(placed)).not.toBe(before);
    await primary.resume();
    // One that missed all of this is of the majority now.
    const next = pair.primary((turn + 1) % 3);
    await next.pause();
    expect(new Set(await told(service)), `turn ${turn}`).toEqual(new Set([ringIdOf(placed)]));
    await next.resume();
  }
});

test("it is the same in the answers to heartbeats, also with a primary that forgot", async () => {
  const service = await fleet();
  const expected = ringIdOf(PLACED);
  for (const primary of pair.primaries.all) {
    const { configurationVersion } = await shown(pair.one);
    await primary.startEmpty();
    for (const { call } of [pair.one, pair.other])
      await until(async () => {
        const { status, body } = await call("POST", `${path(service, "m7")}/heartbeat`);
        if (status === 200 && body.ringId !== null) expect(body.ringId).toBe(expected);
        return status === 200 && body.ringId !== null;
      }, "its ringId is known");
    expect(new Set(await told(service))).toEqual(new Set([expected]));
    for (const instance of [pair.one, pair.other]) await allTakePart(instance, configurationVersion ?? 0);
    expect(new Set(await told(service)), "readmitted").toEqual(new Set([expected]));
  }
});
