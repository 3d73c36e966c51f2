import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const ALLOWED = { QUORATE_PROBE_ALLOW: "127.0.0.0/8,search.internal" };

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, { env: ALLOWED });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const path = (service: string, id: string) => `/v1/services/${service}/members/${id}`;
const register = (service: string, id: string, body: object = {}, at = instance) =>
  at.call("PUT", path(service, id), { address: "10.0.0.7:9000", ttlMs: 60_000, ...body });
const often = { intervalMs: 1_000, timeoutMs: 500 };

/** Answers 200 until it is closed. */
async function target(): Promise<{ server: Server; port: number; asked: () => number }> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, port: (server.address() as AddressInfo).port, asked: () => asked };
}

async function statusOf(service: string, id: string, at = instance): Promise<string> {
  return (await at.call("GET", path(service, id))).body.status;
}

test("a member that answers no probes any more becomes suspect, and others stay up", {
  timeout: 30_000,
}, async () => {
  const service = freshName("search");
  const [good, bad] = [await target(), await target()];
  try {
    const probe = { http: `http://127.0.0.1:${good.port}/health`, ...often };
    const registered = await register(service, "good", { probe });
    expect(registered.body.probe).toEqual(probe);
    await register(service, "bad", { probe: { tcp: `127.0.0.1:${bad.port}`, ...often } });
    await until(() => good.asked() > 0, "it is probed");
    expect(await statusOf(service, "bad")).toBe("up");
    bad.server.closeAllConnections();
    bad.server.close();
    await until(async () => (await statusOf(service, "bad")) === "suspect", "it is suspect", 20_000);
    expect(await statusOf(service, "good")).toBe("up");
    expect((await instance.call("GET", path(service, "good"))).body.probe).toEqual(probe);
    const metrics = (await instance.call("GET", "/metrics")).body;
    expect(metrics).toMatch(/quorate_probes_total\{kind="http",outcome="ok"\} [1-9]/);
    expect(metrics).toMatch(/quorate_probes_total\{kind="tcp",outcome="failed"\} [3-9]/);
    expect(metrics).toMatch(/quorate_member_reports_total\{by="probe",suspect="true"\} [1-9]/);
    expect(metrics).toMatch(/quorate_probed_members 2/);
  } finally {
    good.server.close();
    good.server.closeAllConnections();
  }
});

test("two instances share the probes of a member, and both must fail", { timeout: 40_000 }, async () => {
  const prefix = { prefix: `${instance.prefix}two:` };
  await using one = await startInstance(primaries.urls, { env: ALLOWED, ...prefix });
  await using other = await startInstance(primaries.urls, { env: ALLOWED, ...prefix });
  const service = freshName("search");
  const { server, port } = await target();
  for (const id of ["m1", "m2"])
    await register(service, id, { probe: { tcp: `127.0.0.1:${port}`, ...often } }, one);
  const probed = (at: Instance) => at.service.probing.members;
  await until(() => probed(one) === 2 && probed(other) === 2, "both probe both");
  server.close();
  server.closeAllConnections();
  await until(async () => (await statusOf(service, "m1", other)) === "suspect", "it is suspect", 25_000);
  const reports = async (at: Instance) =>
    /quorate_member_reports_total\{by="probe",suspect="true"\} (\d+)/.exec(
      (await at.call("GET", "/metrics")).body,
    )?.[1];
  // The report that makes it suspect is counted once its reporter has heard of it.
  const counted = async () => Number((await reports(one)) ?? 0) + Number((await reports(other)) ?? 0);
  await until(async () => (await counted()) > 0, "it is counted");
});

test("a member that leaves, or that registers without a probe, is not probed any more", async () => {
  const service = freshName("search");
  const { server, port } = await target();
  const probe = { tcp: `127.0.0.1:${port}`, ...often };
  const before = instance.service.probing.members;
  for (const id of ["m1", "m2", "m3"]) await register(service, id, { probe });
  await until(() => instance.service.probing.members === before + 3, "all are probed");
  await instance.call("DELETE", path(service, "m1"));
  await register(service, "m2");
  await until(() => instance.service.probing.members === before + 1, "one is probed");
  await instance.call("DELETE", path(service, "m3"));
  server.close();
});

