import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const register = (service: string, id: string, body: object = {}) =>
  instance.call("PUT", path(service, id), { address: "10.0.0.7:9000", ...body });
const report = (service: string, id: string, reporter: string, body: object = {}) =>
  instance.call("POST", `${path(service, id)}/suspect`, {
    reporter,
    reason: "no answer within 2 s",
    ...body,
  });

/** A service of members m1, m2, ... */
async function serviceOf(members: number): Promise<string> {
  const service = freshName("search");
  for (let i = 1; i <= members; i++) await register(service, `m${i}`);
  return service;
}

async function statuses(service: string): Promise<Record<string, string>> {
  const { body } = await instance.call("GET", `/v1/services/${service}/members`);
  return Object.fromEntries(body.members.map(({ id, status }: never) => [id, status]));
}

describe("a member that others report", () => {
  test("is suspect when enough have, in lists and alone, and stays in the ring", async () => {
    const service = await serviceOf(6);
    const before = await instance.call("GET", `/v1/services/${service}/members`);
    const first = await report(service, "m1", "m2");
    expect([first.status, first.body]).toEqual([
      200,
      { suspect: false, reporters: 1, reportersNeeded: 3, windowMs: 15_000 },
    ]);
    expect((await report(service, "m1", "m3")).body).toMatchObject({ suspect: false, reporters: 2 });
    expect((await statuses(service)).m1).toBe("up");
    expect((await report(service, "m1", "m4")).body).toMatchObject({ suspect: true, reporters: 3 });
    expect(await statuses(service)).toEqual({
      m1: "suspect",
      m2: "up",
      m3: "up",
      m4: "up",
      m5: "up",
      m6: "up",
    });
    expect((await instance.call("GET", path(service, "m1"))).body.status).toBe("suspect");
    const after = await instance.call("GET", `/v1/services/${service}/members`);
    expect(after.body.ringId).toBe(before.body.ringId);
  });

  test("is not suspect for one reporter who says so again and again", async () => {
    const service = await serviceOf(6);
    for (let i = 0; i < 4; i++) await report(service, "m1", "m2");
    expect((await report(service, "m1", "m2")).body).toMatchObject({ suspect: false, reporters: 1 });
    expect((await statuses(service)).m1).toBe("up");
  });

  test("does not clear itself by a heartbeat", async () => {
    const service = await serviceOf(3);
    for (const reporter of ["m2", "m3"]) await report(service, "m1", reporter);
    expect((await instance.call("POST", `${path(service, "m1")}/heartbeat`)).status).toBe(200);
    expect((await statuses(service)).m1).toBe("suspect");
  });

  test("is up again as a new process, about which nobody has said anything", async () => {
    const service = await serviceOf(3);
    for (const reporter of ["m2", "m3"]) await report(service, "m1", reporter);
    await register(service, "m1");
    expect((await statuses(service)).m1).toBe("up");
    expect((await report(service, "m1", "m2")).body).toMatchObject({ suspect: false, reporters: 1 });
  });

  test("is suspect in its namespace only", async () => {
    const service = await serviceOf(3);
    const other = `/v1/namespaces/team-a/services/${service}/members`;
    for (const id of ["m1", "m2", "m3"])
      await instance.call("PUT", `${other}/${id}`, { address: "10.0.0.7:9000" });
    for (const reporter of ["m2", "m3"])
      await instance.call("POST", `${other}/m1/suspect`, { reporter, reason: "none" });
    expect((await statuses(service)).m1).toBe("up");
    expect((await instance.call("GET", `${other}/m1`)).body.status).toBe("suspect");
  });

  test("is shown so by every instance, on every page of a list", async () => {
    const service = await serviceOf(4);
    for (const reporter of ["m2", "m3"]) await report(service, "m1", reporter);
    await using second = await startInstance(primaries.urls, { prefix: instance.prefix });
    const { body } = await second.call("GET", `/v1/services/${service}/members?limit=1`);
    expect(body.members).toMatchObject([{ id: "m1", status: "suspect" }]);
  });
});

