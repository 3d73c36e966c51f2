import { describe, expect, test } from "vitest";
import { startOffline } from "../helpers/service.js";

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
