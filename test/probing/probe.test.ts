import { once } from "node:events";
import { createServer as createHttp, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { AllowList } from "../../src/outbound/allow-list.js";
import type { Resolve } from "../../src/outbound/destination.js";
import { probe } from "../../src/probing/probe.js";
import { type ProbeTarget, readTarget } from "../../src/probing/probe-target.js";
import { FakeClock } from "../helpers/fake-clock.js";

const LOOPBACK = new AllowList(["127.0.0.0/8", "target.test"]);
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

const http = (answer: RequestListener) => listening(createHttp(answer));
const at = (port: number, path = "/health", host = "127.0.0.1"): ProbeTarget => ({
  kind: "http",
  host,
  port,
  path,
});
const look = (
  target: ProbeTarget,
  { timeoutMs = 2_000, allow = LOOPBACK, resolve = refuse as Resolve } = {},
) => probe(target, timeoutMs, allow, systemClock, resolve);
const refuse = () => Promise.reject(new Error("nobody is to be asked"));

describe("a probe by HTTP", () => {
  test.each([
    [200, "ok"],
    [204, "ok"],
    [301, "failed"],
    [404, "failed"],
    [503, "failed"],
  ])("of a target that answers %d is %s", async (status, outcome) => {
    const port = await http((_, response) => void response.writeHead(status).end("body"));
    expect(await look(at(port))).toEqual({ outcome, detail: `status ${status}` });
  });

  test("asks for the path with its query, under the name that was registered", async () => {
    const seen: unknown[] = [];
    const port = await http(({ method, url, headers }, response) => {
      seen.push([method, url, headers.host, headers["user-agent"]]);
      response.end();
    });
    const resolve = async () => "127.0.0.1";
    await look(at(port, "/health?deep=1", "target.test"), { resolve });
    expect(seen).toEqual([["GET", "/health?deep=1", `target.test:${port}`, "quorate-probe"]]);
  });

  test("follows no redirect", async () => {
    let reached = false;
    const other = await http((_, response) => {
      reached = true;
      response.end();
    });
    const port = await http(
      (_, response) => void response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end(),
    );
    expect((await look(at(port))).outcome).toBe("failed");
    expect(reached).toBe(false);
  });

  test("of a target that never stops answering ends at once, and closes the connection", async () => {
    const closed = deferred();
    const port = await http((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x".repeat(65_536)), 1);
      response.on("close", () => {
        clearInterval(timer);
        closed.resolve(undefined);
      });
    });
    expect((await look(at(port))).outcome).toBe("ok");
    await closed.promise;
  });

  test("of a target with endless headers fails", async () => {
    const port = await http((_, response) => void response.writeHead(200, { long: "x".repeat(9_000) }).end());
    expect(await look(at(port))).toEqual({ outcome: "failed", detail: "HPE_HEADER_OVERFLOW" });
  });

  test("of what speaks no HTTP fails", async () => {
    const port = await listening(createTcp((socket) => void socket.end("hello\r\n")));
    expect((await look(at(port))).outcome).toBe("failed");
  });

  test("of a target that accepts and says nothing times out, and closes the connection", async () => {
    const gone = deferred();
    const port = await listening(
      createTcp((socket: Socket) => {
        socket.on("error", () => {});
        socket.on("close", () => gone.resolve(undefined));
        socket.resume();
      }),
    );
    expect(await look(at(port), { timeoutMs: 100 })).toEqual({
      outcome: "timeout",
      detail: "no answer within 100 ms",
    });
    await gone.promise;
  });
});

describe("a probe by TCP", () => {
  test("of a port that is open is ok, of one that is not has failed", async () => {
    const port = await listening(createTcp((socket) => socket.on("error", () => {})));
    const target = { ...at(port, ""), kind: "tcp" } as const;
    expect(await look(target)).toEqual({ outcome: "ok", detail: "connected" });
    for (const server of servers.splice(0)) server.close();
    expect(await look(target)).toEqual({ outcome: "failed", detail: "ECONNREFUSED" });
  });
});

describe("a name", () => {
  test("is resolved once, and what was judged is what is connected to", async () => {
    const port = await http((_, response) => void response.end());
    const answers = ["127.0.0.1", "169.254.169.254"];
    const result = await look(at(port, "/", "target.test"), { resolve: async () => answers.shift() ?? "" });
    expect(result.outcome).toBe("ok");
    expect(answers).toEqual(["169.254.169.254"]);
  });

  test.each(["169.254.169.254", "10.0.0.1", "::1", "::ffff:169.254.169.254", "0.0.0.0"])(
    "that resolves to %s, which is not allowed, is not connected to",
    async (address) => {
      const result = await look(at(1, "/", "target.test"), { resolve: async () => address });
      expect(result).toEqual({ outcome: "forbidden", detail: "its address is not allowed" });
    },
  );

  test("that does not resolve has failed", async () => {
    const resolve = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    expect(await look(at(1, "/", "target.test"), { resolve })).toEqual({
      outcome: "failed",
      detail: "ENOTFOUND",
    });
  });

  test("whose resolution never ends times out", async () => {
    const result = await look(at(1, "/", "target.test"), {
      resolve: () => new Promise(() => {}),
      timeoutMs: 50,
    });
    expect(result.outcome).toBe("timeout");
  });
});

test("an instance that was paused knows nothing, and reports nothing", async () => {
  const clock = new FakeClock();
  let fire = () => {};
  const after = (_: number, task: () => void) => {
    fire = task;
    return () => {};
  };
  const paused = { monotonicMs: clock.monotonicMs, after };
  const result = probe(at(1, "/", "target.test"), 1_000, LOOPBACK, paused, () => new Promise(() => {}));
  await clock.advance(1_601);
  fire();
  expect((await result).outcome).toBe("late");
});

describe("a target", () => {
  test.each([
    ["http", "http://10.0.0.7:9000/health?x=1", { host: "10.0.0.7", port: 9000, path: "/health?x=1" }],
    ["http", "HTTP://Search.Internal", { host: "search.internal", port: 80, path: "/" }],
    ["http", "http://[::ffff:10.0.0.7]:9000/", { host: "10.0.0.7", port: 9000, path: "/" }],
    ["http", "http://0x7f.1:9000/", { host: "127.0.0.1", port: 9000, path: "/" }],
    ["http", "http://2130706433/", { host: "127.0.0.1", port: 80, path: "/" }],
    ["http", "http://10.0.0.7/../etc", { host: "10.0.0.7", port: 80, path: "/etc" }],
    ["tcp", "10.0.0.7:9000", { host: "10.0.0.7", port: 9000, path: "" }],
    ["tcp", "[fd00::1]:80", { host: "fd00::1", port: 80, path: "" }],
    ["tcp", "search.internal:443", { host: "search.internal", port: 443, path: "" }],
  ] as const)("by %s %s is understood", (kind, text, target) => {
    expect(readTarget(kind, text)).toEqual({ kind, ...target });
  });

  test.each([
    ["http", "https://10.0.0.7/"],
    ["http", "10.0.0.7:9000"],
    ["http", "http://user:secret@10.0.0.7/"],
    ["http", "http://10.0.0.7/#part"],
    ["http", "http://"],
    ["http", "http://10.0.0.7:0/"],
    ["http", "file:///etc/passwd"],
    ["http", "http:10.0.0.7"],
    ["tcp", "10.0.0.7"],
    ["tcp", "10.0.0.7:99999"],
    ["tcp", "10.0.0.7:80/path"],
    ["tcp", "user@10.0.0.7:80"],
    ["tcp", "http://10.0.0.7:80"],
    ["tcp", ":80"],
  ] as const)("by %s %s is none", (kind, text) => {
    expect(readTarget(kind, text)).toBeNull();
  });
});

function deferred() {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
