import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../helpers/service.js";
import { type Link, startLink } from "./link.js";

// What a run of faults rests on: that a way does what its name says, to one client and not to the others.
let server: Server;
let received: string;
let link: Link;
const sockets: Socket[] = [];
beforeEach(async () => {
  received = "";
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk;
      socket.write(`heard ${String(chunk).length};`);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  link = await startLink((server.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await link[Symbol.asyncDispose]();
  server.close();
});

interface Client {
  readonly socket: Socket;
  heard(): string;
  closed(): boolean;
}

/** A client that logged in as this user. */
async function clientOf(
  user: string,
  login = `*3\r\n$4\r\nauth\r\n$3\r\n${user}\r\n$3\r\nany\r\n`,
): Promise<Client> {
  const socket = connect(link.port, "127.0.0.1");
  sockets.push(socket);
  let heard = "";
  let closed = false;
  socket.on("data", (chunk) => {
    heard += chunk;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  socket.write(login);
  return { socket, heard: () => heard, closed: () => closed };
}

async function loggedIn(user: string, login?: string): Promise<Client> {
  const client = await clientOf(user, login);
  await until(() => client.heard() !== "", "the login is answered");
  return client;
}

test("an open way passes everything, and a client is known by its login, old or new", async () => {
  await loggedIn("one");
  const hello = "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\ntwo\r\n$3\r\nany\r\n";
  const two = await loggedIn("two", hello);
  link.set("one", "cut");
  await sleep(30);
  expect(two.closed()).toBe(false);
  link.set("two", "cut");
  await until(two.closed, "it is cut");
});

test("a cut way ends connections and refuses new ones, of that client only", async () => {
  const [one, two] = await Promise.all([loggedIn("one"), loggedIn("two")]);
  link.set("one", "cut");
  await until(one.closed, "it is cut");
  const again = await clientOf("one");
  await until(again.closed, "so is the next");
  expect(again.heard()).toBe("");
  expect(two.closed()).toBe(false);
  link.set("one", "open");
  await loggedIn("one");
});

test("a stalled way to the server delivers late, also what was sent by a client that is gone", async () => {
  const one = await loggedIn("one");
  received = "";
  link.set("one", "stalled_to_server");
  one.socket.write("late");
  await sleep(50);
  expect(received).toBe("");
  one.socket.end();
  await sleep(30);
  link.set("one", "open");
  await until(() => received === "late", "it arrives");
});

test("a stalled way to the client runs everything, and tells it late", async () => {
  const one = await loggedIn("one");
  const before = one.heard();
  received = "";
  link.set("one", "stalled_to_client");
  one.socket.write("done");
  await until(() => received === "done", "it arrives");
  await sleep(30);
  expect(one.heard()).toBe(before);
  link.set("one", "open");
  await until(() => one.heard() === `${before}heard 4;`, "the reply arrives");
});

test("a connection that begins while the way is stalled waits too", async () => {
  link.set("one", "stalled");
  const one = await clientOf("one");
  await sleep(50);
  expect([received, one.heard(), one.closed()]).toEqual(["", "", false]);
  link.set("one", "open");
  await until(() => one.heard() !== "", "the login is answered");
});

test.each(["swallowed_to_client", "swallowed_to_server"] as const)("%s: lost for good", async (way) => {
  const one = await loggedIn("one");
  const before = one.heard();
  received = "";
  link.set("one", way);
  one.socket.write("lost");
  await sleep(50);
  expect(received).toBe(way === "swallowed_to_client" ? "lost" : "");
  expect(one.heard()).toBe(before);
  link.set("one", "open");
  await until(one.closed, "such a connection is of no use any more");
  expect(one.heard()).toBe(before);
});
