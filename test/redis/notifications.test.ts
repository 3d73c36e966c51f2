import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Notifications } from "../../src/redis/notifications.js";
import { Keys } from "../../src/scripts/keys.js";
import { releaseLease } from "../../src/scripts/lease-calls.js";
import { command } from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries } from "../helpers/primaries.js";
import { processRun } from "../helpers/run.js";
import { freshName, type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";

// Redis passes on to replicas what is published: who listens there hears what another primary says.

// One container does not reach another by the address that is known here.
const run = await processRun();
let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

test.skipIf(run === null)("who listens at a replica hears what is published at its primary", async () => {
  await using own = await startPrimaries(2, run ? { run } : {});
  const [master, replica] = own.all;
  if (!master || !replica) throw new Error("there are two");
  await command(master, "CONFIG", "SET", "repl-diskless-sync-delay", "0");
  await command(replica, "REPLICAOF", "127.0.0.1", master.port);
  const listener = new Redis(replica.url);
  try {
    const heard: string[] = [];
    listener.on("message", (_channel, message) => heard.push(message));
    await listener.subscribe("wake");
    await until(async () => {
      await command(master, "PUBLISH", "wake", "it is your turn");
      return heard.length > 0;
    }, "it is passed on");
  } finally {
    listener.disconnect();
  }
});

/** Whatever one primary says is said by another as well, as by its replica. */
function passOn({ service }: Instance): void {
  const { notifications } = service.waiting as unknown as { notifications: Notifications };
  const listen = notifications.listen.bind(notifications);
  notifications.listen = (onWake, onGap) =>
    listen((primary, wake) => {
      onWake(primary, wake);
      if (primary === 0) onWake(1, wake);
    }, onGap);
}

/** As if it did not matter who is named in what is heard. */
function takeForItsOwn({ service }: Instance): void {
  const [master, replica] = service.primaries.all;
  Object.defineProperty(replica, "configurationEpoch", { get: () => master?.configurationEpoch });
}

test.for([
  ["is one vote", "held", () => {}],
  ["would be two, if nobody looked whose word it is", "acquired", takeForItsOwn],
] as const)("what a primary hands on, and its replica passes on, %s", async ([_votes, outcome, change]) => {
  const prefix = ownPrefix();
  await using one = await startInstance(primaries.urls, { prefix });
  await using other = await startInstance(primaries.urls, { prefix });
  passOn(other);
  change(other);
  const name = freshName();
  const holder = await one.service.locks.acquire({ names: [name], ttlMs: 30_000 });
  if (holder.kind !== "acquired") throw new Error("it is free");
  const client = new AbortController();
  const request = { names: [name], ttlMs: 30_000, waitMs: 60_000, signal: client.signal };
  const waiting = other.service.locks.acquire(request);
  await until(async () => (await one.service.locks.inspect(name)).waiting === 1, "it waits");
  // By then it has read the clocks of all, without which no message is a vote.
  await sleep(900);
  // On the first primary only: on the others it is held.
  const resources = [`lock/${name}`];
  const { leaseId } = holder.lease;
  const claim = { leaseId, mode: null, resources, queues: resources, fingerprint: null, limit: null };
  const tombstone = { forMs: 60_000, always: false, brokenFor: null };
  await one.service.primaries.all[0]?.run(releaseLease(new Keys(prefix), claim, tombstone));
  await Promise.race([waiting, sleep(outcome === "held" ? 300 : 10_000)]);
  client.abort();
  expect((await waiting).kind).toBe(outcome);
});
