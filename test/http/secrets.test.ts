import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemIds } from "../../src/ids.js";
import { type Connect, connectByIoredis, RedisReplyError } from "../../src/redis/connection.js";
import type { Answer } from "../helpers/contract.js";
import { startPrimaries } from "../helpers/primaries.js";
import { chosenId, countUp, startInstance, until } from "../helpers/service.js";
import { send } from "../helpers/wire.js";

test("no leaseId is in logs, metrics, problems and what is shown of locks, whatever happens", async () => {
  await using primaries = await startPrimaries(3);
  // What a primary answers to a script, in place of what it would.
  let sabotage: ((args: readonly (string | number)[]) => Error) | undefined;
  const connect: Connect = (url, options) => {
    const connection = connectByIoredis(url, options);
    const { call } = connection;
    return Object.create(connection, {
      call: {
        value: (command: string, ...args: (string | number)[]) =>
          sabotage && command === "EVALSHA" ? Promise.reject(sabotage(args)) : call(command, ...args),
      },
    });
  };
  let idsBreak = false;
  const ids = {
    ...systemIds,
    leaseId: () => {
      if (idsBreak) throw new TypeError("no more chance");
      return systemIds.leaseId();
    },
  };
  await using instance = await startInstance(primaries.urls, {
    env: { QUORATE_LOG_LEVEL: "trace" },
    world: { connect, ids },
  });

  const secrets = new Set<string>();
  const codes = new Set<string>();
  const shown: Answer[] = [];
  const call = async (
    method: string,
    path: string,
    body?: { leaseId?: string; [field: string]: unknown },
  ) => {
    if (body?.leaseId) secrets.add(body.leaseId);
    const answer = await instance.call(method, path, body);
    if (answer.body.leaseId) secrets.add(answer.body.leaseId);
    else shown.push(answer);
    if (answer.body.code) codes.add(answer.body.code);
    return answer;
  };
  const lock = (name: string, act: string, body: { leaseId?: string; [field: string]: unknown }) =>
    call("POST", `/v1/locks/${name}/${act}`, body);

  /** The life of a permit. */
  const permits = async (name: string) => {
    const path = `/v1/semaphores/${name}`;
    const { body } = await call("POST", `${path}/acquire`, { limit: 1, ttlMs: 10_000 });
    const leaseId = body.leaseId ?? chosenId();
    await call("POST", `${path}/acquire`, { limit: 1, ttlMs: 10_000, waitMs: 20, leaseId: chosenId() });
    await call("POST", `${path}/acquire`, { limit: 2, ttlMs: 10_000 });
    await call("POST", `${path}/renew`, { leaseId, ttlMs: 10_000 });
    await call("GET", path);
    await call("PUT", path, { limit: 2 });
    await call("POST", `${path}/release`, { leaseId });
    await call("POST", `${path}/renew`, { leaseId, ttlMs: 10_000 });
  };

  /** The life of a term of office. */
  const term = async (name: string) => {
    const path = `/v1/elections/${name}`;
    const { body } = await call("POST", `${path}/campaign`, { ttlMs: 10_000, value: 1 });
    const leaseId = body.leaseId ?? chosenId();
    await call("POST", `${path}/campaign`, { ttlMs: 10_000, waitMs: 20, leaseId: chosenId() });
    await call("POST", `${path}/renew`, { leaseId, ttlMs: 10_000 });
    await call("POST", `${path}/proclaim`, { leaseId, value: 2 });
    await call("POST", `${path}/proclaim`, { leaseId });
    await call("GET", path);
    await call("POST", `${path}/resign`, { leaseId });
    await call("POST", `${path}/proclaim`, { leaseId, value: 3 });
  };

  /** The life of a member, and what others see of it. */
  const member = async (name: string) => {
    const path = `/v1/services/${name}/members/m`;
    const { body } = await instance.call("PUT", path, { address: "10.0.0.7:9000" });
    const { incarnation, memberKey } = body;
    if (memberKey) secrets.add(memberKey);
    const key = { incarnation: incarnation ?? 1, memberKey: memberKey ?? "x".repeat(22) };
    await call("POST", `${path}/heartbeat`, key);
    await call("POST", `${path}/heartbeat`, { ...key, incarnation: undefined });
    await call("POST", `/v1/services/${name}/members/n/heartbeat`, key);
    const bound = { ttlMs: 10_000, member: { service: name, id: "m", ...key } };
    const lease = await lock(`${name}-bound`, "acquire", bound);
    await lock(`${name}-other`, "acquire", { ...bound, member: { ...bound.member, id: "n" } });
    await lock(`${name}-other`, "acquire", {
      ...bound,
      member: { ...bound.member, memberKey: key.memberKey.slice(1) },
    });
    await call("POST", "/v1/heartbeats", { beats: [{ service: name, id: "m", ...key }] });
    await lock(`${name}-bound`, "break", { reason: "stuck" });
    await call("POST", `${path}/heartbeat`, key);
    await lock(`${name}-bound`, "release", { leaseId: lease.body.leaseId ?? chosenId() });
    const { body: later } = await instance.call("PUT", path, { address: "10.0.0.7:9000" });
    if (later.memberKey) secrets.add(later.memberKey);
    await call("POST", `${path}/heartbeat`, { incarnation: later.incarnation, memberKey: key.memberKey });
    for (const where of [path, `/v1/services/${name}/members`, `${path}/history`]) await call("GET", where);
    await call("DELETE", path);
  };

  /** The life of transactions that name leases: one is committed, one finds its lease lost. */
  const transactions = async (name: string) => {
    const { body } = await lock(`${name}-named`, "acquire", { ttlMs: 10_000 });
    const { leaseId = chosenId(), fencingToken = 7 } = body;
    const leases = [{ kind: "locks", names: [`${name}-named`], leaseId, fencingToken }];
    const terms = { participants: ["a"], deadlineMs: 60_000, leases };
    const begin = async (more: object = {}) =>
      (await call("POST", "/v1/transactions", { ...terms, ...more })).body.id ?? UNKNOWN_TRANSACTION;
    const [kept, lost] = [await begin(), await begin()];
    await begin({ leases: [...leases, ...leases] });
    await begin({ leases: [{ ...leases[0], fencingToken: fencingToken + 2 }] });
    await begin({ id: kept, payload: 1 });
    await call("GET", "/v1/transactions?state=active");
    await call("POST", `/v1/transactions/${kept}/vote`, { participant: "a", vote: "yes" });
    await lock(`${name}-named`, "release", { leaseId });
    await begin();
    await call("POST", `/v1/transactions/${lost}/vote`, { participant: "a", vote: "yes" });
    for (const id of [kept, lost]) await call("GET", `/v1/transactions/${id}`);
  };

  /** The life of a lock by both kinds of leaseId, with everything that a caller can do wrong. */
  const lifecycle = async (name: string) => {
    for (const chosen of [chosenId(), undefined]) {
      const ttlMs = 10_000;
      const granted = await lock(name, "acquire", {
        ttlMs,
        owner: "worker-7",
        ...(chosen && { leaseId: chosen }),
      });
      const leaseId = chosen ?? granted.body.leaseId ?? chosenId();
      await lock(name, "acquire", { ttlMs });
      await lock(name, "acquire", { ttlMs, leaseId: chosenId() });
      await lock(name, "renew", { leaseId, ttlMs });
      await lock(name, "renew", { leaseId, ttlMs, fencingToken: 1 });
      await lock(name, "renew", { leaseId: chosenId(), ttlMs });
      await lock(name, "renew", { leaseId, ttlMs: 1 });
      await lock(name, "acquire", { leaseId: `${leaseId}!`, ttlMs });
      await lock(name, "acquire", { leaseId, ttlMs, owner: "", waitMs: 5, secret: leaseId });
      await lock(name, "nothing", { leaseId });
      await call("PUT", `/v1/locks/${name}/acquire`, { leaseId });
      await call("GET", `/v1/locks/${name}`);
      await call("GET", "/v1/locks");
      await lock(name, "check", { fencingToken: granted.body.fencingToken ?? 7 });
      await lock(name, "break", { reason: "stuck" });
      await lock(name, "acquire", { ttlMs, waitMs: 20, leaseId: chosenId() });
      await lock(`${name}-other`, "acquire", { leaseId, ttlMs });
      await lock(name, "release", { leaseId: chosenId() });
      await lock(name, "release", { leaseId });
      await lock(name, "acquire", { leaseId, ttlMs });
      const names = [`${name}-1`, `${name}-2`];
      const several = await call("POST", "/v1/locks/acquire", { names, ttlMs, leaseId: chosenId() });
      await call("POST", "/v1/locks/acquire", { names, ttlMs });
      const both = several.body.leaseId ?? chosenId();
      await call("POST", "/v1/locks/renew", { names, leaseId: both, ttlMs });
      await call("POST", "/v1/locks/release", { names, leaseId: both });
      await call("POST", "/v1/locks/renew", { names, leaseId: both, ttlMs });
      await permits(name);
      await term(name);
      await member(name);
      await transactions(name);
      const url = await instance.url();
      const path = `/v1/locks/${name}/acquire`;
      const json = { "content-type": "application/json" };
      shown.push(await send(url, { path, headers: json, body: `{"ttlMs":1000,"leaseId":"${leaseId}"` }));
      shown.push(await send(url, { path, body: `{"ttlMs":1000,"leaseId":"${leaseId}"}` }));
      shown.push(
        await send(url, { path, headers: json, body: `{"leaseId":"${leaseId}"}${" ".repeat(70_000)}` }),
      );
    }
  };

  await lifecycle("all-is-well");

  await primaries.all[0]?.pause();
  await lifecycle("one-is-paused");
  await primaries.all[0]?.resume();
  await until(() => countUp(instance) === 3, "all take part again");

  // A server that repeats what it was sent, and a client library that keeps it in its errors.
  sabotage = (args) => new RedisReplyError(`ERR unknown command 'EVALSHA', with args: ${args.join(" ")}`);
  await lifecycle("refused");
  sabotage = (args) => Object.assign(new Error("Command aborted"), { command: { name: "evalsha", args } });
  await lifecycle("aborted");
  sabotage = undefined;
  await until(() => countUp(instance) === 3, "all take part again");

  // Unexpected exceptions: ours, and what a primary has stored wrongly.
  const { body: broken } = await lock("broken", "acquire", { ttlMs: 10_000, metadata: { a: 1 } });
  for (const primary of primaries.all) {
    await primary.cli("HSET", `${instance.prefix}hold/lock/broken`, "metadata", "{broken");
  }
  await call("GET", "/v1/locks/broken");
  await lock("broken", "renew", { leaseId: broken.leaseId, ttlMs: 10_000 });
  idsBreak = true;
  await lock("broken", "acquire", { ttlMs: 10_000 });
  idsBreak = false;

  instance.service.stop();
  await lock("late", "release", { leaseId: chosenId() });
  await sleep(50);
  const metrics = await instance.service.app.request("/metrics");

  // That all of it happened.
  expect([...codes].sort()).toEqual([
    "forbidden",
    "held",
    "idempotency_mismatch",
    "internal",
    "invalid_request",
    "lease_lost",
    "lease_mismatch",
    "limit_mismatch",
    "method_not_allowed",
    "no_quorum",
    "not_found",
    "shutting_down",
    "unknown_member",
  ]);
  expect(shown.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 413, 415]));
  const logged = instance.logged.join("\n");
  expect(logged).toContain("unexpected exception");
  expect(logged).toContain("/v1/locks/all-is-well/acquire");
  expect(secrets.size).toBeGreaterThan(40);

  const places = {
    logs: logged,
    metrics: await metrics.text(),
    answers: JSON.stringify(shown.map(({ body, headers }) => [body, [...headers]])),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) expect(text.includes(secret), `${secret} is in the ${place}`).toBe(false);
  }
});

const UNKNOWN_TRANSACTION = "ffffffff-0000-7000-8000-000000000000";
