import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { randomOf } from "../helpers/chance.js";
import { type ServiceProcess, startProcess } from "../helpers/process.js";
import { ownPrefix, PATIENT, startInstance } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout, has, hasPython, PATIENCE_MS } from "./checkout.js";
import { hasPostgres, type RunningPostgres, startPostgres } from "./postgres.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS });

const checkout = new Checkout();
const FOLDER = "examples/transfer";
/** What each of the two accounts of a bank has at the beginning. */
const FUNDS = 100;

/** A bank as its participant sees it, and what its books say. */
interface Books {
  /** The argument of participant.py. */
  readonly where: string;
  readonly env: Record<string, string>;
  query(sql: string): Promise<readonly string[]>;
}

let made = 0;
async function inSqlite(): Promise<Books> {
  const file = `bank-${made++}.db`;
  const query = async (sql: string) => {
    const { code, lines, err } = await checkout.run(FOLDER, ["sqlite3", "-cmd", ".timeout 60000", file, sql]);
    if (code !== 0) throw new Error(err);
    return lines;
  };
  await query(".read sqlite.sql");
  await query("PRAGMA journal_mode = WAL");
  return withAccounts({ where: `sqlite:${file}`, env: {}, query });
}

async function inPostgres({ env }: RunningPostgres): Promise<Books> {
  const database = `bank${made++}`;
  const psql = (name: string, ...args: string[]) =>
    checkout.run(FOLDER, ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", name, ...args], env);
  await psql("postgres", "-c", `CREATE DATABASE ${database}`);
  await psql(database, "-f", "postgresql.sql");
  const query = async (sql: string) => {
    const { code, lines, err } = await psql(database, "-c", sql);
    if (code !== 0) throw new Error(err);
    return lines;
  };
  return withAccounts({ where: `postgresql:${database}`, env, query });
}

async function withAccounts(books: Books): Promise<Books> {
  await books.query(`INSERT INTO accounts VALUES ('alice', ${FUNDS}), ('bob', ${FUNDS})`);
  return books;
}

const sum = async ({ query }: Books) => Number((await query("SELECT sum(balance) FROM accounts"))[0]);

/** Calls methods of the Bank of a file, one after the other. What they return, as JSON. */
async function bankDoes(books: Books, calls: string, file?: string): Promise<unknown[]> {
  const [kind, where] = books.where.split(":") as [string, string];
  const program = `import json; from ${file ?? `bank_${kind}`} import Bank; b = Bank("${where}"); print(json.dumps([${calls}]))`;
  const { code, lines, err } = await checkout.run(FOLDER, ["python3", "-c", program], books.env);
  if (code !== 0) throw new Error(err);
  return JSON.parse(lines[0] as string);
}

const ID = "019b7ada-7028-7c3a-9d41-5f2ac1a58b7";
const id = (n: number) => `"${ID}${n.toString(16)}"`;

/** Messages that come twice, and in every order that they can; and what alice should have in the end. */
const ORDERS: readonly [name: string, calls: string, returned: unknown[], alice: number][] = [
  [
    "a prepare and a commit, each twice",
    `b.prepare(${id(1)}, "alice", -10), b.prepare(${id(1)}, "alice", -10), b.finish(${id(1)}, "committed"), b.finish(${id(1)}, "committed"), b.prepare(${id(1)}, "alice", -10)`,
    ["prepared", "prepared", null, null, "committed"],
    FUNDS - 10,
  ],
  [
    "a prepare and an abort, each twice",
    `b.prepare(${id(2)}, "alice", -10), b.finish(${id(2)}, "aborted"), b.finish(${id(2)}, "aborted"), b.prepare(${id(2)}, "alice", -10)`,
    ["prepared", null, null, "aborted"],
    FUNDS,
  ],
  [
    "an abort before its prepare, which then finds it",
    `b.finish(${id(3)}, "aborted"), b.prepare(${id(3)}, "alice", -10), b.prepared()`,
    [null, "aborted", []],
    FUNDS,
  ],
  [
    "what is to be had, which comes with the commit, once",
    `b.prepare(${id(4)}, "alice", 10), b.prepared(), b.finish(${id(4)}, "committed"), b.finish(${id(4)}, "committed")`,
    ["prepared", [`${ID}4`], null, null],
    FUNDS + 10,
  ],
  [
    "what is to be had, and is aborted",
    `b.prepare(${id(5)}, "alice", 10), b.finish(${id(5)}, "aborted"), b.finish(${id(5)}, "aborted")`,
    ["prepared", null, null],
    FUNDS,
  ],
  [
    "what is to be had by an account that there is not: it would be lost",
    `b.prepare(${id(7)}, "nobody", 10), b.prepare(${id(7)}, "nobody", 10), b.finish(${id(7)}, "aborted"), b.prepared()`,
    ["aborted", "aborted", null, []],
    FUNDS,
  ],
  [
    "what an account gives that there is not",
    `b.prepare(${id(8)}, "nobody", -10), b.prepared()`,
    ["aborted", []],
    FUNDS,
  ],
  [
    "more than the account has",
    `b.prepare(${id(6)}, "alice", -1000), b.prepare(${id(6)}, "alice", -1000), b.finish(${id(6)}, "aborted"), b.prepared()`,
    ["aborted", "aborted", null, []],
    FUNDS,
  ],
];

/** The names of what does not end as it should. */
async function wrongOrders(newBooks: () => Promise<Books>, file?: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, calls, returned, alice] of ORDERS) {
    const books = await newBooks();
    const got = await bankDoes(books, calls, file).catch((error: Error) => [error.message]);
    const [balance] = await books.query("SELECT balance FROM accounts WHERE name = 'alice'");
    if (JSON.stringify(got) !== JSON.stringify(returned) || Number(balance) !== alice)
      wrong.push(`${name}: ${JSON.stringify(got)}, alice has ${balance}`);
  }
  return wrong;
}

