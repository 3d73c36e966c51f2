import { describe, expect, test, vi } from "vitest";
import type { Intent, Part, TransactionRecord } from "../../../src/algorithms/intent.js";
import { KEYED_MAX } from "../../../src/algorithms/register.js";
import { Changes } from "../../../src/primitives/registers/changes.js";
import { keyedOf } from "../../../src/primitives/registers/keyed.js";
import type { TransactionOutcome } from "../../../src/primitives/registers/register-transactions.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { Pair } from "../../helpers/pair.js";
import { storedOf, upkeepAtOnce } from "../../helpers/registers.js";
import { freshName, until } from "../../helpers/service.js";

const pair = new Pair();
const value = (json: unknown) => ({ json: JSON.stringify(json), ttlMs: null });
const deleted = { json: null, ttlMs: null };

/** Names in their order. */
function fresh() {
  const key = freshName();
  return [1, 2, 3].map((i) => registerName("value", "default", `${key}-${i}`)) as [string, string, string];
}

const at = (i: number) => pair.at(i).service;
const commit = (parts: readonly Part[], keyed: ReturnType<typeof keyedOf> | null = null, i = 0) =>
  at(i).registerTransactions.commit({ parts, keyed });
const put = async (name: string, json: unknown) => {
  const made = await at(0).registers.put(name, value(json));
  if (made.kind !== "put") throw new Error("it has no condition");
  return made;
};
const get = (name: string, i = 1) => at(i).registers.get(name);
const rawOf = async (name: string) => (await at(0).registers.raw(name)).version;

/** No intent is left, nor a record. */
async function cleared(names: readonly string[]): Promise<void> {
  for (const name of names)
    await until(async () => (await rawOf(name))?.intent === undefined, "the intent is cleared");
}

/** A transaction whose coordinator died after it had noted its intents, and perhaps decided. */
async function left(parts: readonly Part[], state: TransactionRecord["state"] | "gone", ttlMs = 600_000) {
  const { changes } = at(0).registers;
  const recordName = registerName("record", "-", freshName());
  const names = parts.map(({ name }) => name);
  const write = (to: TransactionRecord["state"]) => ({
    kind: "write" as const,
    json: JSON.stringify({ state: to, names, told: "-" }),
    ttlMs,
    result: null,
    told: "-",
  });
  const made = await changes.change(recordName, () => write("active"));
  const creation = made.kind === "written" ? made.etag : "";
  for (const { name, write: its } of parts) {
    const intent: Intent = {
      record: recordName,
      creation,
      etag: changes.newEtag(),
      write: its ?? null,
      keyed: null,
    };
    await changes.change(
      name,
      ({ version, leftMs }) => {
        const base = version ?? { number: 0, etag: changes.newEtag(), json: null, earlier: "", keyed: [] };
        return { kind: "replace", version: { ...base, intent }, leftMs, result: null };
      },
      { seesIntent: true },
    );
  }
  if (state === "gone")
    await changes.change(recordName, () => ({
      kind: "write",
      json: null,
      ttlMs: null,
      result: null,
      told: "-",
    }));
  else if (state !== "active") await changes.change(recordName, () => write(state));
  return recordName;
}

