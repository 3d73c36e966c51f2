import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Instance, startOffline } from "../../helpers/service.js";
import { send } from "../../helpers/wire.js";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startOffline();
  url = await instance.url();
});
afterAll(() => instance[Symbol.asyncDispose]());

const KB = 1_024;
const headers = { "content-type": "application/json" };

/** Well-formed JSON of exactly so many bytes, with a field in it that is not too large itself. */
function padded(bytes: number, json: string): string {
  return json.slice(0, -1) + " ".repeat(bytes - json.length) + json.slice(-1);
}

/** In pieces of 10 KB, so that no piece alone is too large. */
function pieces(text: string): string[] {
  return text.match(/.{1,10240}/gs) ?? [];
}

const CASES = [
  { route: "a lock", path: "/v1/locks/a/acquire", json: '{"ttlMs":1000}', bytesMax: 64 * KB },
  { route: "a heartbeat", path: "/v1/services/s/members/m/heartbeat", json: "{}", bytesMax: 64 * KB },
  { route: "a batch", path: "/v1/services/s/owners", json: '{"keys":["k"]}', bytesMax: 2_048 * KB },
];

describe.each(CASES)("the body of $route, on a real socket", ({ path, json, bytesMax }) => {
  test.each(["with a Content-Length", "in chunks"])(
    "may have its limit and not a byte more, %s",
    async (how) => {
      const body = (bytes: number) => {
        const text = padded(bytes, json);
        return how === "in chunks" ? pieces(text) : text;
      };
      const most = await send(url, { path, headers, body: body(bytesMax) });
      // It got as far as the primaries, of which there are none.
      expect([most.status, most.body.code]).toEqual([503, "no_quorum"]);

      const more = await send(url, { path, headers, body: body(bytesMax + 1) });
      expect([more.status, more.body.code]).toEqual([413, "too_large"]);
      expect(more.headers.get("content-type")).toBe("application/problem+json");
      expect(more.headers.get("x-request-id")).toBe(more.body.requestId);
      expect(more.body.detail).toContain(String(bytesMax));
    },
  );
});

test("a body that is announced as too large is refused before it is sent", async () => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(
    `POST /v1/locks/a/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${10 ** 12}\r\n\r\n`,
  );
  const heard = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  expect(heard).toMatch(/^HTTP\/1.1 413 /);
  socket.destroy();
});

test("a body in chunks without an end is refused as soon as it is too large", async () => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write("POST /v1/locks/a/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
  socket.write("Transfer-Encoding: chunked\r\n\r\n");
  const piece = `${(8 * KB).toString(16)}\r\n${" ".repeat(8 * KB)}\r\n`;
  for (let sent = 0; sent <= 64; sent += 8) socket.write(piece);
  const heard = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  expect(heard).toMatch(/^HTTP\/1.1 413 /);
  socket.destroy();
});

describe("no body at all, on a real socket", () => {
  const path = "/v1/services/s/members/m/heartbeat";

  test.each([
    { what: "no headers about it", headers: {} },
    { what: "a content type", headers },
    { what: "a length of 0", headers: { "content-length": "0" } },
    { what: "a content type and a length of 0", headers: { ...headers, "content-length": "0" } },
  ])("with $what is a heartbeat", async ({ headers }) => {
    expect((await send(url, { path, headers })).body.code).toBe("no_quorum");
  });

  test("sent in no chunks is a heartbeat", async () => {
    const none = { path, headers: { ...headers, "transfer-encoding": "chunked" }, body: [] };
    expect((await send(url, none)).body.code).toBe("no_quorum");
  });

  test("is an invalid request where something must be said", async () => {
    for (const each of [{}, headers]) {
      const { status, body } = await send(url, { path: "/v1/locks/a/acquire", headers: each });
      expect([400, 415]).toContain(status);
      expect(["invalid_request", "unsupported_media_type"]).toContain(body.code);
    }
  });
});

test("an empty and a small body in chunks are understood", async () => {
  const answer = await send(url, { path: "/v1/locks/a/acquire", headers, body: ['{"ttl', 'Ms":1000}'] });
  expect(answer.body.code).toBe("no_quorum");
  const broken = await send(url, { path: "/v1/locks/a/acquire", headers, body: ['{"ttl'] });
  expect(broken.body.code).toBe("invalid_request");
});
