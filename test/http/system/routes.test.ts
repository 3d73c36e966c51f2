import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, startInstance, startOffline } from "../../helpers/service.js";

let primaries: TestPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await startPrimaries(3);
  instance = await startInstance(primaries.urls);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  await primaries.close();
});

/** The value of one series, or undefined where there is none. */
async function metric(of: Instance, name: string, labels: Record<string, string> = {}) {
  const { body } = await of.call("GET", "/metrics");
  const line = (body as string)
    .split("\n")
    .find(
      (each) =>
        new RegExp(`^${name}[{ ]`).test(each) &&
        Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`)),
    );
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

const addresses = () => primaries.urls.map((url) => new URL(url).host);

/** The command timeout of these instances is a second, and so is what `poll` waits by itself. */
const PATIENCE = { timeout: 8_000 };

describe("metrics", () => {
  test("are in the text format of Prometheus", async () => {
    const { headers, body } = await instance.call("GET", "/metrics");
    expect(headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toContain("# TYPE quorate_http_requests_total counter");
    expect(body).toContain("process_cpu_seconds_total");
  });

  test("count requests by method, route, status and code, never by name", async () => {
    const name = freshName("counted");
    const { body: lease } = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 5_000 });
    await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 5_000 });
    await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 5_000 });
    const route = "/v1/locks/:name/acquire";
    const requests = "quorate_http_requests_total";
    expect(await metric(instance, requests, { method: "POST", route, status: "200", code: "" })).toBe(1);
    expect(await metric(instance, requests, { route, status: "409", code: "held" })).toBe(2);
    expect(await metric(instance, "quorate_http_request_duration_seconds_count", { route })).toBe(3);
    const { body } = await instance.call("GET", "/metrics");
    expect(body).not.toContain(name);
    expect(body).not.toContain(lease.leaseId);
  });

  test("count all paths that are not there as one", async () => {
    await using fresh = await startOffline();
    for (const path of ["/nothing", "/v1/nothing", "/v1/locks/a/b/c/d"]) await fresh.call("GET", path);
    await fresh.call("DELETE", "/v1/services");
    const requests = "quorate_http_requests_total";
    expect(await metric(fresh, requests, { route: "none", status: "404", code: "not_found" })).toBe(3);
    expect(await metric(fresh, requests, { status: "405", code: "method_not_allowed" })).toBe(1);
  });

  test("tell of each primary whether it is up, and how long its calls took", async () => {
    await instance.call("GET", `/v1/locks/${freshName()}`);
    for (const primary of addresses()) {
      expect(await metric(instance, "quorate_primary_up", { primary })).toBe(1);
      expect(
        await metric(instance, "quorate_primary_call_duration_seconds_count", { primary }),
      ).toBeGreaterThan(0);
    }
  });

  test("tell of a primary that never was up", async () => {
    await using fresh = await startOffline();
    expect(await metric(fresh, "quorate_primary_up", { primary: "10.0.0.1:6379" })).toBe(0);
  });

  test("count calls that a primary did not answer", async () => {
    await using own = await startPrimaries(3);
    await using fresh = await startInstance(own.urls);
    const primary = new URL(own.urls[1] as string).host;
    await own.all[1]?.pause();
    await fresh.call("POST", "/v1/locks/a/acquire", { ttlMs: 1_000 });
    await expect
      .poll(() => metric(fresh, "quorate_primary_errors_total", { primary, kind: "unknown" }), PATIENCE)
      .toBeGreaterThan(0);
    await expect.poll(() => metric(fresh, "quorate_primary_up", { primary }), PATIENCE).toBe(0);
    await own.all[1]?.resume();
    await expect.poll(() => metric(fresh, "quorate_primary_up", { primary }), PATIENCE).toBe(1);
  });
});

describe("/v1/primaries", () => {
  test("shows each as this instance sees it", async () => {
    await instance.call("GET", `/v1/locks/${freshName()}`);
    const { status, body } = await instance.call("GET", "/v1/primaries");
    expect(status).toBe(200);
    expect(body).toMatchObject({ majority: 2, quorum: true });
    expect(body.primaries.map((each: { address: string }) => each.address)).toEqual(addresses());
    for (const each of body.primaries) {
      expect(each).toMatchObject({ state: "up", reason: null });
      expect(each.latencyMs.p50).toBeGreaterThan(0);
      expect(each.latencyMs.p99).toBeGreaterThanOrEqual(each.latencyMs.p50);
    }
  });

  test("says why one is down, and for how long, but not its password", async () => {
    const urls = [...primaries.urls.slice(0, 2), "redis://user:s3cret@127.0.0.1:1"];
    await using fresh = await startInstance(urls, { up: 0 });
    await expect
      .poll(async () => (await fresh.call("GET", "/v1/primaries")).body.primaries[2])
      .toMatchObject({
        address: "127.0.0.1:1",
        state: "down",
        reason: expect.stringContaining("ECONNREFUSED"),
      });
    const { body } = await fresh.call("GET", "/v1/primaries");
    expect(JSON.stringify(body)).not.toContain("s3cret");
    expect(body.primaries[2].forMs).toBeGreaterThanOrEqual(0);
  });
});

test("an instance is ready with and without a quorum, and says which", async () => {
  expect((await instance.call("GET", "/readyz")).body).toEqual({
    status: "ready",
    quorum: true,
    reason: null,
    grantsInMs: 0,
  });
  await using alone = await startOffline();
  expect((await alone.call("GET", "/readyz")).body).toEqual({
    status: "ready",
    quorum: false,
    reason: "0 of 3 primaries take part now; 2 are needed.",
    grantsInMs: null,
  });
});