describe("a transaction of registers", () => {
  test("changes all of them, makes what was not there, and deletes", async () => {
    const [a, b, c] = fresh();
    const first = await put(a, 1);
    await put(c, 3);
    const outcome = await commit([
      { name: c, write: deleted },
      { name: a, check: first.etag, write: value(10) },
      { name: b, check: null, write: value({ b: "ü\n " }) },
    ]);
    expect(outcome).toMatchObject({ kind: "committed" });
    const { changed, found } = outcome as Extract<TransactionOutcome, { kind: "committed" }>;
    expect(found.get(a)).toMatchObject({ json: "1", number: 1, etag: first.etag });
    expect(found.get(b)).toBeNull();
    expect(changed.get(c)).toBeNull();
    expect(await get(a)).toMatchObject({ json: "10", number: 2, etag: changed.get(a)?.etag });
    expect(await get(b)).toMatchObject({ json: '{"b":"ü\\n "}', number: 1, etag: changed.get(b)?.etag });
    expect(await get(c)).toBeNull();
    await cleared([a, b, c]);
    expect(await get(a)).toMatchObject({ number: 2, etag: changed.get(a)?.etag });
    expect(await put(a, 11)).toMatchObject({ number: 3 });
    expect(await put(b, 11)).toMatchObject({ number: 2 });
  });

  test("that is not checked for what is there changes nothing, and leaves every ETag as it was", async () => {
    const [a, b, c] = fresh();
    const first = await put(a, 1);
    const second = await put(b, 2);
    const outcome = await commit([
      { name: a, check: first.etag, write: value(10) },
      { name: b, check: first.etag },
      { name: c, write: value(30) },
    ]);
    expect(outcome).toMatchObject({ kind: "mismatch", name: b, current: { number: 1, etag: second.etag } });
    expect(await commit([{ name: c, check: second.etag }])).toMatchObject({
      kind: "mismatch",
      current: null,
    });
    await cleared([a, b, c]);
    expect(await get(a)).toMatchObject({ json: "1", number: 1, etag: first.etag });
    expect(await get(c)).toBeNull();
    expect(await put(a, 11)).toMatchObject({ number: 2 });
  });

  test("notes its intents in the order of the keys, so that no two of them wait for each other", async () => {
    const [a, b, c] = fresh();
    const { changes } = at(0).registers;
    const noted: string[] = [];
    const spy = vi.spyOn(changes, "change").mockImplementation((name, ...rest) => {
      if (name.startsWith("value/")) noted.push(name);
      return Changes.prototype.change.call(changes, name, ...rest);
    });
    try {
      await commit([{ name: c, check: null }, { name: a, write: value(1) }, { name: b }]);
    } finally {
      spy.mockRestore();
    }
    expect(noted.slice(0, 3)).toEqual([a, b, c]);
  });

  test("begins the time to live of what it writes, and leaves that of the others", async () => {
    const [a, b] = fresh();
    await at(0).registers.put(b, { json: "2", ttlMs: 60_000 });
    await commit([{ name: a, write: { json: "1", ttlMs: 300 } }, { name: b }]);
    expect((await get(a))?.expiresInMs).toBeLessThanOrEqual(300);
    await cleared([a, b]);
    expect((await get(b))?.expiresInMs).toBeGreaterThan(30_000);
    await until(async () => (await get(a)) === null, "it has ended");
  });

  test("moves money between many, and none is made or lost", async () => {
    const names = fresh();
    for (const name of names) await put(name, 100);
    const sumOf = (found: ReadonlyMap<string, { readonly json: string } | null>) =>
      names.reduce((sum, name) => sum + Number(found.get(name)?.json), 0);
    const move = async (i: number) => {
      const [from, to] = [names[i % 3], names[(i + 1) % 3]] as [string, string];
      const [one, other] = [await get(from, i), await get(to, i)];
      const parts = [
        { name: from, check: one?.etag ?? null, write: value(Number(one?.json) - 1) },
        { name: to, check: other?.etag ?? null, write: value(Number(other?.json) + 1) },
      ];
      return (await commit(parts, null, i)).kind;
    };
    const look = async (i: number) => {
      const outcome = await commit(
        names.map((name) => ({ name })),
        null,
        i,
      );
      expect(outcome).toMatchObject({ kind: "committed" });
      if (outcome.kind === "committed") expect(sumOf(outcome.found)).toBe(300);
    };
    const kinds: string[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        for (let round = 0; round < 5; round++)
          if (i % 4 === 3) await look(i);
          else kinds.push(await move(i));
      }),
    );
    expect(kinds).toContain("committed");
    await look(0);
  });
});

describe("a transaction whose instance slept before it committed", () => {
  /** What `commit` comes to where `meanwhile` happens between its last intent and its decision. */
  async function asleep(parts: readonly Part[], meanwhile: (record: string) => Promise<unknown>) {
    const { changes } = at(0).registers;
    const change = changes.change.bind(changes);
    const calls = new Map<string, number>();
    let isOver = false;
    changes.change = async (name, ...rest) => {
      const nth = (calls.get(name) ?? 0) + 1;
      calls.set(name, nth);
      // The first change makes its record, the second one commits it.
      if (!isOver && name.startsWith("record/") && nth === 2) {
        isOver = true;
        await meanwhile(name);
      }
      return change(name, ...rest);
    };
    try {
      return await commit(parts);
    } finally {
      changes.change = change;
    }
  }
  const other = () => at(1).registers;
  const aborted = { state: "aborted", told: "-" } as const;
  const removed = async (record: string, names: readonly string[]) => {
    for (const name of names) await other().intents.clear(name, record, aborted);
    await other().delete(record);
  };

  test.each<[string, (record: string, names: readonly string[]) => Promise<unknown>]>([
    ["is aborted", (record) => other().put(record, value({ ...aborted, names: [] }))],
    ["has gone", removed],
    [
      "is forgotten",
      async (record, names) => {
        await removed(record, names);
        const upkeep = upkeepAtOnce(pair);
        await until(async () => {
          await upkeep.run();
          return (await storedOf(pair, record)) === 0;
        }, "nothing is left of it");
      },
    ],
    [
      "was made anew",
      async (record, names) => {
        await removed(record, names);
        await other().put(record, value({ state: "active", names: [], told: "-" }));
      },
    ],
  ])("is not made where its record %s", async (_what, end) => {
    const [a, b] = fresh();
    const first = await put(a, 1);
    const parts = [
      { name: a, check: first.etag, write: value(10) },
      { name: b, write: value(20) },
    ];
    const outcome = await asleep(parts, async (record) => {
      await end(record, [a, b]);
      await other().put(a, value(2));
    });
    expect(outcome).toMatchObject({ kind: "mismatch", name: a });
    expect(await get(a)).toMatchObject({ json: "2" });
    expect(await get(b)).toBeNull();
  });
});

