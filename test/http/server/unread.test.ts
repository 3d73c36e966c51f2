import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessBy, bearer, EVERYTHING, type TestAccess } from "../../helpers/access.js";
import { parse } from "../../helpers/raw.js";
import { type Instance, startOffline, until } from "../../helpers/service.js";

let keyed: TestAccess;
let instance: Instance;
let port: number;
beforeAll(async () => {
  keyed = await accessBy({ ops: [EVERYTHING] });
  instance = await startOffline({ world: { access: keyed.access } });
  port = Number(new URL(await instance.url()).port);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

const MB = 1024 * 1024;
const head = (...headers: string[]) =>
  ["POST /v1/locks/a/acquire HTTP/1.1", "Host: localhost", ...headers, "", ""].join("\r\n");
const KEY = `Authorization: ${bearer("ops").authorization}`;

/** A connection that keeps what it receives. */
async function open(bytes: string) {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const got = { text: "", closed: false };
  socket.setEncoding("utf8").on("data", (part: string) => {
    got.text += part;
  });
  socket
    .on("error", () => {})
    .on("close", () => {
      got.closed = true;
    });
  await once(socket, "connect");
  socket.write(bytes);
  return { socket, got };
}

/** Sends as much as the other end takes. */
function flood(socket: Socket, part: Buffer | string, most: number): void {
  const more = () => {
    while (!socket.destroyed && socket.bytesWritten < most && socket.write(part));
  };
  socket.on("drain", more);
  more();
}

describe("of a request without a key", () => {
  test.each([
    ["a length", `Content-Length: ${256 * MB}`, "x".repeat(65_536)],
    ["chunks", "Transfer-Encoding: chunked", `10000\r\n${"x".repeat(65_536)}\r\n`],
  ])("a long body with %s is not read, and its client has the answer", async (_, header, part) => {
    const { socket, got } = await open(head(header));
    flood(socket, part, 256 * MB);
    await until(() => got.closed, "the connection is closed", 5_000);
    const { status, headers, body } = parse(got.text);
    expect([status, body.code, headers.get("connection")]).toEqual([401, "unauthenticated", "close"]);
    // What the kernel holds for both ends.
    expect(socket.bytesWritten - socket.writableLength).toBeLessThan(32 * MB);
  });

  test("a client that waits for its answer before it closes has it at once", async () => {
    const { socket, got } = await open(head(`Content-Length: ${MB}`) + "x".repeat(200_000));
    await once(socket, "end");
    expect(parse(got.text).status).toBe(401);
    socket.destroy();
  });

  test("a short body is read, and the connection stays", async () => {
    const { socket, got } = await open(`${head("Content-Length: 2")}{}${head("Content-Length: 2")}{}`);
    await until(() => got.text.split("HTTP/1.1 401").length === 3, "both are answered");
    expect(got.closed).toBe(false);
    socket.destroy();
  });
});

describe("Expect", () => {
  test("100-continue gets no 100 before a 401", async () => {
    const { socket, got } = await open(head("Expect: 100-continue", "Content-Length: 14"));
    await until(() => got.text.includes("\r\n\r\n"), "it is answered");
    expect(got.text).toMatch(/^HTTP\/1\.1 401/);
    expect(got.text).toMatch(/\r\nconnection: close/i);
    await until(() => got.closed || socket.readableEnded, "it is ended");
    socket.destroy();
  });

  test("100-continue gets its 100 with a key, and then its answer", async () => {
    const { socket, got } = await open(
      head(KEY, "Expect: 100-continue", "Content-Length: 2", "Content-Type: application/json"),
    );
    await until(() => got.text.includes("\r\n\r\n"), "it is answered");
    expect(got.text).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    socket.write("{}");
    await until(() => /HTTP\/1\.1 4\d\d/.test(got.text), "it is answered");
    expect(got.text).toMatch(/"code":"invalid_request"/);
    expect(got.text.split("100 Continue")).toHaveLength(2);
    socket.destroy();
  });

  test.each([
    ["without a key", [], 401],
    ["with a key", [KEY], 417],
  ])("of something else %s", async (_, headers, status) => {
    const { socket, got } = await open(head("Expect: wonders", ...headers));
    await until(() => got.text.includes("\r\n\r\n"), "it is answered");
    expect(parse(got.text).status).toBe(status);
    socket.destroy();
  });
});