interface Transfer {
  readonly id: string;
  readonly amount: number;
}

/**
 * Transfers between two banks, whose participants are told of each until they have ended it, and are killed all the time, as
 * are the two instances.
 */
async function transferUnderKills(banks: readonly Books[], random: () => number, count: number) {
  const prefix = ownPrefix();
  const { urls } = await sharedPrimaries();
  const settings = {
    ...PATIENT,
    REDIS_URLS: urls.join(","),
    QUORATE_KEY_PREFIX: prefix,
  };
  const instances = [startProcess(settings), startProcess(settings)];
  const at = await Promise.all(instances.map(({ listening }) => listening));
  const QUORATE_URL = at.join(",");
  const killInstance = async () => {
    const place = Math.floor(random() * 2);
    const one = instances[place] as ServiceProcess;
    one.kill("SIGKILL");
    await one.ended;
    const next = startProcess({ ...settings, PORT: new URL(at[place] as string).port });
    instances[place] = next;
    await next.listening;
  };
  try {
    const transfers: Transfer[] = [];
    for (let i = 0; i < count; i++) {
      const amount = 1 + Math.floor(random() * 60);
      const [from, to] = random() < 0.5 ? ["bank-0", "bank-1"] : ["bank-1", "bank-0"];
      const command = [
        "python3",
        "transfer.py",
        from as string,
        "alice",
        to as string,
        "bob",
        String(amount),
      ];
      const { lines, err } = await checkout.run(FOLDER, command, { QUORATE_URL });
      if (lines[0] === undefined) throw new Error(err);
      transfers.push({ id: lines[0], amount: from === "bank-0" ? -amount : amount });
    }
    const ids = transfers.map((transfer) => transfer.id);
    /** Starts the participant of a bank, which is killed unless it ended in time. Whether it has ended all. */
    const participate = async (place: number, killMs: number | null) => {
      const { where, env } = banks[place] as Books;
      const command = ["python3", "participant.py", `bank-${place}`, where, ...ids];
      const running = checkout.start(FOLDER, command, { ...env, QUORATE_URL });
      const kill = killMs === null ? undefined : setTimeout(() => running.kill("SIGKILL"), killMs);
      const code = await running.ended;
      clearTimeout(kill);
      if (code !== 0 && code !== "SIGKILL") throw new Error(`${code}: ${running.err()}`);
      return code === 0;
    };
    let kills = 0;
    const killed = [0, 1].map(async (place) => {
      // Soon at first: on a fast machine all is ended within a second.
      for (let round = 1; round <= ROUNDS; round++)
        if (!(await participate(place, 150 + random() * 300 * round))) kills++;
    });
    const killing = (async () => {
      for (let round = 0; round < ROUNDS / 2; round++) await killInstance();
    })();
    await Promise.all([...killed, killing]);
    // In the end everybody is left alone.
    expect(await Promise.all([participate(0, null), participate(1, null)])).toEqual([true, true]);
    return { transfers, kills, prefix, urls };
  } finally {
    await Promise.all(instances.map((one) => one[Symbol.asyncDispose]()));
  }
}

