import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LIMIT_MIN } from "../../../src/algorithms/concurrency-limit.js";
import { systemClock, systemRandom } from "../../../src/clock.js";
import { readConfig } from "../../../src/config.js";
import type { App } from "../../../src/http/context.js";
import { failures } from "../../../src/http/problem-examples.js";
import { Admission, inFlight, inFlightOf } from "../../../src/http/server/admission.js";
import { createServer } from "../../../src/http/server/server.js";
import { systemIds } from "../../../src/ids.js";
import { Contract } from "../../helpers/contract.js";
import { Crowd } from "../../helpers/open-loop.js";
import { startOffline, until } from "../../helpers/service.js";

// Real sockets before a handler that answers when it is told to.

const CONNECTIONS_MAX = 400;
const PRIMARIES = ["a:1", "b:1", "c:1"];
const counted = { shed: 0, queued: 0, abandoned: 0, connectionsRefused: 0 };
let admission: Admission;
let server: Server;
let crowd: Crowd;
let begun: string[];
let answers: (() => void)[];
/** Lets a request pause until it is told to go on. */
let pauses: (() => void)[];
let slowly: NodeJS.Timeout | undefined;

beforeEach(async () => {
  Object.assign(counted, { shed: 0, queued: 0, abandoned: 0, connectionsRefused: 0 });
  [begun, answers, pauses] = [[], [], []];
  const config = readConfig({ QUORATE_CONNECTIONS_MAX: String(CONNECTIONS_MAX) });
  const observer = {
    shed: () => void counted.shed++,
    queued: () => void counted.queued++,
    abandoned: () => void counted.abandoned++,
  };
  admission = new Admission(systemClock, systemRandom, config, PRIMARIES, observer, {
    warn: () => {},
  });
  const app = new Hono();
  app.all("*", async (c) => {
    const answer = async () => {
      begun.push(c.req.path);
      if (c.req.path.endsWith("/line")) {
        inFlightOf(c)?.pause();
        await new Promise<void>((resolve) => pauses.push(resolve));
        await inFlightOf(c)?.resume();
      }
      if (!c.req.path.endsWith("z")) await new Promise<void>((resolve) => answers.push(resolve));
      return c.text("done");
    };
    const answered = await inFlight(c, () => c.req.text(), answer);
    return answered ?? c.body(null);
  });
  app.onError((_, c) => c.body(null));
  const served = {
    app: app as unknown as App,
    gates: () => [admission.gate],
    connectionRefused: () => void counted.connectionsRefused++,
    turnedAway: () => {},
  };
  server = createServer(served, config, systemIds, systemClock);
  await once(server.listen(0, "127.0.0.1"), "listening");
  crowd = new Crowd(`http://127.0.0.1:${port()}`);
});

afterEach(async () => {
  clearInterval(slowly);
  crowd.hangUp();
  server.closeAllConnections();
  await once(server.close(), "close");
});

const port = () => (server.address() as AddressInfo).port;
const acquire = (body = '{"ttlMs":1000}', name = "a") =>
  crowd.call("POST", `/v1/locks/${name}/acquire`, body);
const answerAll = () => {
  for (const answer of answers.splice(0)) answer();
};

/** As many requests as may be in flight, none of which is answered; and the primaries are slow from now on. */
async function fill(): Promise<void> {
  const { limiter } = admission;
  const { limit } = limiter;
  const primariesTake = (ms: number) => {
    for (const address of PRIMARIES) admission.called(address, ms);
  };
  primariesTake(1);
  for (let i = 0; i < limit; i++) void acquire(undefined, "full");
  // On a busy machine the limit falls by itself meanwhile: then some of them wait.
  await until(() => limiter.inFlight >= limiter.limit, "the limit is reached");
  await systemClock.sleep(150);
  slowly = setInterval(() => primariesTake(1_000), 5);
  await until(() => limiter.limit === LIMIT_MIN, "the limit falls");
  await until(() => {
    while (answers.length + limiter.queued("ordinary") > LIMIT_MIN && answers.length > 0) answers.shift()?.();
    return answers.length === LIMIT_MIN && limiter.inFlight === LIMIT_MIN;
  }, "no more are in flight");
  begun.length = 0;
  Object.assign(counted, { shed: 0, queued: 0 });
}

