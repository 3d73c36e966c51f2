import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RawAnswer, sendRaw } from "../../helpers/raw.js";
import { freshName, type Instance, startOffline, until } from "../../helpers/service.js";

// What node's parser and its deadlines do is seen on raw connections only.
let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startOffline({
    env: {
      QUORATE_LOG_LEVEL: "debug",
      QUORATE_HEADERS_TIMEOUT_MS: "1000",
      QUORATE_REQUEST_TIMEOUT_MS: "3000",
    },
  });
  url = await instance.url();
});
afterAll(() => instance[Symbol.asyncDispose]());

const ACQUIRE = "POST /v1/locks/a/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

function expectProblem(answer: RawAnswer | null, status: number, code: string): void {
  expect([answer?.status, answer?.body.code, answer?.body.status]).toEqual([status, code, status]);
  expect(answer?.headers.get("content-type")).toBe("application/problem+json");
  expect(answer?.headers.get("connection")).toBe("close");
  expect(answer?.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer?.body.requestId).toMatch(/^[\w.:-]{8,}$/);
  expect(answer?.headers.get("x-request-id")).toBe(answer?.body.requestId);
}

describe("what is not well-formed HTTP is a problem like any other", () => {
  test.each([
    { what: "no request at all", bytes: "hello\r\n\r\n", status: 400, code: "invalid_request" },
    {
      what: "headers without a colon",
      bytes: "GET /livez HTTP/1.1\r\nx\r\n\r\n",
      status: 400,
      code: "invalid_request",
    },
    {
      what: "headers of 200 KB",
      bytes: `GET /livez HTTP/1.1\r\nHost: localhost\r\nx: ${"x".repeat(200_000)}\r\n\r\n`,
      status: 431,
      code: "headers_too_large",
    },
    {
      what: "an expectation",
      bytes: "GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n",
      status: 417,
      code: "expectation_failed",
    },
    {
      what: "a path with a backslash",
      bytes: "GET /a\\b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      status: 400,
      code: "invalid_request",
    },
    {
      what: "no Host where HTTP/1.1 needs one",
      bytes: "GET /v1/primaries HTTP/1.1\r\nConnection: close\r\n\r\n",
      status: 400,
      code: "invalid_request",
    },
  ])("$what", async ({ bytes, status, code }) => {
    expectProblem(await sendRaw(url, bytes), status, code);
  });
});

describe("a body that does not arrive is the client's mistake, not an exception", () => {
  test.each([
    {
      what: "ZZ for the size of a chunk",
      bytes: `${ACQUIRE}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`,
      end: false,
    },
    {
      what: "a chunk that is cut off",
      bytes: `${ACQUIRE}Transfer-Encoding: chunked\r\n\r\n5\r\n{"t`,
      end: true,
    },
    { what: "a body that is cut off", bytes: `${ACQUIRE}Content-Length: 100\r\n\r\n{"t`, end: true },
  ])("$what", async ({ bytes, end }) => {
    const id = freshName("cut-off");
    expectProblem(
      await sendRaw(url, bytes.replace("Host:", `X-Request-Id: ${id}\r\nHost:`), { end }),
      400,
      "invalid_request",
    );
    await until(() => instance.logged.some((line) => line.includes(id)), "it is logged");
    const [line = "{}"] = instance.logged.filter((each) => each.includes(id));
    expect(JSON.parse(line)).toMatchObject({ requestId: id, status: 400, code: "invalid_request" });
  });
});

describe("a request that arrives too slowly", () => {
  test("is cut at the time of its headers", async () => {
    const answer = await sendRaw(url, "POST /v1/locks/a/acquire HTTP/1.1\r\nHost: loc");
    expectProblem(answer, 408, "request_timeout");
    expect(answer?.afterMs).toBeGreaterThan(950);
  });

  test("is cut at the time of the whole request", async () => {
    const answer = await sendRaw(url, `${ACQUIRE}Content-Length: 100\r\n\r\n{`);
    expectProblem(answer, 408, "request_timeout");
    expect(answer?.afterMs).toBeGreaterThan(2_950);
  });

  test("and has not begun is ended without a word", async () => {
    expect(await sendRaw(url, "")).toBe(null);
  });
});

describe("a health checker of HTTP/1.0 without a Host", () => {
  test.each(["/livez", "/readyz", "/metrics", "/v1/primaries"])("gets %s", async (path) => {
    expect((await sendRaw(url, `GET ${path} HTTP/1.0\r\n\r\n`))?.status).toBe(200);
  });
});

test("bytes that are not UTF-8 are refused", async () => {
  const body = Buffer.from('{"ttlMs":1000,"owner":"\xff"}', "latin1");
  const head = Buffer.from(`${ACQUIRE}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
  const answer = await sendRaw(url, Buffer.concat([head, body]));
  expectProblem(answer, 400, "invalid_request");
  expect(answer?.body.detail).toContain("UTF-8");
});
