import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemIds } from "../../src/ids.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { type Instance, startOffline } from "../helpers/service.js";

// What a request meets before and after its route needs no Redis.
let instance: Instance;
beforeAll(async () => {
  instance = await startOffline();
});
afterAll(() => instance[Symbol.asyncDispose]());

const JSON_TYPE = { "content-type": "application/json" };

/** A request with a body as it stands. */
async function post(path: string, text: string, headers: Record<string, string> = JSON_TYPE) {
  const length = { "content-length": String(Buffer.byteLength(text)) };
  const response = await instance.service.app.request(path, {
    method: "POST",
    headers: { ...length, ...headers },
    body: Buffer.from(text),
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

describe("a path that is not there", () => {
  test.each(["/v1", "/v1/semaphores", "/v1/locks/a/b/c", "/v1/locks//acquire", "/v2/locks/a", "/docs/../x"])(
    "GET %s is not_found",
    async (path) => {
      const { status, headers, body } = await instance.call("GET", path);
      expect([status, body.code]).toEqual([404, "not_found"]);
      expect(headers.get("content-type")).toBe("application/problem+json");
      expect(body.type).toBe("urn:quorate:problem:not_found");
    },
  );
});

describe("a method that a path does not have", () => {
  test.each([
    ["GET", "/v1/locks/a/acquire", "POST"],
    ["PUT", "/v1/locks/a/renew", "POST"],
    ["DELETE", "/v1/locks/a/release", "POST"],
    ["POST", "/v1/locks/a", "GET"],
    ["DELETE", "/v1/locks/acquire", "GET, POST"],
    ["POST", "/v1/locks", "GET"],
    ["GET", "/v1/locks/a/check", "POST"],
    ["GET", "/v1/locks/a/break", "POST"],
    ["POST", "/v1/semaphores/a", "GET, PUT"],
    ["GET", "/v1/semaphores/a/acquire", "POST"],
    ["GET", "/v1/elections/a/campaign", "POST"],
    ["POST", "/v1/elections/a/events", "GET"],
    ["POST", "/v1/services/s/members/m", "DELETE, GET, PATCH, PUT"],
    ["GET", "/v1/services/s/members/m/heartbeat", "POST"],
    ["POST", "/v1/services/s/members", "GET"],
    ["DELETE", "/v1/services", "GET"],
    ["POST", "/v1/services/s/owner", "GET"],
    ["GET", "/v1/services/s/owners", "POST"],
    ["POST", "/v1/primaries", "GET"],
    ["OPTIONS", "/v1/primaries", "GET"],
    ["POST", "/metrics", "GET"],
    ["POST", "/livez", "GET"],
    ["POST", "/openapi.json", "GET"],
    ["POST", "/docs", "GET"],
    ["POST", "/", "GET"],
    ["POST", "/docs/swagger-ui.css", "GET"],
  ])("%s %s is method_not_allowed, and says what it has: %s", async (method, path, allow) => {
    const { status, headers, body } = await instance.call(method, path);
    expect([status, body.code]).toEqual([405, "method_not_allowed"]);
    expect(headers.get("allow")).toBe(allow);
    expect(body.allow).toEqual(allow.split(", "));
  });
});

describe("a body that is not JSON", () => {
  test.each(["{", "{ttlMs: 1000}", '{"ttlMs": 1000', "ttlMs=1000", "", "\u0000", '{"ttlMs":1000}}'])(
    "%o is an invalid request",
    async (text) => {
      const { status, body } = await post("/v1/locks/a/acquire", text);
      expect([status, body.code]).toEqual([400, "invalid_request"]);
      expect(body.detail).not.toBe("");
    },
  );

  test.each(["null", "7", '"text"', "true", "[]", '[{"ttlMs":1000}]'])(
    "%s is JSON, but not an object",
    async (text) => {
      const { status, body } = await post("/v1/locks/a/acquire", text);
      expect([status, body.code]).toEqual([400, "invalid_request"]);
    },
  );

  test("of bytes that are not UTF-8 is an invalid request", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"ttlMs":1000,"owner":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    const response = await instance.service.app.request("/v1/locks/a/acquire", {
      method: "POST",
      headers: { ...JSON_TYPE, "content-length": String(bytes.length) },
      body: bytes,
    });
    expect(response.status).toBe(400);
  });
});

describe("a content type", () => {
  const body = '{"ttlMs":1000}';

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "json",
    "",
  ])("%o is unsupported_media_type", async (type) => {
    const answer = await post("/v1/locks/a/acquire", body, { "content-type": type });
    expect([answer.status, answer.body.code]).toEqual([415, "unsupported_media_type"]);
    expect(answer.body.detail).toContain("application/json");
  });

  test("that is missing is unsupported_media_type", async () => {
    const answer = await post("/v1/locks/a/acquire", body, {});
    expect([answer.status, answer.body.code]).toEqual([415, "unsupported_media_type"]);
  });

  test.each(["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"])(
    "%o is JSON",
    async (type) => {
      const answer = await post("/v1/locks/a/acquire", body, { "content-type": type });
      // The request got as far as the primaries, of which there are none.
      expect(answer.body.code).toBe("no_quorum");
    },
  );
});