test("no more than half of a service is suspect, whatever its members say of each other", async () => {
  const service = await serviceOf(4);
  for (const id of ["m1", "m2", "m3", "m4"])
    for (const reporter of ["m1", "m2", "m3", "m4"]) if (reporter !== id) await report(service, id, reporter);
  expect(await statuses(service)).toEqual({ m1: "suspect", m2: "suspect", m3: "up", m4: "up" });
});

test("a reporter that is late with its own heartbeat counts half", async () => {
  const service = await serviceOf(3);
  await register(service, "late", { ttlMs: 2_000 });
  const ageOf = async () => (await instance.call("GET", path(service, "late"))).body.lastHeartbeatAgeMs;
  await until(async () => (await ageOf()) > 1_050, "it is late");
  await report(service, "m1", "late");
  expect((await report(service, "m1", "m2")).body).toMatchObject({ suspect: false, reporters: 2 });
  expect((await report(service, "m1", "m3")).body).toMatchObject({ suspect: true, reporters: 3 });
});

describe("a report", () => {
  test("about oneself is refused", async () => {
    const service = await serviceOf(2);
    const { status, body } = await report(service, "m1", "m1");
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "reporter"]);
    expect(body.detail).toBe("reporter: a member cannot report itself");
  });

  test.each(["stranger", "gone", "dead"])("by %s, who is no live member, is refused", async (reporter) => {
    const service = await serviceOf(2);
    await register(service, "gone");
    await instance.call("DELETE", path(service, "gone"));
    if (reporter === "dead") {
      await register(service, "dead", { ttlMs: 1_000 });
      await until(
        async () => (await instance.call("GET", path(service, "dead"))).status === 404,
        "it is dead",
      );
    }
    const { status, body } = await report(service, "m1", reporter);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "reporter"]);
    expect(body.detail).toContain(`${reporter} is no live member`);
  });

  test("about nobody, or about one that left, is unknown_member", async () => {
    const service = await serviceOf(2);
    expect((await report(service, "nobody", "m1")).body.code).toBe("unknown_member");
    await instance.call("DELETE", path(service, "m2"));
    expect((await report(service, "m2", "m1")).body.code).toBe("unknown_member");
  });

  test("about an earlier process is superseded, and does not count", async () => {
    const service = await serviceOf(2);
    const { body: earlier } = await register(service, "m3");
    const { body: now } = await register(service, "m3");
    const late = await report(service, "m3", "m1", { incarnation: earlier.incarnation });
    expect([late.status, late.body.code]).toEqual([409, "superseded"]);
    expect((await report(service, "m3", "m1", { incarnation: now.incarnation })).body.reporters).toBe(1);
    const future = await report(service, "m3", "m1", { incarnation: now.incarnation + 1 });
    expect(future.body.code).toBe("unknown_member");
  });

  test.each([
    { what: "without a reporter", body: { reporter: undefined }, field: "reporter" },
    { what: "by something that is no name", body: { reporter: "~instance" }, field: "reporter" },
    { what: "without a reason", body: { reason: undefined }, field: "reason" },
    { what: "with an empty reason", body: { reason: "" }, field: "reason" },
    { what: "with a reason of 257 characters", body: { reason: "x".repeat(257) }, field: "reason" },
    { what: "about incarnation 0", body: { incarnation: 0 }, field: "incarnation" },
    { what: "with a field that there is not", body: { weight: 3 }, field: "weight" },
  ])("$what is invalid", async ({ body, field }) => {
    const answer = await report("search", "m1", "m2", body);
    expect([answer.status, answer.body.field]).toEqual([400, field]);
  });

  test("with a reason of 256 characters of any kind counts", async () => {
    const service = await serviceOf(2);
    expect((await report(service, "m1", "m2", { reason: "é\n 🙂".repeat(51) })).status).toBe(200);
  });
});
