import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Keys } from "../../src/scripts/keys.js";
import {
  acquireAtLast,
  acquire as ask,
  command,
  forget,
  shown,
  storedField,
  untilShown,
} from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { countUp, type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";
import { check } from "../history/check.js";
import { checkHolds } from "../history/holds.js";
import { Recorder } from "../history/recorder.js";
import { countingVotes } from "../simulation/counting-votes.js";
import { LAST_FIRST, patched } from "../simulation/patched.js";
import { startTestCluster } from "./cluster/cluster.js";
import { RedlockLocks } from "./load/plain-redlock.js";
import { Gate, type Sending, type Substitute, tampered } from "./tampered.js";

// Known-wrong variants on real servers, in the smallest story that shows what is wrong with them. The checks are those of
// the runs with faults: one that does not catch these would not catch the same mistake in the service. And the service
// as it is goes through each story unharmed.

const NAME = "wanted";
const TTL_MS = 10_000;
let primaries: TestPrimaries;
let prefix: string;
let recorder: Recorder;
let started: Instance[];
beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());
beforeEach(() => {
  prefix = ownPrefix();
  recorder = new Recorder(() => performance.now());
  started = [];
});
afterEach(async () => {
  await Promise.all(primaries.all.map((primary) => primary.resume()));
  await Promise.all(started.map((instance) => instance[Symbol.asyncDispose]()));
});

/** An instance, with what is wrong with it. */
async function instanceWith(
  tampering: Parameters<typeof tampered>[1],
  env: Record<string, string> = { QUORATE_COMMAND_TIMEOUT_MS: "8000" },
): Promise<Instance> {
  const connect = tampered(primaries.urls, tampering);
  const instance = await startInstance(primaries.urls, { prefix, env, world: { connect } });
  started.push(instance);
  return instance;
}

/** Asks for the name, and writes down what came of it. */
async function acquire(
  client: string,
  instance: Instance,
  { mustSucceed = false, ...more }: { mustSucceed?: boolean; ttlMs?: number; waitMs?: number } = {},
): Promise<{ leaseId: string } | null> {
  const request = { ttlMs: TTL_MS, ...more };
  const asking = { client, instance: client, withinMs: 10_000, mustSucceed };
  const answered = recorder.asks(asking, { kind: "acquire", name: NAME, ...request });
  const { status, body } = await instance.call("POST", `/v1/locks/${NAME}/acquire`, request);
  if (status !== 200) {
    answered(status === 409 ? { kind: "held" } : { kind: "failed", code: body.code });
    return null;
  }
  const { leaseId, fencingToken: token, waitedMs, validForMs } = body;
  answered({ kind: "granted", leaseId, token, validUntilMs: answered.startMs + waitedMs + validForMs });
  return { leaseId };
}

async function release(client: string, instance: Instance, leaseId: string): Promise<void> {
  const answered = recorder.asks(
    { client, instance: client, withinMs: 10_000 },
    { kind: "release", name: NAME, leaseId },
  );
  const { body } = await instance.call("POST", `/v1/locks/${NAME}/release`, { leaseId });
  answered({ kind: "released", was: body.released });
}

const broken = () => [...new Set(check(recorder.history()).map(({ promise }) => promise))].sort();
const [first, second, third] = [0, 1, 2] as const;
const at = (place: number) => primaries.all[place] as TestPrimary;

/** Without the comparison with which every script begins. */
const withoutFence: Substitute = (_, text) => {
  const other = text.replace(/^if fence\[1\] .*$/m, "");
  if (other === text) throw new Error("the fence was not found: this canary is none");
  return other;
};

test("plain redlock has two holders once a primary forgot", async () => {
  await using cluster = await startTestCluster({ primaries: 3, kind: "process", withServices: false });
  const urls = [cluster.urlsFor("one"), cluster.urlsFor("two")];
  const open: RedlockLocks[] = [];
  // Each begins when it is needed: one that lost its connections would block itself by its own first attempt.
  const one = async (user: number) => {
    const locks = new RedlockLocks(urls, { retryCount: 0, patienceMs: 8_000 });
    open.push(locks);
    const other = { name: `warm-${user}`, ttlMs: TTL_MS };
    expect(await locks.acquire(user, other)).toMatchObject({ kind: "granted" });
    return async () => {
      const client = `client ${user}`;
      const request = { kind: "acquire", name: NAME, ttlMs: TTL_MS } as const;
      const answered = recorder.asks({ client, instance: client, withinMs: 10_000 }, request);
      answered(await locks.acquire(user, request));
    };
  };
  try {
    const acquireAsOne = await one(0);
    // Two of three say yes, and the third never hears of it.
    cluster.links[third]?.set("one", "swallowed_to_server");
    await acquireAsOne();
    await (cluster.primaries[first] as TestPrimary).startEmpty();
    const acquireAsTwo = await one(1);
    await acquireAsTwo();
  } finally {
    for (const locks of open) locks.close();
  }
  expect(recorder.history().operations.map(({ outcome }) => outcome?.kind)).toEqual(["granted", "granted"]);
  expect(checkHolds(recorder.history())).toMatchObject([{ promise: "holds" }]);
});