describe("a request that has no fields", () => {
  const path = "/v1/latches/a/count-down";

  test.each(["{}", " { }\n"])("is taken with the body %j", async (text) => {
    expect((await post(path, text)).status).toBe(503);
  });

  test.each(['{"by":2}', "[]", "2", "{"])("is refused with the body %j", async (text) => {
    const { status, body } = await post(path, text);
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.detail).toContain("without a body");
  });
});

describe("a heartbeat", () => {
  const path = "/v1/services/s/members/m/heartbeat";

  test.each([
    { what: "without a body", headers: {} },
    { what: "with a content type and no body", headers: JSON_TYPE },
    { what: "with a content type and a length of 0", headers: { ...JSON_TYPE, "content-length": "0" } },
  ])("$what reaches the primaries", async ({ headers }) => {
    const response = await instance.service.app.request(path, { method: "POST", headers });
    expect(response.status).toBe(503);
  });

  test.each(["{}", '{"incarnation":7}'])("with the body %s as well", async (text) => {
    expect((await post(path, text)).status).toBe(503);
  });

  test.each(['{"incarnation":"7"}', '{"incarnation":0}', '{"load":1}', "7"])(
    "with the body %s is an invalid request",
    async (text) => {
      const { status, body } = await post(path, text);
      expect([status, body.code]).toEqual([400, "invalid_request"]);
    },
  );

  test("whose incarnation is not sent as JSON is refused, not counted for whichever is registered", async () => {
    for (const headers of [{}, { "content-type": "application/x-www-form-urlencoded" }]) {
      const { status, body } = await post(path, '{"incarnation":7}', headers);
      expect([status, body.code]).toEqual([415, "unsupported_media_type"]);
    }
  });
});

describe("a request id", () => {
  test("is made, and is in the answer and in the problem", async () => {
    const one = await instance.call("GET", "/nothing");
    const other = await instance.call("GET", "/nothing");
    expect(one.body.requestId).toMatch(/^[\w-]{8,}$/);
    expect(one.headers.get("x-request-id")).toBe(one.body.requestId);
    expect(other.body.requestId).not.toBe(one.body.requestId);
  });

  test("of the caller is taken over, on success too", async () => {
    const headers = { "x-request-id": "trace:7f.3a_B-1" };
    expect((await instance.call("GET", "/livez", undefined, headers)).headers.get("x-request-id")).toBe(
      "trace:7f.3a_B-1",
    );
    const failed = await instance.call("GET", "/nothing", undefined, headers);
    expect(failed.body.requestId).toBe("trace:7f.3a_B-1");
  });

  test.each(["", "two words", '"quoted"', "a\tb", "é", "x".repeat(129), "<script>"])(
    "%o is not taken over",
    async (given) => {
      const { headers } = await instance.call("GET", "/livez", undefined, { "x-request-id": given });
      expect(headers.get("x-request-id")).toMatch(/^[\w-]{8,32}$/);
      expect(headers.get("x-request-id")).not.toBe(given);
    },
  );
});

test("nothing is to be kept by a cache, neither success nor failure", async () => {
  for (const path of ["/livez", "/readyz", "/metrics", "/v1/primaries", "/v1/locks/a", "/nothing", "/docs"]) {
    const response = await instance.service.app.request(path);
    expect([path, response.headers.get("cache-control")]).toEqual([path, "no-store"]);
  }
});

