import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Pair } from "../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../helpers/service.js";

// Clients that die, or whose connection does, between the grant and its answer.
const pair = new Pair();

/** Sends a request and is gone before the answer. */
async function sendAndDie(path: string, body: object): Promise<void> {
  const text = JSON.stringify(body);
  const socket: Socket = connect(Number(new URL(await pair.one.url()).port), "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => {
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      () => resolve(),
    );
  });
  socket.destroy();
}

const acquire = (at: Instance, name: string, body: object = {}) =>
  at.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 10_000, ...body });
const isHeld = async (name: string) =>
  (await pair.other.call("GET", `/v1/locks/${name}`)).body.holders.length > 0;

describe("a client that dies between the grant and its answer", () => {
  test("and chose its leaseId, gets the same lease when it asks again, wherever it asks", async () => {
    for (const at of [pair.one, pair.other]) {
      const name = freshName();
      const leaseId = chosenId();
      await sendAndDie(`/v1/locks/${name}/acquire`, { ttlMs: 10_000, leaseId });
      await until(() => isHeld(name), "the lock is granted");
      const { body: seen } = await pair.other.call("GET", `/v1/locks/${name}`);
      expect((await acquire(pair.other, name)).status).toBe(409);
      const { status, body } = await acquire(at, name, { leaseId });
      expect([status, body.leaseId, body.fencingToken]).toEqual([200, leaseId, seen.fencingToken]);
      expect(body.validForMs).toBeGreaterThan(8_000);
      expect((await at.call("POST", `/v1/locks/${name}/release`, { leaseId })).body).toEqual({
        released: true,
      });
    }
  });

  test("and did not, holds the lock until it expires at the latest: who was never told of it has no use for it", async () => {
    const name = freshName();
    await sendAndDie(`/v1/locks/${name}/acquire`, { ttlMs: 500 });
    await until(async () => (await acquire(pair.other, name)).status === 200, "another gets it");
  });

  test("many at once leave a service that serves", async () => {
    const names = Array.from({ length: 50 }, () => freshName());
    await Promise.all(names.map((name) => sendAndDie(`/v1/locks/${name}/acquire`, { ttlMs: 300 })));
    expect((await acquire(pair.one, freshName())).status).toBe(200);
    await sleep(400);
    for (const name of names) {
      await expect.poll(() => acquire(pair.one, name), { timeout: 10_000 }).toMatchObject({ status: 200 });
    }
  });
});

test("a client that dies in the middle of its request changes nothing", async () => {
  const name = freshName();
  const socket = connect(Number(new URL(await pair.one.url()).port), "127.0.0.1");
  socket.write(`POST /v1/locks/${name}/acquire HTTP/1.1\r\nHost: localhost\r\n`);
  socket.write('Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"ttlMs":10000');
  await sleep(20);
  socket.destroy();
  await sleep(50);
  expect(await isHeld(name)).toBe(false);
  expect((await acquire(pair.one, name)).status).toBe(200);
});

test("a release that was not heard of may be repeated", async () => {
  const name = freshName();
  const { body: lease } = await acquire(pair.one, name);
  await sendAndDie(`/v1/locks/${name}/release`, { leaseId: lease.leaseId });
  await until(async () => !(await isHeld(name)), "the lock is free");
  const next = await acquire(pair.other, name);
  const again = await pair.one.call("POST", `/v1/locks/${name}/release`, { leaseId: lease.leaseId });
  expect(again.body).toEqual({ released: false });
  const { body: seen } = await pair.other.call("GET", `/v1/locks/${name}`);
  expect(seen.fencingToken).toBe(next.body.fencingToken);
});
