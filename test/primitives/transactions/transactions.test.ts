import { describe, expect, test } from "vitest";
import type { Begin } from "../../../src/algorithms/two-phase.js";
import { STORED_MAX } from "../../../src/primitives/transactions/transactions.js";
import { Keys } from "../../../src/scripts/keys.js";
import { dueRegisters } from "../../../src/scripts/register-calls.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { Pair } from "../../helpers/pair.js";
import { until } from "../../helpers/service.js";

const pair = new Pair();
const terms: Begin = { participants: ["a", "b"], payload: null, begunBy: "x" };
const LONG_MS = 60_000;

/** The two instances in turn: each step is taken by another one. */
function started() {
  let turn = 0;
  const one = () => (turn++ % 2 === 0 ? pair.one : pair.other).service.transactions;
  const id = one().newId();
  return { one, id, name: registerName("transaction", "default", id) };
}

const seen = async (name: string) => {
  const { told } = await pair.one.service.transactions.get(name);
  return told?.transaction ?? null;
};

describe("a transaction", () => {
  test("is committed by its last yes, and ends when all have acknowledged", async () => {
    const { one, name } = started();
    const begun = await one().begin(name, terms, LONG_MS);
    expect(begun).toMatchObject({ kind: "told", isNew: true, transaction: { state: "active" } });
    expect(await one().begin(name, terms, LONG_MS)).toMatchObject({ kind: "told", isNew: false });
    await one().vote(name, "a", "yes", null);
    expect(await seen(name)).toMatchObject({ state: "active" });
    expect(await one().vote(name, "b", "yes", null)).toMatchObject({ transaction: { state: "committed" } });
    await one().acknowledge(name, "a");
    expect(await one().acknowledge(name, "b")).toMatchObject({
      transaction: { state: "ended", decision: "committed" },
    });
    expect(await one().vote(name, "b", "no", null)).toMatchObject({
      kind: "refused",
      why: "already_decided",
    });
    expect(await seen(name)).toMatchObject({ state: "ended", decision: "committed" });
  });

  test("is aborted by whoever looks after its deadline, and by the sweeper where nobody does", async () => {
    const { one, name } = started();
    await one().begin(name, terms, 100);
    await one().vote(name, "a", "yes", null);
    await until(async () => (await seen(name))?.state === "aborted", "the sweeper has aborted it");
    expect(await one().vote(name, "b", "yes", null)).toMatchObject({
      kind: "refused",
      why: "already_decided",
    });
  });

  test("of which nobody knows is aborted by a vote, and cannot begin any more", async () => {
    const { one, name } = started();
    expect(await seen(name)).toBeNull();
    expect(await one().vote(name, "a", "yes", null)).toMatchObject({
      kind: "refused",
      why: "already_decided",
    });
    expect(await seen(name)).toMatchObject({ state: "aborted", participants: [] });
    expect(await one().begin(name, terms, LONG_MS)).toMatchObject({
      kind: "refused",
      why: "already_decided",
    });
  });

  test("whose id is old or ahead, and of which nobody knows, is not taken for a new one", async () => {
    const { one, id } = started();
    const old = registerName("transaction", "default", `0190${id.slice(4)}`);
    for (const outcome of [await one().vote(old, "a", "yes", null), await one().begin(old, terms, LONG_MS)])
      expect(outcome).toEqual({ kind: "forgotten" });
    expect(await seen(old)).toBeNull();
    const ahead = registerName("transaction", "default", `ffff${id.slice(4)}`);
    expect(await one().begin(ahead, terms, LONG_MS)).toEqual({ kind: "ahead" });
  });

  test("does not begin where as many as may be are stored; those that have begun go on", async () => {
    const { transactions } = pair.one.service;
    const { name } = started();
    await transactions.begin(name, terms, LONG_MS);
    const full = async (act: (name: string) => Promise<unknown>) => {
      const unknown = registerName("transaction", "default", transactions.newId());
      transactions.sawStored(STORED_MAX);
      expect(await act(unknown)).toEqual({ kind: "full" });
      expect(await seen(unknown)).toBeNull();
    };
    await full((unknown) => transactions.begin(unknown, terms, LONG_MS));
    await full((unknown) => transactions.vote(unknown, "a", "yes", null));
    await full((unknown) => transactions.abort(unknown, "late"));
    transactions.sawStored(STORED_MAX);
    expect(await transactions.begin(name, terms, LONG_MS)).toMatchObject({ kind: "told", isNew: false });
    expect(await transactions.vote(name, "a", "no", null)).toMatchObject({
      transaction: { state: "aborted" },
    });
    transactions.sawStored(STORED_MAX - 1);
    const last = registerName("transaction", "default", transactions.newId());
    expect(await transactions.begin(last, terms, LONG_MS)).toMatchObject({ kind: "told", isNew: true });
  });

  test("that is remembered goes when its time is over, though nobody looks, and one that nobody had begun", async () => {
    const { registers, transactions } = pair.one.service;
    const ended = { state: "ended", decision: "committed", reason: null, payload: null, begunBy: "x" };
    const participants = [{ name: "a", vote: "yes", acknowledged: true }];
    for (const one of [
      { ...ended, participants },
      { ...ended, begunBy: null, participants: [] },
    ]) {
      const name = registerName("transaction", "default", transactions.newId());
      await registers.put(name, { json: JSON.stringify(one), ttlMs: 300 });
      expect(await seen(name)).toMatchObject({ state: "ended" });
      await until(async () => (await seen(name)) === null, "it is not remembered any more");
    }
  });

  test("is counted by the primaries, decided or not", async () => {
    const { name } = started();
    await pair.one.service.transactions.begin(name, terms, LONG_MS);
    await until(async () => {
      const counted = await pair.one.service.primaries.askAll(dueRegisters(new Keys(pair.prefix), 0, 1));
      return counted.every(({ transactions }) => transactions > 0);
    }, "all count it");
  });

  test("is told to those who wait as soon as it is decided", async () => {
    const { one, name } = started();
    await one().begin(name, terms, LONG_MS);
    const { service } = pair.other;
    const waiting = service.transactions.decided(name, performance.now() + 10_000);
    await one().abort(name, "no stock");
    expect((await waiting).told?.transaction).toMatchObject({ state: "aborted", reason: "no stock" });
  });

  test("gets one decision, whatever many clients do at once at two instances", async () => {
    const { one, name } = started();
    await one().begin(name, terms, LONG_MS);
    const told = await Promise.all([
      one().vote(name, "a", "yes", null),
      one().vote(name, "a", "yes", null),
      one().vote(name, "b", "yes", null),
      one().abort(name, "late"),
      one().vote(name, "b", "yes", null),
    ]);
    const decisions = told.flatMap((outcome) =>
      "transaction" in outcome && outcome.transaction?.decision ? [outcome.transaction.decision] : [],
    );
    expect(new Set(decisions).size).toBe(1);
    expect((await seen(name))?.decision).toBe(decisions[0]);
  });
});
