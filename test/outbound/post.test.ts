import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { AllowList } from "../../src/outbound/allow-list.js";
import { readUrl } from "../../src/outbound/destination.js";
import { postingBy } from "../../src/outbound/post.js";
import { authority, hasOpenssl } from "../helpers/certificates.js";

const LOOPBACK = new AllowList(["127.0.0.0/8", "receiver.test"]);
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

const http = (answer: RequestListener) => listening(createServer(answer));
const never = () => Promise.reject(new Error("nobody is to be asked"));

function post(
  url: string,
  {
    timeoutMs = 2_000,
    answerBytesMax = 100,
    resolve = never as (host: string) => Promise<string>,
    signal = new AbortController().signal,
  } = {},
) {
  const to = readUrl(url, ["http:", "https:"]);
  if (!to) throw new Error(`${url} is none`);
  const outgoing = { headers: { "x-id": "1" }, body: '{"a":"ä"}', timeoutMs, answerBytesMax };
  return postingBy(LOOPBACK, systemClock, resolve)(to, outgoing, signal);
}

describe("a POST", () => {
  test("brings its body and headers, and returns the status and the body of the answer", async () => {
    const seen: unknown[] = [];
    const port = await http((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part) => (text += part));
      request.on("end", () => {
        seen.push([request.method, request.url, request.headers.host, request.headers["x-id"], text]);
        response.writeHead(201).end('{"vote":"yes"}');
      });
    });
    const resolve = async () => "127.0.0.1";
    const posted = await post(`http://receiver.test:${port}/hook?x=1`, { resolve });
    expect(posted).toEqual({ kind: "answered", status: 201, text: '{"vote":"yes"}' });
    expect(seen).toEqual([["POST", "/hook?x=1", `receiver.test:${port}`, "1", '{"a":"ä"}']]);
  });

  test("follows no redirect", async () => {
    let reached = false;
    const other = await http((_, response) => {
      reached = true;
      response.end();
    });
    const location = `http://127.0.0.1:${other}/`;
    const port = await http((_, response) => void response.writeHead(307, { location }).end());
    expect(await post(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: "answered", status: 307 });
    expect(reached).toBe(false);
  });

  test.each([
    [100, "x".repeat(100)],
    [101, null],
    [10_000_000, null],
  ])("answered with %d bytes keeps no more than it may", async (bytes, text) => {
    const port = await http((_, response) => void response.end("x".repeat(bytes)));
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ kind: "answered", status: 200, text });
  });

  test("answered without an end is cut off", async () => {
    const closed = deferred();
    const port = await http((_, response) => {
      const timer = setInterval(() => response.write("x".repeat(50)), 1);
      response.on("close", () => {
        clearInterval(timer);
        closed.resolve(undefined);
      });
    });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ kind: "answered", status: 200, text: null });
    await closed.promise;
  });

  test("that is not answered times out, and closes the connection", async () => {
    const closed = deferred();
    const port = await listening(
      createTcp((socket) => {
        socket.on("error", () => {});
        socket.on("close", () => closed.resolve(undefined));
        socket.resume();
      }),
    );
    expect(await post(`http://127.0.0.1:${port}/`, { timeoutMs: 100 })).toEqual({
      kind: "timeout",
      detail: "no answer within 100 ms",
    });
    await closed.promise;
  });

  test("whose answer hangs after its headers times out as well", async () => {
    const port = await http((_, response) => void response.writeHead(200).write("x"));
    expect((await post(`http://127.0.0.1:${port}/`, { timeoutMs: 100 })).kind).toBe("timeout");
  });

  test("with endless headers in its answer, or to what speaks no HTTP, or to nobody, has failed", async () => {
    const long = await http((_, response) => void response.writeHead(200, { long: "x".repeat(9_000) }).end());
    expect(await post(`http://127.0.0.1:${long}/`)).toEqual({
      kind: "failed",
      detail: "HPE_HEADER_OVERFLOW",
    });
    const tcp = await listening(createTcp((socket) => void socket.end("hello\r\n")));
    expect((await post(`http://127.0.0.1:${tcp}/`)).kind).toBe("failed");
    const closed = await http(() => {});
    for (const server of servers.splice(0)) server.close();
    expect(await post(`http://127.0.0.1:${closed}/`)).toEqual({ kind: "failed", detail: "ECONNREFUSED" });
  });

  test("ends when it is given up", async () => {
    const port = await http(() => {});
    const giveUp = new AbortController();
    const posted = post(`http://127.0.0.1:${port}/`, { signal: giveUp.signal });
    giveUp.abort();
    expect(await posted).toEqual({ kind: "failed", detail: "it was given up" });
  });
});

describe("a name", () => {
  test.each(["169.254.169.254", "10.0.0.1", "::1", "::ffff:169.254.169.254", "0.0.0.0"])(
    "that resolves to %s, which is not allowed, is not connected to",
    async (address) => {
      const posted = await post("http://receiver.test:1/", { resolve: async () => address });
      expect(posted).toEqual({ kind: "forbidden", detail: "its address is not allowed" });
    },
  );

  test("is resolved once, and what was judged is what is connected to", async () => {
    const port = await http((_, response) => void response.end());
    const answers = ["127.0.0.1", "169.254.169.254"];
    const posted = await post(`http://receiver.test:${port}/`, {
      resolve: async () => answers.shift() ?? "",
    });
    expect(posted.kind).toBe("answered");
    expect(answers).toEqual(["169.254.169.254"]);
  });

  test("whose resolution never ends times out", async () => {
    const posted = await post("http://receiver.test:1/", {
      resolve: () => new Promise(() => {}),
      timeoutMs: 50,
    });
    expect(posted.kind).toBe("timeout");
  });
});

test.skipIf(!hasOpenssl)("over TLS, a certificate that nobody vouches for is not accepted", async () => {
  const { cert, key } = await (await authority("nobody knows it")).issue("receiver");
  const port = await listening(createHttps({ cert, key }, (_, response) => void response.end()));
  expect(await post(`https://127.0.0.1:${port}/`)).toEqual({
    kind: "failed",
    detail: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
});

function deferred() {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