describe("a primary forgets everything while its connections stay", () => {
  async function story(substitute?: Substitute): Promise<void> {
    const gate = new Gate();
    const one = await instanceWith({ on: gate.pass, ...(substitute && { substitute }) });
    const two = await instanceWith({ ...(substitute && { substitute }) });
    gate.close(third, "acquire-lease");
    await acquire("one", one);
    await forget(at(first), prefix);
    await acquire("two", two);
    gate.open(third, "acquire-lease");
  }

  test("without the fence two hold the name, and tokens repeat", async () => {
    // The look at the primaries, once a second, may come in between and save it.
    for (let attempt = 0; attempt < 3 && broken().length === 0; attempt++) {
      prefix = ownPrefix();
      await story(withoutFence);
    }
    expect(broken()).toEqual(["holds", "tokens"]);
  });

  test("with it one does", async () => {
    await story();
    expect(broken()).toEqual([]);
  });
});

describe("a primary is emptied and readmitted while an acquire is on its way to the others", () => {
  async function story(substitute?: Substitute): Promise<void> {
    const gate = new Gate();
    const one = await instanceWith({ on: gate.pass, ...(substitute && { substitute }) });
    const two = await instanceWith({ ...(substitute && { substitute }) });
    gate.close(second, "acquire-lease");
    gate.close(third, "acquire-lease");
    const pending = acquire("one", one);
    const hold = new Keys(prefix).hold(`lock/${NAME}`);
    await until(async () => (await command(at(first), "EXISTS", hold)) === 1, "the first has voted");
    const { configurationVersion } = await shown(two);
    await forget(at(first), prefix);
    await untilShown(
      two,
      (now) =>
        now.configurationVersion === (configurationVersion ?? 0) + 1 &&
        now.primaries.every(({ state }) => state === "up"),
      "the first is readmitted",
    );
    gate.open(second, "acquire-lease");
    await Promise.race([pending, sleep(300)]);
    await acquire("two", two);
    gate.open(third, "acquire-lease");
    await pending;
  }

  test("without the fence in the votes both get it", async () => {
    // A machine that is busy elsewhere may let the second one ask before the first one's last vote is there.
    for (let attempt = 0; attempt < 3 && broken().length === 0; attempt++) {
      prefix = ownPrefix();
      await story((name, text) =>
        /^(acquire-lease|raise-counters)$/.test(name) ? withoutFence(name, text) : text,
      );
    }
    expect(broken()).toContain("holds");
  });

  test("with it one does", async () => {
    await story();
    expect(broken()).toEqual([]);
  });
});

describe("two raises cross, and a hold ends early", () => {
  // Counters differ by what an attempt leaves that reached one primary only.
  async function story(substitute?: Substitute): Promise<void> {
    const gate = new Gate();
    const one = await instanceWith({ on: gate.pass, ...(substitute && { substitute }) });
    const two = await instanceWith({ ...(substitute && { substitute }) });
    const keys = new Keys(prefix);
    const floor = Number(await storedField(at(first), prefix, "floor"));
    const granted = floor + 2 - (floor % 2);
    await command(at(first), "HSET", keys.counters, `lock/${NAME}`, String(granted));
    gate.close(second, "raise-counters");
    gate.close(third, "acquire-lease");
    gate.close(third, "raise-counters");
    const pending = acquire("one", one);
    const hold = keys.hold(`lock/${NAME}`);
    await until(async () => (await command(at(second), "EXISTS", hold)) === 1, "the second has voted");
    // As a clock that jumps would end it.
    await command(at(second), "DEL", hold);
    const nowMs = performance.now();
    recorder.happened({
      kind: "clock_jump",
      atMs: nowMs,
      doneMs: nowMs,
      primary: `primary ${second}`,
      byMs: 60_000,
      membersUntilMs: nowMs + 60_000,
    });
    const lease = await acquire("two", two);
    if (lease) await release("two", two, lease.leaseId);
    gate.open(third, "acquire-lease");
    gate.open(third, "raise-counters");
    await sleep(100);
    gate.open(second, "raise-counters");
    await pending;
    expect(recorder.history().operations.filter(({ outcome }) => outcome?.kind === "granted")).toHaveLength(
      2,
    );
  }

  test('where "at least t" counts as t, two leases get one token', async () => {
    const atLeast: Substitute = (name, text) =>
      name === "raise-counters"
        ? text.replace(/return \{ 1, int\(counter\) \}\s*$/, "return { 1, to }")
        : text;
    await story(atLeast);
    expect(broken()).toEqual(["tokens"]);
  });

  test("where it must be exact, each gets its own", async () => {
    await story();
    expect(broken()).toEqual([]);
  });
});