describe("an idempotency key", () => {
  const parts = ([a, b]: readonly string[], check?: string): Part[] => [
    { name: a as string, check, write: value(1) },
    { name: b as string, write: value(2) },
  ];

  test("makes a transaction once, also when what it checks has changed since", async () => {
    const names = fresh();
    const first = await put(names[0], 0);
    const keyed = keyedOf("k", "body");
    const made = await commit(parts(names, first.etag), keyed);
    expect(made.kind).toBe("committed");
    const again = await commit(parts(names, first.etag), keyed, 1);
    expect(again).toEqual({
      kind: "repeated",
      changed: (made as Extract<TransactionOutcome, { kind: "committed" }>).changed,
    });
    await put(names[0], 5);
    expect(await commit(parts(names, first.etag), keyed, 1)).toMatchObject({ kind: "repeated" });
    expect(await get(names[0])).toMatchObject({ json: "5" });
    expect(await commit(parts(names), keyedOf("k", "another"))).toEqual({ kind: "key_mismatch" });
  });

  test("makes it once when it is sent to both instances at once", async () => {
    const names = fresh();
    const keyed = keyedOf("k", "body");
    const outcomes = await Promise.all([0, 1, 0, 1].map((i) => commit(parts(names), keyed, i)));
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual([
      "committed",
      "repeated",
      "repeated",
      "repeated",
    ]);
    expect(await get(names[0])).toMatchObject({ number: 1 });
  });

  test("is remembered where only deletions are, and refused where a register remembers as many as may be", async () => {
    const [a] = fresh();
    await put(a, 1);
    const gone = [{ name: a, write: deleted }];
    await commit(gone, keyedOf("k", "body"));
    await cleared([a]);
    await put(a, 2);
    expect(await commit(gone, keyedOf("k", "body"))).toMatchObject({ kind: "repeated" });
    expect(await get(a)).toMatchObject({ json: "2" });
    for (let i = 1; i < KEYED_MAX; i++)
      await at(0).registers.put(a, value(i), { keyed: keyedOf(`k${i}`, "body") });
    await expect(commit(gone, keyedOf("one too many", "body"))).rejects.toMatchObject({
      code: "too_many_keyed",
    });
    expect(await get(a)).not.toBeNull();
  });
});

describe("an intent that was left", () => {
  test("by an active transaction is not seen by readers, and aborted by a writer after a second", async () => {
    const [a, b] = fresh();
    const first = await put(a, 1);
    await left(
      [
        { name: a, write: value(10) },
        { name: b, write: value(20) },
      ],
      "active",
    );
    expect(await get(a)).toMatchObject({ json: "1", number: 1, etag: first.etag });
    expect(await get(b)).toBeNull();
    const beganMs = performance.now();
    expect(await put(a, 2)).toMatchObject({ number: 2 });
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(4_000);
    expect(await put(b, 2)).toMatchObject({ number: 1 });
  });

  test("by a committed one is its value to readers, and cleared by a writer", async () => {
    const [a, b, c] = fresh();
    await put(a, 1);
    await put(c, 3);
    const parts = [
      { name: a, write: value(10) },
      { name: b, write: value(20) },
      { name: c, write: deleted },
    ];
    await left(parts, "committed");
    expect(await get(a)).toMatchObject({ json: "10", number: 2 });
    expect(await get(b)).toMatchObject({ json: "20", number: 1 });
    expect(await get(c)).toBeNull();
    const before = await get(a);
    expect(await put(b, 21)).toMatchObject({ number: 2 });
    expect(await at(1).registers.put(a, value(11), { ifMatch: [before?.etag ?? ""] })).toMatchObject({
      number: 3,
    });
  });

  test("by one whose record is gone was not committed: the record is made an aborted one first", async () => {
    const [a, b] = fresh();
    await put(a, 1);
    const record = await left(
      [
        { name: a, write: value(10) },
        { name: b, write: value(20) },
      ],
      "gone",
    );
    expect(await get(a)).toMatchObject({ json: "1" });
    expect((await at(0).registers.raw(record, true)).version?.json).toContain("aborted");
    expect(await put(b, 2)).toMatchObject({ number: 1 });
  });

  test("is cleared by the upkeep, and the record goes", async () => {
    const [a, b] = fresh();
    await put(a, 1);
    const parts = [
      { name: a, write: value(10) },
      { name: b, write: value(20) },
    ];
    const record = await left(parts, "committed", 100);
    await cleared([a, b]);
    await until(async () => (await rawOf(record))?.json == null, "the record has gone");
    expect(await get(a)).toMatchObject({ json: "10" });
    const active = await left(parts, "active", 100);
    await cleared([a, b]);
    await until(async () => (await rawOf(active))?.json == null, "the record has gone");
    expect(await get(a)).toMatchObject({ json: "10" });
  });

  test("does not keep a register that has ended", async () => {
    const [a] = fresh();
    await at(0).registers.put(a, { json: "1", ttlMs: 100 });
    await left([{ name: a }], "active");
    await until(async () => (await get(a)) === null, "it has ended");
  });
});
