import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import { Pair } from "../helpers/pair.js";
import { freshName, startOffline } from "../helpers/service.js";

const pair = new Pair();

describe("the log line of a request", () => {
  test.each([
    ["the other end of the connection", "", "203.0.113.9", "127.0.0.1"],
    ["whom a trusted proxy names", "127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
  ])("has the address of the client: %s", async (_, QUORATE_TRUSTED_PROXIES, forwardedFor, address) => {
    await using instance = await startOffline({
      env: { QUORATE_LOG_LEVEL: "debug", ...(QUORATE_TRUSTED_PROXIES && { QUORATE_TRUSTED_PROXIES }) },
    });
    await fetch(`${await instance.url()}/livez`, { headers: { "x-forwarded-for": forwardedFor } });
    const lines = instance.logged.map((line) => JSON.parse(line));
    expect(lines.find(({ path }) => path === "/livez")).toMatchObject({ address });
  });

  test.each([
    ["takes over a well-formed traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true],
    ["has none where it is malformed", "00-garbage", false],
  ])("%s", async (_, traceparent, isLogged) => {
    await using instance = await startOffline({ env: { QUORATE_LOG_LEVEL: "debug" } });
    await instance.call("GET", "/livez", undefined, { traceparent });
    const lines = instance.logged.map((line) => JSON.parse(line));
    const line = lines.find(({ path }) => path === "/livez");
    expect(line.traceparent).toBe(isLogged ? traceparent : undefined);
  });
});

test.each([
  ["PUT", (key: string) => `/v1/registers/${key}`, () => ({ value: 2 })],
  ["POST", () => "/v1/registers/transactions", (key: string) => ({ changes: [{ key, value: 2 }] })],
])(
  "a change whose client leaves while others come first is no failure, nor made: %s",
  async (method, pathOf, bodyOf) => {
    await using instance = await pair.instance({ env: { QUORATE_LOG_LEVEL: "debug" } });
    const { registers, app } = instance.service;
    const key = freshName();
    const name = registerName("value", "default", key);
    const before = Array.from({ length: 100 }, () => registers.put(name, { json: "1", ttlMs: null }));
    const client = new AbortController();
    const body = JSON.stringify(bodyOf(key));
    const headers = { "content-type": "application/json", "content-length": String(body.length) };
    const answer = app.request(pathOf(key), { method, body, headers, signal: client.signal });
    await systemClock.sleep(5);
    client.abort();
    await answer;
    await Promise.all(before);
    expect(await registers.get(name)).toMatchObject({ json: "1", number: 100 });
    expect(instance.logged.filter((line) => JSON.parse(line).level === "error")).toEqual([]);
    expect(await (await app.request("/metrics")).text()).toContain("quorate_admission_abandoned_total 1");
  },
);
