import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { arrivalOf } from "../../../src/http/server/arrivals.js";

const arrival = (method: string, url: string) => arrivalOf({ method, url, headers: {} } as IncomingMessage);

describe("a request", () => {
  test.each([
    "/v1/locks",
    "/%76%31/locks",
    "/%761/locks",
    "http://localhost/v1/primaries",
    "HTTP://localhost/livez",
    "//v1/locks",
    "/V1/locks",
    "/x/../v1/locks",
    "/livez/../v1/locks",
    "/livez%3f",
    "/metrics/",
    "/nowhere",
    "*",
    "",
  ])("for %j is limited under load", (url) => {
    expect(arrival("GET", url)).toEqual({ priority: "ordinary", units: 1 });
  });

  test.each([
    ...[
      "/livez",
      "/readyz?x=1",
      "/metrics",
      "/",
      "/docs",
      "/docs/docs.css",
      "/openapi.json",
      "/openapi.yaml",
    ],
  ])("for %j is admitted whatever the load", (url) => {
    expect(arrival("GET", url)).toBeNull();
  });

  test("is urgent by its path, not by what follows it", () => {
    expect(arrival("POST", "/v1/locks/a/renew?x")?.priority).toBe("urgent");
    expect(arrival("POST", "/v1/heartbeats")?.priority).toBe("urgent");
    expect(arrival("POST", "/v1/locks/a/acquire?x=/renew")?.priority).toBe("ordinary");
  });
});
