import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.js";
import { type Connection, connectByIoredis, RedisReplyError } from "../../src/redis/connection.js";
import { Wire } from "../../src/redis/wire.js";
import { until } from "../helpers/service.js";

// Against a server that is nothing but a socket: what exactly is sent, and how often.
let server: Server;
let port: number;
let sockets: Socket[];
/** Commands as they arrived, in all connections. */
let heard: string[][];
/** What arrived in one piece. */
let pieces: number;
/** Answers a command; undefined: says nothing. */
let answer: (command: string[], socket: Socket) => string | undefined;
const connections: Connection[] = [];

beforeEach(async () => {
  sockets = [];
  heard = [];
  pieces = 0;
  answer = () => "+OK\r\n";
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      pieces += 1;
      // Requests are arrays of bulk strings: *2\r\n$3\r\nGET\r\n$1\r\na\r\n
      for (const request of data.toString().split(/(?=\*\d+\r\n\$)/)) {
        const command = request.split("\r\n").filter((line) => line !== "" && !/^[*$]\d+$/.test(line));
        heard.push(command);
        const reply = answer(command, socket);
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function connect(url = `redis://127.0.0.1:${port}`): Connection {
  const connection = connectByIoredis(url, { connectTimeoutMs: 500, name: "quorate" });
  connections.push(connection);
  return connection;
}

async function connected(): Promise<Connection> {
  const connection = connect();
  await until(() => connection.ready, "connected");
  return connection;
}

const times = (name: string) => heard.filter(([first]) => first?.toUpperCase() === name).length;

describe("a command", () => {
  test("is sent as it is, and its reply comes back", async () => {
    const connection = await connected();
    answer = () => ":7\r\n";
    expect(await connection.call("INCRBY", "key", 7)).toBe(7);
    expect(heard.at(-1)).toEqual(["INCRBY", "key", "7"]);
  });

  test("that Redis refuses fails with what it said", async () => {
    const connection = await connected();
    answer = () => "-NOSCRIPT No matching script.\r\n";
    const failure = await connection.call("EVALSHA", "sha", 0).catch((error: Error) => error);
    expect(failure).toBeInstanceOf(RedisReplyError);
    expect(failure).toMatchObject({ message: "NOSCRIPT No matching script." });
    // ioredis' own error has the arguments of the command in it.
    expect(failure).not.toHaveProperty("command");
  });

  test("without a connection fails at once, and is not sent later", async () => {
    const connection = connect();
    await expect(connection.call("SET", "early", 1)).rejects.not.toBeInstanceOf(RedisReplyError);
    await until(() => connection.ready, "connected");
    await connection.call("PING");
    expect(times("SET")).toBe(0);
  });

  test("whose connection is lost before the reply fails, and is never sent again", async () => {
    const connection = await connected();
    answer = ([name], socket) => {
      if (name !== "SET") return "+OK\r\n";
      socket.destroy();
      return undefined;
    };
    await expect(connection.call("SET", "key", 1)).rejects.not.toBeInstanceOf(RedisReplyError);
    await until(() => connection.ready, "connected again");
    await connection.call("PING");
    expect(times("SET")).toBe(1);
    expect(sockets).toHaveLength(2);
  });

  test("leaves with all others of its turn in one piece", async () => {
    const connection = await connected();
    await connection.call("PING");
    const before = pieces;
    await Promise.all(Array.from({ length: 20 }, (_, i) => connection.call("SET", `key-${i}`, i)));
    expect(times("SET")).toBe(20);
    expect(pieces - before).toBe(1);
  });
});

describe("a connection", () => {
  test("tells when it is there, and when and why it was lost", async () => {
    const changes = vi.fn();
    const connection = connect();
    connection.onChange(changes);
    await until(() => connection.ready, "connected");
    expect(changes.mock.calls).toEqual([[true, undefined]]);
    sockets[0]?.resetAndDestroy();
    await until(() => changes.mock.calls.length > 1, "lost");
    expect(changes.mock.calls[1]?.[0]).toBe(false);
    await until(() => connection.ready, "connected again");
  });

  test("that cannot be had says why, and is tried again until it can", async () => {
    await new Promise((resolve) => server.close(resolve));
    const changes = vi.fn();
    const connection = connect();
    connection.onChange(changes);
    await until(() => changes.mock.calls.length >= 2, "tried twice");
    expect(changes.mock.calls[0]).toEqual([
      false,
      expect.objectContaining({ message: expect.stringContaining("ECONNREFUSED") }),
    ]);
    expect(connection.ready).toBe(false);
    await once(server.listen(port, "127.0.0.1"), "listening");
    await until(() => connection.ready, "connected");
  });

  test("that is closed stays closed", async () => {
    const connection = await connected();
    connection.close();
    await until(() => sockets[0]?.destroyed === true, "closed");
    await expect(connection.call("PING")).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(sockets).toHaveLength(1);
  });

  test("signs in with the user and password of its URL, and uses its database", async () => {
    const connection = connect(`redis://user:s3cret@127.0.0.1:${port}/3`);
    await until(() => connection.ready, "connected");
    expect(heard).toContainEqual(["auth", "user", "s3cret"]);
    expect(heard).toContainEqual(["select", "3"]);
  });
});

describe("a connection that listens", () => {
  const told: string[] = [];
  beforeEach(() => {
    told.length = 0;
    answer = ([name, channel = ""]) =>
      name === "subscribe"
        ? `*3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`
        : "+OK\r\n";
  });

  function listen(): Connection {
    const connection = connectByIoredis(`redis://127.0.0.1:${port}`, {
      connectTimeoutMs: 500,
      name: "quorate-wakes",
      subscription: { channels: new Set(["wake/me"]), onMessage: (message) => told.push(message) },
    });
    connections.push(connection);
    return connection;
  }

  const subscribed = () =>
    heard.filter(([name, channel]) => name === "subscribe" && channel === "wake/me").length;
  const publish = (message: string) => {
    const text = `*3\r\n$7\r\nmessage\r\n$7\r\nwake/me\r\n$${message.length}\r\n${message}\r\n`;
    sockets.at(-1)?.write(text);
  };

  test("subscribes to its channel, and tells what is published there", async () => {
    listen();
    await until(() => subscribed() === 1, "subscribed");
    publish("one");
    publish("two");
    await until(() => told.length === 2, "told");
    expect(told).toEqual(["one", "two"]);
  });

  test("that was lost subscribes once more when it is there again", async () => {
    listen();
    for (let times = 1; times <= 3; times++) {
      await until(() => subscribed() === times, "subscribed");
      publish(`after ${times}`);
      await until(() => told.length === times, "told");
      sockets.at(-1)?.resetAndDestroy();
    }
    await until(() => subscribed() === 4, "subscribed again");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(subscribed(), "once each time").toBe(4);
  });

  test("is told to be ready when it listens, not before, and again after it was lost", async () => {
    const changes: boolean[] = [];
    let letIn = () => {};
    const subscribe = answer;
    answer = (command, socket) => {
      if (command[0] !== "subscribe") return "+OK\r\n";
      letIn = () => socket.write(subscribe(command, socket) ?? "");
      return undefined;
    };
    listen().onChange((ready) => changes.push(ready));
    await until(() => subscribed() === 1, "asked");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(changes).toEqual([]);
    letIn();
    await until(() => changes.length === 1, "told");
    sockets.at(-1)?.resetAndDestroy();
    await until(() => subscribed() === 2, "asked again");
    letIn();
    await until(() => changes.length === 3, "told again");
    expect(changes).toEqual([true, false, true]);
  });

  test("and may not, is no connection that fails, nor one that has heard all", async () => {
    const changes = vi.fn();
    answer = ([name]) => (name === "subscribe" ? "-NOPERM this user has no permissions\r\n" : "+OK\r\n");
    const connection = listen();
    connection.onChange(changes);
    await until(() => subscribed() === 1, "asked");
    await until(() => connection.ready, "it is ready");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(changes).not.toHaveBeenCalled();
    expect(connection.ready).toBe(true);
  });
});

describe("a reply that is long under way", () => {
  // A busy machine may be late with a part.
  const TIMEOUT_MS = 800;
  const PART_MS = 200;
  const text = "x".repeat(400);

  /** Sends the reply in parts, of which only so many come. */
  function trickle(parts: number): void {
    answer = (_command, socket) => {
      socket.write(`$${text.length}\r\n`);
      const size = text.length / 10;
      let sent = 0;
      const timer = setInterval(() => {
        sent += 1;
        if (sent > parts || socket.destroyed) return clearInterval(timer);
        socket.write(text.slice(0, size));
        if (sent === 10) socket.write("\r\n");
      }, PART_MS);
      return undefined;
    };
  }

  test("is waited for while its bytes come, though it takes several times the timeout", async () => {
    const wire = new Wire(await connected(), systemClock, TIMEOUT_MS);
    trickle(10);
    expect(await wire.send("GET", "bulk")).toBe(text);
  });

  test("and stops in the middle is given up for its silence", async () => {
    const wire = new Wire(await connected(), systemClock, TIMEOUT_MS);
    trickle(4);
    const startedMs = performance.now();
    await expect(wire.send("GET", "bulk")).rejects.toThrow(`no answer within ${TIMEOUT_MS} ms`);
    const tookMs = performance.now() - startedMs;
    expect(tookMs, "not while bytes came").toBeGreaterThanOrEqual(3 * PART_MS + TIMEOUT_MS);
  });

  test("is heard on the connection that came after one that was lost", async () => {
    const connection = await connected();
    const wire = new Wire(connection, systemClock, TIMEOUT_MS);
    sockets[0]?.destroy();
    await until(() => !connection.ready, "lost");
    await until(() => connection.ready, "connected again");
    trickle(10);
    expect(await wire.send("GET", "bulk")).toBe(text);
  });
});
