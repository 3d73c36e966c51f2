import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { Connections } from "../../../src/http/server/connections.js";
import { until } from "../../helpers/service.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

let server: Server;
let connections: Connections;
let port: number;
/** How many requests have reached the handler, and what lets them be answered. */
let asked: number;
let answer: () => void;
let clients: Client[];

beforeEach(async () => {
  asked = 0;
  clients = [];
  let answered = Promise.resolve();
  answer = () => {};
  server = createServer({ keepAliveTimeout: 75_000 }, async (incoming, outgoing) => {
    if (!connections.began(incoming, outgoing)) return;
    asked += 1;
    if (incoming.url === "/held") {
      answered = new Promise((resolve) => {
        answer = resolve;
      });
      await answered;
    }
    outgoing.end("done");
  });
  connections = new Connections(server, systemClock);
  await once(server.listen(0, "127.0.0.1"), "listening");
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  for (const { socket } of clients) socket.destroy();
  server.closeAllConnections();
});

interface Client {
  readonly socket: Socket;
  /** What has come, and how it ended: `FIN`, or the code of an error. */
  got: string;
  end: string | null;
}

async function client(...sends: string[]): Promise<Client> {
  const socket = connect(port, "127.0.0.1");
  const each: Client = { socket, got: "", end: null };
  clients.push(each);
  socket.on("data", (data) => {
    each.got += data;
  });
  socket.on("end", () => {
    each.end ??= "FIN";
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    each.end = error.code ?? "error";
  });
  await once(socket, "connect");
  for (const text of sends) {
    socket.write(text);
    await until(() => each.got.includes("done"), "it is answered");
  }
  return each;
}

describe("once it leaves", () => {
  test("a server takes new connections, and closes each with its answer", async () => {
    const kept = await client(REQUEST);
    connections.leave();
    expect(kept.got).not.toMatch(/connection: close/i);
    kept.got = "";
    kept.socket.write(REQUEST);
    await until(() => kept.end !== null, "the connection is closed");
    const late = await client(REQUEST);
    await until(() => late.end !== null, "the other, too");
    for (const { got, end } of [kept, late]) {
      expect(got).toMatch(/connection: close.*done$/is);
      expect(end).toBe("FIN");
    }
  });
});

describe("with its port closed", () => {
  test("a request that comes at that moment on a connection that was kept is answered", async () => {
    const kept = await Promise.all(Array.from({ length: 20 }, () => client(REQUEST)));
    for (const each of kept) each.got = "";
    const closed = connections.closePort();
    for (const { socket } of kept) socket.write(REQUEST);
    await closed;
    expect(await connections.end(5_000)).toBe(true);
    await until(() => kept.every(({ end }) => end !== null), "all are closed");
    expect(new Set(kept.map(({ end }) => end))).toEqual(new Set(["FIN"]));
    for (const { got } of kept) expect(got).toMatch(/^HTTP\/1.1 200 .*done$/s);
  });

  test("one under way is answered, and one that has begun to arrive", async () => {
    const held = await client();
    held.socket.write(REQUEST.replace("/", "/held"));
    const begun = await client(REQUEST);
    begun.got = "";
    begun.socket.write("GET / HTT");
    await until(() => asked === 2, "one is under way");
    await connections.closePort();
    const ended = connections.end(10_000);
    await sleep(1_000);
    begun.socket.write("P/1.1\r\nHost: localhost\r\n\r\n");
    answer();
    expect(await ended).toBe(true);
    for (const each of [held, begun]) {
      await until(() => each.end !== null, "it is closed");
      expect(each.got).toMatch(/^HTTP\/1.1 200 .*connection: close.*done$/is);
      expect(each.end).toBe("FIN");
    }
  });

  test("those that stay silent are ended after a while, without a reset", async () => {
    const silent = [await client(), await client(REQUEST)];
    await connections.closePort();
    const beganMs = performance.now();
    expect(await connections.end(9_000)).toBe(true);
    expect(performance.now() - beganMs).toBeGreaterThan(1_900);
    await until(() => silent.every(({ end }) => end !== null), "both are closed");
    expect(silent.map(({ end }) => end)).toEqual(["FIN", "FIN"]);
  });

  test("what comes on a connection that was ended meanwhile is not done: nobody would hear of it", async () => {
    const deaf = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    deaf.on("error", () => {});
    deaf.resume();
    await once(deaf, "connect");
    await connections.closePort();
    const ended = connections.end(4_000);
    await once(deaf, "end");
    deaf.write(REQUEST);
    await sleep(200);
    expect(asked).toBe(0);
    deaf.destroy();
    await ended;
  });

  test("new connections are refused, and what takes too long is cut and told of", async () => {
    const held = await client();
    held.socket.write(REQUEST.replace("/", "/held"));
    await until(() => asked === 1, "it is under way");
    await connections.closePort();
    const refused = connect(port, "127.0.0.1");
    const [error] = await once(refused, "error");
    expect(error.code).toBe("ECONNREFUSED");
    expect(await connections.end(100)).toBe(false);
  });
});

test("connections that come while the port closes are taken in first: none is reset", async () => {
  const sockets = Array.from({ length: 200 }, () => connect(port, "127.0.0.1"));
  const outcomes = sockets.map(
    (socket) =>
      new Promise<string>((resolve) => {
        let got = "";
        socket.on("data", (data) => {
          got += data;
        });
        socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
        socket.on("end", () => resolve(got.endsWith("done") ? "answered" : "nothing"));
        socket.write(REQUEST);
      }),
  );
  await connections.closePort();
  await connections.end(9_000);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["answered"]));
});