describe("two ask at once", () => {
  /** All but one primary are not asked: the one speaks for them. */
  function echo(home: number): (sending: Sending) => Promise<unknown> {
    let said: Promise<unknown> = Promise.resolve();
    return async ({ place, script, send }) => {
      if (!/^(acquire-lease|raise-counters)$/.test(script)) return send();
      if (place === home) {
        said = send();
        return said;
      }
      // The one is asked in the same turn.
      await new Promise((resolve) => setImmediate(resolve));
      return said;
    };
  }

  test("and where one primary is a majority, both hold the name, with the same token", async () => {
    const one = await instanceWith({ on: echo(first) });
    const two = await instanceWith({ on: echo(second) });
    await acquire("one", one);
    await acquire("two", two);
    expect(broken()).toEqual(["holds", "tokens"]);
  });

  test("and where two are needed, one holds it", async () => {
    const one = await instanceWith({});
    const two = await instanceWith({});
    await acquire("one", one);
    await acquire("two", two);
    expect(broken()).toEqual([]);
  });
});

describe("three want one of two permits, and each primary misses one of them", () => {
  async function story(variant?: typeof countingVotes): Promise<void> {
    const gates = [third, second].map((missing) => {
      const gate = new Gate();
      gate.close(missing, "acquire-lease");
      return { missing, gate };
    });
    for (const [i, on] of [...gates.map(({ gate }) => gate.pass), undefined].entries()) {
      const instance = await instanceWith({
        ...(on && { on }),
        ...(variant && { substitute: (_, text) => variant.substitute(text) }),
      });
      variant?.change(instance.service);
      await acquirePermit(`client ${i}`, instance);
    }
    for (const { missing, gate } of gates) gate.open(missing, "acquire-lease");
  }

  async function acquirePermit(client: string, instance: Instance): Promise<void> {
    const wanted = { permits: 1, limit: 2, ttlMs: TTL_MS };
    const asking = { client, instance: client, withinMs: 10_000 };
    const answered = recorder.asks(asking, { kind: "acquire", name: NAME, ...wanted });
    const { status, body } = await instance.call("POST", `/v1/semaphores/${NAME}/acquire`, wanted);
    if (status !== 200)
      return answered(status === 409 ? { kind: "held" } : { kind: "failed", code: body.code });
    const { leaseId, fencingToken: token, waitedMs, validForMs } = body;
    answered({ kind: "granted", leaseId, token, validUntilMs: answered.startMs + waitedMs + validForMs });
  }

  const outcomes = () => recorder.history().operations.map(({ outcome }) => outcome?.kind);

  test("where votes are counted, all three get one", async () => {
    await story(countingVotes);
    expect(outcomes()).toEqual(["granted", "granted", "granted"]);
    expect(broken()).toEqual(["holds"]);
  });

  test("where permits are slots, two do", async () => {
    await story();
    expect(outcomes()).toEqual(["granted", "granted", "held"]);
    expect(broken()).toEqual([]);
  });
});

describe("three wait for a name, one after the other, and it is released", () => {
  async function story(substitute?: Substitute): Promise<void> {
    const instance = await instanceWith({ ...(substitute && { substitute }) });
    const atMs = performance.now();
    const lease = await acquire("holder", instance);
    const waiting: Promise<void>[] = [];
    for (const [place, client] of ["first", "second", "third"].entries()) {
      waiting.push(
        acquire(client, instance, { waitMs: TTL_MS }).then(async (granted) => {
          await sleep(20);
          if (granted) await release(client, instance, granted.leaseId);
        }),
      );
      const inLine = async () => (await instance.call("GET", `/v1/locks/${NAME}`)).body.waiting === place + 1;
      await until(inLine, `${client} is in line`);
      await sleep(5);
    }
    await release("holder", instance, lease?.leaseId ?? "");
    await Promise.all(waiting);
    const untilMs = performance.now();
    recorder.happened({ kind: "undisturbed", atMs, untilMs, joinsWithinMs: 5 });
  }

  test("where it is handed on to who came last, those before are overtaken", async () => {
    const lastOfAll = patched("queues", ...LAST_FIRST);
    await story((_, text) => lastOfAll(text));
    expect(broken()).toEqual(["order"]);
  });

  test("where it is handed on to who came first, nobody is", async () => {
    await story();
    expect(recorder.history().operations.filter(({ outcome }) => outcome?.kind === "granted")).toHaveLength(
      4,
    );
    expect(broken()).toEqual([]);
  });
});