test("services of the deployment itself are in no list", async () => {
  await until(async () => {
    const reply = await register(freshName(), "m");
    return reply.status === 201;
  }, "it registers");
  const { body } = await instance.call("GET", "/v1/services");
  expect(body.services.every(({ service }: { service: string }) => !service.includes("instances"))).toBe(
    true,
  );
});

describe("a registration with a probe", () => {
  test("keeps it when the member is changed", async () => {
    const service = freshName("search");
    const probe = { tcp: "127.0.0.1:1", ...often };
    await register(service, "m", { probe });
    const { body } = await instance.call("PATCH", path(service, "m"), { weight: 2 });
    expect([body.weight, body.probe]).toEqual([2, probe]);
    await instance.call("DELETE", path(service, "m"));
  });

  test.each([
    {
      what: "towards an address that is not allowed",
      probe: { http: "http://10.0.0.7:9000/" },
      field: "probe.http",
    },
    {
      what: "towards the address of cloud metadata",
      probe: { http: "http://169.254.169.254/" },
      field: "probe.http",
    },
    { what: "towards a name that is not listed", probe: { tcp: "localhost:80" }, field: "probe.tcp" },
    { what: "towards an IPv6 address that is not allowed", probe: { tcp: "[::1]:80" }, field: "probe.tcp" },
    { what: "by HTTPS", probe: { http: "https://127.0.0.1/" }, field: "probe.http" },
    { what: "with a password", probe: { http: "http://user:secret@127.0.0.1/" }, field: "probe.http" },
    { what: "towards a host without a port", probe: { tcp: "127.0.0.1" }, field: "probe.tcp" },
    { what: "by nothing", probe: {}, field: "probe" },
    { what: "by both", probe: { http: "http://127.0.0.1/", tcp: "127.0.0.1:80" }, field: "probe" },
    { what: "by something else", probe: { exec: "true" }, field: "probe.exec" },
    { what: "every 999 ms", probe: { tcp: "127.0.0.1:80", intervalMs: 999 }, field: "probe.intervalMs" },
    {
      what: "every 300,001 ms",
      probe: { tcp: "127.0.0.1:80", intervalMs: 300_001 },
      field: "probe.intervalMs",
    },
    { what: "of 99 ms", probe: { tcp: "127.0.0.1:80", timeoutMs: 99 }, field: "probe.timeoutMs" },
    {
      what: "of 10,001 ms",
      probe: { tcp: "127.0.0.1:80", intervalMs: 60_000, timeoutMs: 10_001 },
      field: "probe.timeoutMs",
    },
    {
      what: "longer than its interval",
      probe: { tcp: "127.0.0.1:80", timeoutMs: 1_001 },
      field: "probe.timeoutMs",
    },
    { what: "at no time", probe: { tcp: "127.0.0.1:80", intervalMs: undefined }, field: "probe.intervalMs" },
    {
      what: "with a URL of 513 characters",
      probe: { http: `http://127.0.0.1/${"x".repeat(496)}` },
      field: "probe.http",
    },
  ])("$what is refused", async ({ probe, field }) => {
    const { status, body } = await register("search", "m", { probe: { ...often, ...probe } });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
  });

  test("says what an operator has to do about an address that is not allowed", async () => {
    const { body } = await register("search", "m", { probe: { ...often, http: "http://10.0.0.7:9000/" } });
    expect(body.detail).toBe(
      "probe.http: 10.0.0.7 is nothing that probes may connect to: an operator allows addresses and hosts in QUORATE_PROBE_ALLOW",
    );
  });

  test("is refused where nothing is allowed", async () => {
    await using closed = await startInstance(primaries.urls);
    const { status, body } = await register(
      "search",
      "m",
      { probe: { ...often, tcp: "127.0.0.1:80" } },
      closed,
    );
    expect([status, body.field]).toEqual([400, "probe.tcp"]);
    expect(closed.service.probing.members).toBe(0);
  });

  test.each([
    { intervalMs: 1_000, timeoutMs: 1_000 },
    { intervalMs: 300_000, timeoutMs: 10_000 },
    { intervalMs: 1_000, timeoutMs: 100 },
  ])("every $intervalMs ms, of $timeoutMs ms, is accepted", async (times) => {
    const service = freshName("search");
    const { status } = await register(service, "m", { probe: { tcp: "127.0.0.1:1", ...times } });
    expect(status).toBe(201);
    await instance.call("DELETE", path(service, "m"));
  });
});