test("a HEAD has the headers of its GET and no body", async () => {
  const response = await instance.service.app.request("/livez", { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("");
});

describe("an unexpected exception", () => {
  const secret = "ECONNRESET at /srv/quorate/lock.ts with lease kVYgQ3QzZ0u3m0n6mPpWqA";

  test.each([
    { what: "an Error", thrown: new Error(secret) },
    { what: "a TypeError with a cause", thrown: new TypeError(secret, { cause: new Error(secret) }) },
  ])("$what is internal: neither its message nor its stack goes out", async ({ thrown }) => {
    const ids = {
      ...systemIds,
      leaseId: () => {
        throw thrown;
      },
    };
    await using broken = await startOffline({ world: { ids }, env: { QUORATE_LOG_LEVEL: "error" } });
    const { status, body, headers } = await broken.call(
      "POST",
      "/v1/locks/a/acquire",
      { ttlMs: 1_000 },
      { "x-request-id": "7f3a" },
    );
    expect([status, body.code, body.requestId]).toEqual([500, "internal", "7f3a"]);
    expect(JSON.stringify([body, [...headers]])).not.toMatch(/ECONNRESET|lock\.ts|kVYg| at /);
    const [line, ...more] = broken.logged;
    expect(more).toEqual([]);
    expect(line).toContain("ECONNRESET");
    expect(JSON.parse(line ?? "").requestId).toBe(body.requestId);
    expect(body.detail).toContain(body.requestId);
  });
});

describe("an instance that is stopping", () => {
  test("takes no new work, but answers probes and metrics to the end", async () => {
    await using stopping = await startOffline();
    expect((await stopping.call("GET", "/readyz")).status).toBe(200);
    stopping.service.stop();
    for (const [method, path] of [
      ["POST", "/v1/locks/a/acquire"],
      ["GET", "/v1/locks/a"],
      ["GET", "/v1/services"],
      ["GET", "/v1/primaries"],
      ["GET", "/readyz"],
    ] as const) {
      const { status, body, headers } = await stopping.call(method, path);
      expect([path, status, body.code]).toEqual([path, 503, "shutting_down"]);
      expect(headers.get("connection")).toBe("close");
    }
    expect((await stopping.call("GET", "/livez")).status).toBe(200);
    expect((await stopping.call("GET", "/metrics")).status).toBe(200);
  });
});

describe("without any primary", () => {
  test.each([
    ["POST", "/v1/locks/a/acquire", { ttlMs: 1_000 }],
    ["POST", "/v1/locks/a/renew", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", ttlMs: 1_000 }],
    ["POST", "/v1/locks/a/renew", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", ttlMs: 1_000, fencingToken: 7 }],
    ["POST", "/v1/locks/a/release", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" }],
    ["GET", "/v1/locks/a", undefined],
    ["GET", "/v1/locks", undefined],
    ["POST", "/v1/locks/a/acquire", { ttlMs: 1_000, waitMs: 20_000 }],
    ["POST", "/v1/locks/a/check", { fencingToken: 7 }],
    ["POST", "/v1/locks/acquire", { names: ["a", "b"], ttlMs: 1_000 }],
    ["POST", "/v1/locks/renew", { names: ["a", "b"], leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", ttlMs: 1_000 }],
    ["POST", "/v1/locks/release", { names: ["a", "b"], leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" }],
    ["POST", "/v1/semaphores/a/acquire", { limit: 2, ttlMs: 1_000, waitMs: 20_000 }],
    ["POST", "/v1/semaphores/a/renew", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", ttlMs: 1_000 }],
    ["POST", "/v1/semaphores/a/release", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" }],
    ["GET", "/v1/semaphores/a", undefined],
    ["POST", "/v1/elections/a/campaign", { ttlMs: 1_000, waitMs: 20_000 }],
    ["POST", "/v1/elections/a/renew", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", ttlMs: 1_000 }],
    ["POST", "/v1/elections/a/proclaim", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA", value: 1 }],
    ["POST", "/v1/elections/a/resign", { leaseId: "kVYgQ3QzZ0u3m0n6mPpWqA" }],
    ["GET", "/v1/elections/a", undefined],
    ["GET", "/v1/elections/a?waitMs=20000", undefined],
    ["GET", "/v1/elections/a/events", undefined],
    ["PUT", "/v1/services/s/members/m", { address: "10.0.0.7:9000" }],
    ["POST", "/v1/services/s/members/m/heartbeat", undefined],
    ["DELETE", "/v1/services/s/members/m", undefined],
    ["GET", "/v1/services/s/members/m", undefined],
    ["GET", "/v1/services/s/members", undefined],
    ["GET", "/v1/services", undefined],
    ["GET", "/v1/services/s/owner?key=k", undefined],
    ["POST", "/v1/services/s/owners", { keys: ["k"] }],
  ])("%s %s is no_quorum at once, and says when to try again", async (method, path, body) => {
    // No time passes: what waited for anything would wait for ever.
    await using timeless = await startOffline({ world: { clock: new FakeClock() } });
    const answer = await timeless.call(method, path, body);
    expect([answer.status, answer.body.code]).toEqual([503, "no_quorum"]);
    expect(answer.body.detail).toMatch(/^0 of 3 primaries /);
    expect(answer.headers.get("retry-after")).toBe(String(Math.ceil(answer.body.retryAfterMs / 1_000)));
  });

  test("it lives, is ready, and says that there is no quorum", async () => {
    expect((await instance.call("GET", "/livez")).body).toEqual({ status: "ok" });
    expect((await instance.call("GET", "/readyz")).body).toMatchObject({
      status: "ready",
      quorum: false,
      grantsInMs: null,
    });
  });
});

test("a field that JavaScript gives a meaning is refused like any other that is not there", async () => {
  const { body } = await post("/v1/locks/a/acquire", '{"ttlMs":1000,"__proto__":{"owner":"x"}}');
  expect(body).toMatchObject({ code: "invalid_request", field: "__proto__" });
});