describe("a registration reaches one primary only, whose clock is ahead, and fails; then the member registers again", () => {
  const PATH = "/v1/services/s/members/m";
  const AHEAD_MS = 60_000;
  const asking = (client: string) => ({ client, instance: client, withinMs: 10_000 });
  const member = { service: "s", member: "m" };

  const lost = async () => {
    throw new Error("lost");
  };

  async function register(client: string, instance: Instance): Promise<void> {
    const answered = recorder.asks(asking(client), { kind: "register", ...member, ttlMs: TTL_MS });
    const { status, body } = await instance.call("PUT", PATH, { address: "m:1", ttlMs: TTL_MS });
    answered(
      status < 300 ? { kind: "alive", incarnation: body.incarnation } : { kind: "failed", code: body.code },
    );
  }

  async function list(client: string, instance: Instance): Promise<void> {
    const answered = recorder.asks(asking(client), { kind: "list", service: "s" });
    const { body } = await instance.call("GET", "/v1/services/s/members");
    answered({ kind: "listed", members: body.members });
  }

  /** So the third is one of the majority that tell of members; its clock is ahead. */
  function askedBeforeTheFirst(aheadMs: number): (sending: Sending) => Promise<unknown> {
    let thirdHasTold = () => {};
    const told = new Promise<void>((resolve) => {
      thirdHasTold = resolve;
    });
    return async ({ place, script, send }) => {
      // Lists read whole records then.
      if (script === "skim-members") return lost();
      if (script !== "list-members") return send();
      if (place === first) await told;
      const reply = await send();
      if (place !== third || !Array.isArray(reply)) return reply;
      thirdHasTold();
      return [String(Number(reply[0]) + aheadMs), ...reply.slice(1)];
    };
  }

  async function story(substitute?: Substitute): Promise<string[]> {
    const asked = askedBeforeTheFirst(AHEAD_MS);
    const one = await instanceWith({
      ...(substitute && { substitute }),
      on: (sending) => (sending.script === "put-member" && sending.place !== third ? lost() : asked(sending)),
    });
    const apart = new Set(["list-members", "put-member"]);
    const two = await instanceWith({
      ...(substitute && { substitute }),
      on: ({ place, script, send }) => (place === third && apart.has(script) ? lost() : send()),
    });
    await register("one", one);
    await register("two", two);
    // Nobody else knows that messages of these two were lost.
    await list(
      "three",
      await instanceWith({ on: askedBeforeTheFirst(0), ...(substitute && { substitute }) }),
    );
    return recorder.history().operations.map(({ outcome }) => outcome?.kind ?? "open");
  }

  test("where it is not announced, it supersedes the one that was acknowledged", async () => {
    const silent: Substitute = (name, text) =>
      name === "claim-incarnation" ? text.replace(/^local incarnation[\s\S]*$/m, "return { 1 }") : text;
    expect(await story(silent)).toEqual(["failed", "alive", "listed"]);
    expect(broken()).toEqual(["members"]);
  });

  test("where it is, the later one counts", async () => {
    expect(await story()).toEqual(["failed", "alive", "listed"]);
    expect(broken()).toEqual([]);
  });
});

describe("a paused primary executes an acquire after its release", () => {
  async function story(forgetful: boolean): Promise<void> {
    const one = await instanceWith({}, { QUORATE_COMMAND_TIMEOUT_MS: "1000" });
    const two = await instanceWith({}, { QUORATE_COMMAND_TIMEOUT_MS: "1000" });
    if (forgetful) for (const primary of one.service.primaries.all) primary.compensateLater = () => {};
    await at(third).pause();
    const lease = await acquire("one", one, { ttlMs: 120_000 });
    await until(() => countUp(one) === 2 && countUp(two) >= 2, "the pause is noticed");
    await release("one", one, lease?.leaseId ?? "");
    await at(third).resume();
    await until(() => countUp(one) === 3 && countUp(two) === 3, "it takes part again");
    // Now the third is needed.
    await at(first).pause();
    await acquireAtLast(two, "another");
    const endMs = performance.now() + 4_000;
    while ((await ask(two, NAME, 100)).status !== 200 && performance.now() < endMs) await sleep(20);
    await sleep(120);
    await acquire("two", two, { mustSucceed: true });
  }

  test("where releases are not retried, it blocks the name for long", async () => {
    await story(true);
    expect(broken()).toEqual(["recovery"]);
  });

  test("where they are, the name is free", async () => {
    await story(false);
    expect(broken()).toEqual([]);
  });
});
