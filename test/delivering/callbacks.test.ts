import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../helpers/primaries.js";
import { startProcess } from "../helpers/process.js";
import { type Delivery, isGenuine, type Receiver, startReceiver } from "../helpers/receiver.js";
import { freshName, type Instance, ownPrefix, PATIENT, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

const env = { QUORATE_CALLBACK_ALLOW: "127.0.0.0/8" };
const callbackSecret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, { env });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

type Answered = ReturnType<Parameters<Receiver["answer"]>[0]>;
const votes = (vote: string, reason?: string): Answered => {
  return (_, response) => void response.end(JSON.stringify({ vote, reason }));
};
const hangs: Answered = () => {};

/** A participant: it votes and does what was decided, unless its test says otherwise for a step. */
async function participant(steps: Record<string, (delivery: Delivery) => Answered> = {}) {
  const receiver = await startReceiver();
  receiver.answer((delivery) => {
    const { type } = delivery.body;
    return steps[type]?.(delivery) ?? (type === "prepare" ? votes("yes") : 204);
  });
  return {
    receiver,
    steps,
    called: () => receiver.got.map(({ body }) => body.type as string),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

const begin = (callbacks: Record<string, string>, more: object = {}, at = instance) =>
  at.call("POST", "/v1/transactions", {
    participants: Object.keys(callbacks),
    deadlineMs: 20_000,
    payload: { order: 42 },
    callbacks,
    callbackSecret,
    ...more,
  });
const read = async (id: string, at = instance) => (await at.call("GET", `/v1/transactions/${id}`)).body;
const untilState = (id: string, state: string, at = instance) =>
  until(async () => (await read(id, at)).state === state, `it is ${state}`, 40_000);

describe("the participants of a transaction", () => {
  test("are called to prepare, and then to commit, signed, once each", async () => {
    await using stock = await participant();
    await using payment = await participant();
    const { status, body } = await begin({ stock: stock.receiver.url, payment: payment.receiver.url });
    expect([status, body.state]).toEqual([201, "active"]);
    await untilState(body.id, "ended");
    expect((await read(body.id)).decision).toBe("committed");
    for (const [name, one] of Object.entries({ stock, payment })) {
      expect(one.called()).toEqual(["prepare", "commit"]);
      const [prepare, commit] = one.receiver.got;
      const transaction = {
        id: body.id,
        participants: ["stock", "payment"],
        leases: [],
        payload: { order: 42 },
      };
      expect(prepare?.body).toEqual({
        type: "prepare",
        namespace: "default",
        participant: name,
        transaction,
      });
      expect(commit?.body).toEqual({ type: "commit", namespace: "default", participant: name, transaction });
      expect([prepare?.id, commit?.id]).toEqual([`${body.id}/${name}/prepare`, `${body.id}/${name}/commit`]);
      expect(one.receiver.got.every((each) => isGenuine(each, callbackSecret))).toBe(true);
    }
    await until(() => instance.service.callbackDeliveries.transactions === 0, "nobody is called any more");
    const metrics = (await instance.call("GET", "/metrics")).body;
    expect(metrics).toMatch(/quorate_participant_calls_total\{step="commit",outcome="done"\} [2-9]/);
    expect(JSON.stringify([await read(body.id), instance.logged])).not.toContain(callbackSecret);
  });

  test("are told the tokens of the leases that it names, and never their leaseIds", async () => {
    await using stock = await participant();
    const name = freshName();
    const { leaseId, fencingToken } = (
      await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 })
    ).body;
    const named = { kind: "locks", names: [name], fencingToken };
    const leases = [{ ...named, leaseId }];
    const { body } = await begin({ stock: stock.receiver.url }, { leases });
    await untilState(body.id, "ended");
    expect(stock.called()).toEqual(["prepare", "commit"]);
    for (const { body: told } of stock.receiver.got) expect(told.transaction.leases).toEqual([named]);

    await using slow = await participant({ prepare: () => 503 });
    const lost = await begin({ stock: slow.receiver.url }, { leases });
    await instance.call("POST", `/v1/locks/${name}/release`, { leaseId });
    slow.steps.prepare = () => votes("yes");
    await untilState(lost.body.id, "ended");
    expect(await read(lost.body.id)).toMatchObject({ decision: "aborted", reason: "lease_lost" });
    expect(slow.receiver.got.at(-1)?.body.transaction).toMatchObject({
      reason: "lease_lost",
      leases: [named],
    });
    expect(JSON.stringify([stock.receiver.got, slow.receiver.got])).not.toContain(leaseId);
  });

  test("are told to abort, all of them, when one votes no", async () => {
    await using stock = await participant({ prepare: () => votes("no", "out of stock") });
    await using payment = await participant({ prepare: () => hangs });
    const { body } = await begin({ stock: stock.receiver.url, payment: payment.receiver.url });
    await untilState(body.id, "ended");
    expect(await read(body.id)).toMatchObject({ decision: "aborted", reason: "out of stock" });
    expect(stock.called()).toEqual(["prepare", "abort"]);
    // It may have prepared all the same.
    expect(payment.called()).toEqual(["prepare", "abort"]);
    expect(payment.receiver.got[1]?.body.transaction.reason).toBe("out of stock");
  });

  test("may be called only in part: the others vote by themselves", async () => {
    await using stock = await participant();
    const { body } = await begin(
      { stock: stock.receiver.url },
      { participants: ["stock", "payment"], deadlineMs: 30_000 },
    );
    await until(async () => (await read(body.id)).participants[0].vote === "yes", "its vote is known");
    const path = `/v1/transactions/${body.id}`;
    expect(
      (await instance.call("POST", `${path}/vote`, { participant: "payment", vote: "yes" })).status,
    ).toBe(200);
    await until(() => stock.called().includes("commit"), "it is told");
    expect((await read(body.id)).state).toBe("committed");
    await instance.call("POST", `${path}/acknowledge`, { participant: "payment" });
    await untilState(body.id, "ended");
    expect(stock.called()).toEqual(["prepare", "commit"]);
  });

  test("that give no vote are asked again until the deadline, and told to abort until they say so", {
    timeout: 40_000,
  }, async () => {
    const bad = [
      () => 500,
      () => 302,
      () => votes("maybe"),
      () => 204,
      () => ((_, response) => void response.end("yes")) as Answered,
      () =>
        ((_, response) =>
          void response.end(JSON.stringify({ vote: "yes", pad: "x".repeat(5_000) }))) as Answered,
      () => ((request) => void request.socket.destroy()) as Answered,
    ];
    let calls = 0;
    let aborts = 0;
    await using stock = await participant({
      prepare: () => (bad[calls++ % bad.length] as () => Answered)(),
      abort: () => (++aborts < 3 ? 503 : 200),
    });
    const { body } = await begin({ stock: stock.receiver.url }, { deadlineMs: 4_000 });
    await untilState(body.id, "ended");
    expect(await read(body.id)).toMatchObject({ decision: "aborted", reason: "its deadline passed" });
    expect(calls).toBeGreaterThan(2);
    expect(stock.called().filter((step) => step === "abort")).toHaveLength(3);
    expect(new Set(stock.receiver.got.map(({ id }) => id)).size).toBe(2);
  });

  test("are called once, though the request that began it comes twice", async () => {
    await using stock = await participant();
    const id = instance.service.transactions.newId();
    const answers = await Promise.all([1, 2].map(() => begin({ stock: stock.receiver.url }, { id })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    await untilState(id, "ended");
    expect((await begin({ stock: stock.receiver.url }, { id })).status).toBe(200);
    const other = await begin({ stock: `${stock.receiver.url}/other` }, { id });
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
    expect(stock.called().filter((step) => step === "prepare")).toHaveLength(1);
  });
});

describe("refused is, and nothing half-done,", () => {
  const url = "http://127.0.0.1:9/";
  test.each([
    ["a host that is not listed", { callbacks: { stock: "http://10.0.0.7/" } }, "callbacks.stock"],
    ["one of two that is not", { callbacks: { payment: url, stock: "http://10.0.0.7/" } }, "callbacks.stock"],
    ["another protocol", { callbacks: { stock: "ftp://127.0.0.1/" } }, "callbacks.stock"],
    ["a stranger", { callbacks: { nobody: url } }, "callbacks.nobody"],
    ["nobody", { callbacks: {} }, "callbacks"],
    ["a URL that is too long", { callbacks: { stock: url + "x".repeat(2_048) } }, "callbacks.stock"],
    ["no secret", { callbacks: { stock: url }, callbackSecret: undefined }, "callbackSecret"],
    [
      "a secret that is too short",
      { callbacks: { stock: url }, callbackSecret: "whsec_AAAA" },
      "callbackSecret",
    ],
    ["a secret for nothing", { callbacks: undefined }, "callbackSecret"],
  ])("%s", async (_, more, field) => {
    const id = instance.service.transactions.newId();
    const { status, body } = await begin({}, { id, participants: ["stock", "payment"], ...more });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
    expect((await read(id)).code).toBe("not_found");
  });

  test("everything where nothing is listed", async () => {
    await using closed = await startInstance(primaries.urls);
    const { status, body } = await begin({ stock: url }, {}, closed);
    expect(status).toBe(400);
    expect(body.detail).toContain("QUORATE_CALLBACK_ALLOW");
  });
});

describe("when the instance that began a transaction is killed", () => {
  /** Two instances, one of them a process, and a transaction of two participants that was begun there. */
  async function begunAt(callbacks: Record<string, string>) {
    const prefix = ownPrefix();
    const survivor = await startInstance(primaries.urls, { env, prefix });
    const settings = { ...PATIENT, ...env, QUORATE_KEY_PREFIX: prefix };
    const victim = startProcess({ ...settings, REDIS_URLS: primaries.urls.join(",") });
    const request = { participants: Object.keys(callbacks), deadlineMs: 60_000, callbacks, callbackSecret };
    const begin = async () => {
      const response = await fetch(`${await victim.listening}/v1/transactions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
      });
      return ((await response.json()) as { id: string }).id;
    };
    return {
      survivor,
      victim,
      begin,
      kill: async () => {
        victim.kill("SIGKILL");
        await victim.ended;
      },
      [Symbol.asyncDispose]: async () => {
        await victim[Symbol.asyncDispose]();
        await survivor[Symbol.asyncDispose]();
      },
    };
  }

  test("before anybody has voted, another asks for the votes", { timeout: 60_000 }, async () => {
    await using stock = await participant({ prepare: () => hangs });
    await using payment = await participant({ prepare: () => hangs });
    await using all = await begunAt({ stock: stock.receiver.url, payment: payment.receiver.url });
    const id = await all.begin();
    await all.kill();
    for (const { steps } of [stock, payment]) delete steps.prepare;
    await untilState(id, "ended", all.survivor);
    expect((await read(id, all.survivor)).decision).toBe("committed");
    expect(stock.called().slice(-2)).toEqual(["prepare", "commit"]);
  });

  test("after some votes, another asks for those that are missing, and no other", {
    timeout: 60_000,
  }, async () => {
    await using stock = await participant();
    await using payment = await participant({ prepare: () => hangs });
    await using all = await begunAt({ stock: stock.receiver.url, payment: payment.receiver.url });
    const id = await all.begin();
    const voted = async () => (await read(id, all.survivor)).participants[0].vote === "yes";
    await until(voted, "the vote is known");
    await all.kill();
    // On a busy machine the survivor may have asked as well, before.
    const asked = stock.called();
    delete payment.steps.prepare;
    await untilState(id, "ended", all.survivor);
    expect(stock.called()).toEqual([...asked, "commit"]);
    expect(payment.called().slice(-2)).toEqual(["prepare", "commit"]);
  });

  test("after the decision, another tells it to all", { timeout: 60_000 }, async () => {
    await using stock = await participant({ commit: () => hangs });
    await using payment = await participant({ commit: () => 503 });
    await using all = await begunAt({ stock: stock.receiver.url, payment: payment.receiver.url });
    const id = await all.begin();
    await untilState(id, "committed", all.survivor);
    await all.kill();
    const prepared = () => stock.called().filter((step) => step === "prepare");
    const before = prepared();
    for (const { steps } of [stock, payment]) delete steps.commit;
    await untilState(id, "ended", all.survivor);
    expect([...new Set(stock.called())]).toEqual(["prepare", "commit"]);
    expect(prepared()).toEqual(before);
  });

  test("before it has noted that one has acknowledged, that one is told again, by the same id", {
    timeout: 60_000,
  }, async () => {
    let kill = () => {};
    let commits = 0;
    await using stock = await participant();
    await using payment = await participant({
      commit: () => {
        commits += 1;
        if (commits > 1) return 204;
        kill();
        // Its answer is never noted, whichever instance it was for.
        return hangs;
      },
    });
    await using all = await begunAt({ stock: stock.receiver.url, payment: payment.receiver.url });
    kill = () => all.victim.kill("SIGKILL");
    const id = await all.begin();
    await untilState(id, "ended", all.survivor);
    expect(payment.called().slice(-2)).toEqual(["commit", "commit"]);
    const [first, second] = payment.receiver.got.slice(-2);
    expect(second?.id).toBe(first?.id);
    expect((await read(id, all.survivor)).decision).toBe("committed");
  });
});