const ROUNDS = 4;

async function expectNothingLost(banks: readonly [Books, Books], seed: number): Promise<void> {
  const { transfers, kills, prefix, urls } = await transferUnderKills(banks, randomOf(seed), 8);
  expect(kills).toBeGreaterThan(0);
  const [first, second] = banks;
  const stateIn = async ({ query }: Books) =>
    new Map(
      (await query("SELECT id, state FROM transfers")).map((line) => line.split("|") as [string, string]),
    );
  const [states, others] = await Promise.all([stateIn(first), stateIn(second)]);
  await using instance = await startInstance(urls, { prefix });
  let moved = 0;
  for (const { id: its, amount } of transfers) {
    const { body } = await instance.call("GET", `/v1/transactions/${its}`);
    expect(body).toMatchObject({ state: "ended" });
    expect([states.get(its), others.get(its)]).toEqual([body.decision, body.decision]);
    if (body.decision === "committed") moved += amount;
  }
  expect(await sum(first)).toBe(2 * FUNDS + moved);
  expect(await sum(second)).toBe(2 * FUNDS - moved);
}

const hasSqlite = hasPython && has("sqlite3");

describe.skipIf(!hasSqlite)("a bank with books in SQLite (skipped without python3 or sqlite3)", () => {
  test("is right whatever comes twice, or in another order", async () => {
    expect(await wrongOrders(inSqlite)).toEqual([]);
  });

  test.each([
    [
      "leaves no row where it aborts what it has not prepared",
      /db\.execute\("INSERT INTO transfers \(id, state\).*\)\n/,
      "pass\n",
    ],
    ["does not look whether it had ended it", " AND state = 'prepared'", ""],
    ["does not look whether it is new", "if is_new:", "if True:"],
    ["does not look whether there is such an account", "if is_new:", "if is_new and amount < 0:"],
  ])("that %s is found out by that", async (_, right, wrong) => {
    const text = await readFile(checkout.path(FOLDER, "bank_sqlite.py"), "utf8");
    const changed = text.replace(right, wrong);
    expect(changed).not.toBe(text);
    const name = `wrong_${made}`;
    await writeFile(checkout.path(FOLDER, `${name}.py`), changed);
    expect(await wrongOrders(inSqlite, name)).not.toEqual([]);
  });

  test("and another like it lose and make no money while participants and instances are killed", async () => {
    await expectNothingLost([await inSqlite(), await inSqlite()], 11);
  });
});

describe.skipIf(!hasPostgres || !hasSqlite)(
  "a bank with books in PostgreSQL (skipped where that is not installed)",
  () => {
    let postgres: RunningPostgres;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres[Symbol.asyncDispose]());

    test("is right whatever comes twice, or in another order", async () => {
      expect(await wrongOrders(() => inPostgres(postgres))).toEqual([]);
    });

    test("and one in SQLite lose and make no money while participants and instances are killed", async () => {
      await expectNothingLost([await inSqlite(), await inPostgres(postgres)], 19);
    });
  },
);