/** Sends bytes as they are, and keeps the connection. */
async function sendRaw(text: string) {
  const socket = connect(port(), "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

const head = (path: string, bytes: number) =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;

describe("beyond the limit a request", () => {
  test("waits, and is let in when another one is answered", async () => {
    await fill();
    const answer = acquire();
    await until(() => admission.limiter.queued("ordinary") === 1, "it is in the queue");
    expect(begun).toEqual([]);
    answers.shift()?.();
    await until(() => begun.length === 1, "it is let in");
    answerAll();
    expect((await answer)?.status).toBe(200);
    expect(counted).toMatchObject({ queued: 1, shed: 0 });
    await until(() => admission.limiter.idle, "nothing is in flight");
  });

  test("comes after what keeps a lease, before what can wait", async () => {
    await fill();
    void acquire('{"ttlMs":1000,"waitMs":20000}', "patient");
    void acquire(undefined, "ordinary");
    void crowd.call("GET", "/v1/locks/read");
    const urgent = [
      ["POST", "/v1/locks/x/renew"],
      ["POST", "/v1/locks/x/release"],
      ["POST", "/v1/services/s/members/m/heartbeat"],
      ["POST", "/v1/elections/e/resign"],
      ["POST", "/v1/elections/e/proclaim"],
    ] as const;
    for (const [method, path] of urgent) void crowd.call(method, path, "{}");
    const { limiter } = admission;
    await until(() => limiter.queued("urgent") === urgent.length, "urgent ones are in the queue");
    await until(() => limiter.queued("ordinary") === 2 && limiter.queued("patient") === 1, "and the others");
    for (let i = 1; i <= urgent.length + 3; i++) {
      answers.shift()?.();
      await until(() => begun.length === i, "the next one is let in");
    }
    const paths = urgent.map(([, path]) => path as string);
    expect(new Set(begun.slice(0, urgent.length))).toEqual(new Set(paths));
    expect(begun.at(-1)).toBe("/v1/locks/patient/acquire");
  });

  test("is refused when its patience is over, as a problem with its own request id and a time to come back", async () => {
    await using offline = await startOffline();
    const contract = new Contract((await offline.call("GET", "/openapi.json")).body);
    await fill();
    const response = await fetch(`http://127.0.0.1:${port()}/v1/locks/a/acquire`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "mine-1" },
      body: '{"ttlMs":1000}',
    });
    const { status, headers } = response;
    const body = (await response.json()) as { retryAfterMs: number };
    expect(status).toBe(503);
    expect(headers.get("x-request-id")).toBe("mine-1");
    const detail = failures.overloaded.message;
    expect(body).toMatchObject({ code: "overloaded", detail, requestId: "mine-1" });
    expect(Number(headers.get("retry-after"))).toBe(Math.ceil(body.retryAfterMs / 1000));
    contract.check("POST", "/v1/locks/a/acquire", { status, headers, body });
    expect(begun).toEqual([]);
    expect(counted.shed).toBe(1);
  });

  test.each([
    ["with the headers", ['{"ttlMs":1000,"waitMs":20000}']],
    ["after them, in parts", ['{"ttlMs":1000,', '"waitMs":', "20000}"]],
  ])("that can wait is not refused: its body comes %s", async (_, parts) => {
    await fill();
    const bytes = parts.join("").length;
    const [first = "", ...rest] = parts;
    const together = head("/v1/locks/waits/acquire", bytes) + (rest.length === 0 ? first : "");
    const socket = await sendRaw(together);
    for (const part of rest.length === 0 ? [] : parts) {
      await systemClock.sleep(20);
      socket.write(part);
    }
    await until(() => admission.limiter.queued("patient") === 1, "it is known to be patient");
    await systemClock.sleep(700);
    expect(counted.shed).toBe(0);
    answerAll();
    await until(() => begun.length === 1, "it is let in");
    answerAll();
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
  });

  test("whose client goes is forgotten, and never begun", async () => {
    await fill();
    const body = '{"ttlMs":1000,"waitMs":20000}';
    const sockets = await Promise.all(
      Array.from({ length: 50 }, () => sendRaw(head("/v1/locks/gone/acquire", body.length) + body)),
    );
    await until(() => admission.limiter.queued("patient") === 50, "they are in the queue");
    for (const socket of sockets) socket.destroy();
    await until(() => counted.abandoned === 50, "they are forgotten");
    answerAll();
    await until(() => admission.limiter.idle, "nothing is left");
    expect(begun).toEqual([]);
  });
});

describe("in flight is not", () => {
  test("a probe, nor what else answers always", async () => {
    await fill();
    for (const path of ["/livez", "/readyz"]) expect((await crowd.call("GET", path))?.status).toBe(200);
  });

  test("a request whose body does not come", async () => {
    const { limit } = admission.limiter;
    const slow = await Promise.all(
      Array.from({ length: limit + 50 }, () => sendRaw(head("/v1/locks/slow/acquire", 14))),
    );
    await until(() => admission.limiter.inFlight === 0, "none of them is in flight");
    void acquire();
    await until(() => begun.length === 1, "another one is let in");
    for (const socket of slow) socket.destroy();
  });

  test("a request that waits for a lease, and goes on in turn with those that come later", async () => {
    const { limit } = admission.limiter;
    for (let i = 0; i < limit + 50; i++) void crowd.call("POST", "/v1/locks/line", "{}");
    await until(() => pauses.length === limit + 50, "all of them wait");
    expect(admission.limiter.inFlight).toBe(0);
    begun.length = 0;
    await fill();
    void acquire(undefined, "later");
    await until(() => admission.limiter.queued("ordinary") === 1, "another one is in the queue");
    pauses.shift()?.();
    await until(() => admission.limiter.queued("resumed") === 1, "one goes on when it may");
    answers.shift()?.();
    answers.shift()?.();
    await until(() => admission.limiter.queued("resumed") === 0, "it goes on");
    await until(() => begun.length === 1, "and so does the other");
  });

  test("a request that the framework refuses before it is begun", async () => {
    const { limit } = admission.limiter;
    const sockets = await Promise.all(
      Array.from({ length: limit + 1 }, () => sendRaw("GET /v1/locks/a HTTP/1.1\r\nhost: a b\r\n\r\n")),
    );
    await until(() => admission.limiter.idle, "none of them is in flight");
    for (const socket of sockets) socket.destroy();
  });
});

test("connections beyond their bound are closed at once, and the others served", async () => {
  const kept = await Promise.all(
    Array.from({ length: CONNECTIONS_MAX - 1 }, () => sendRaw("GET /livez HTTP/1.1\r\n")),
  );
  expect((await crowd.call("GET", "/livez"))?.status).toBe(200);
  const socket = connect(port(), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "close");
  expect(counted.connectionsRefused).toBe(1);
  expect((await crowd.call("GET", "/livez"))?.status).toBe(200);
  for (const one of kept) one.destroy();
});
