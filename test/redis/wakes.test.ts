import { expect, test } from "vitest";
import { allTakePart, command } from "../helpers/deployment.js";
import { startPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { freshName, ownPrefix, startInstance, until } from "../helpers/service.js";

// Redis passes on to replicas what is published: who listens there hears what another primary says.

test("what a primary hands on is one vote, though another that is its replica says the same", async () => {
  await using primaries = await startPrimaries(3);
  const [master, replica, away] = primaries.all as [TestPrimary, TestPrimary, TestPrimary];
  const prefix = ownPrefix();
  const env = { QUORATE_COMMAND_TIMEOUT_MS: "300" };
  await using one = await startInstance(primaries.urls, { prefix, env });
  await using other = await startInstance(primaries.urls, { prefix, env });
  const names = [freshName()];
  const holder = await one.service.locks.acquire({ names, ttlMs: 30_000 });
  if (holder.kind !== "acquired") throw new Error("it is free");
  const waiting = other.service.locks.acquire({ names, ttlMs: 30_000, waitMs: 10_000 }).then(
    ({ kind }) => kind,
    ({ code }) => code,
  );
  await until(async () => (await one.service.locks.inspect(names[0] as string)).waiting === 1, "it waits");
  await command(replica, "REPLICAOF", "127.0.0.1", master.port);
  const isSynced = async () =>
    String(await command(replica, "INFO", "replication")).includes("master_link_status:up");
  await until(isSynced, "it has the data of the other");
  await away.pause();
  await one.service.locks.release(names, holder.lease.leaseId).catch(() => {});
  expect(await waiting).toBe("no_quorum");
  await command(replica, "REPLICAOF", "NO", "ONE");
  await away.resume();
  await allTakePart(other, 1);
});
