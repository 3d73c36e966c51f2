import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Checkout, has, hasPython, PATIENCE_MS, root } from "./checkout.js";
import { hasPostgres, type RunningPostgres, startPostgres } from "./postgres.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const checkout = new Checkout();
const FOLDER = "examples/fencing";

/** As large as the tokens of a real name are. */
const TOKEN = 1_795_238_812_574_002;

interface Database {
  /** Ships an order under a token. */
  ship(order: number, token: number): Promise<{ readonly code: unknown; readonly err: string }>;
  query(sql: string): Promise<string>;
}

function refusals(database: () => Database): void {
  const row = () => database().query("SELECT status, fencing_token FROM orders WHERE id = 42");

  test("a holder writes, and may write again", async () => {
    await database().query("INSERT INTO orders (id, status) VALUES (42, 'paid'), (43, 'paid')");
    expect(await row()).toBe("paid|0");
    for (let i = 0; i < 2; i++) expect(await database().ship(42, TOKEN)).toMatchObject({ code: 0, err: "" });
    expect(await row()).toBe(`shipped|${TOKEN}`);
  });

  test("a newer holder writes, and an older one is refused from then on, and told so", async () => {
    expect(await database().ship(42, TOKEN + 2)).toMatchObject({ code: 0 });
    await database().query("UPDATE orders SET status = 'returned' WHERE id = 42");
    const refused = await database().ship(42, TOKEN);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("order 42 was not changed") });
    expect(await row()).toBe(`returned|${TOKEN + 2}`);
    expect(await database().ship(43, TOKEN)).toMatchObject({ code: 0 });
    expect(await database().ship(44, TOKEN)).toMatchObject({ code: 1 });
  });

  test("a row that does not exist is inserted, and fenced from then on", async () => {
    const [, sql = ""] =
      /```sql\n(INSERT INTO [^`]*)```/.exec(await readFile(join(root, "docs/cookbook.md"), "utf8")) ?? [];
    const stored = async (token: number) => {
      await database().query(sql.replace(":id", "50").replace(":token", String(token)));
      return database().query("SELECT status, fencing_token FROM orders WHERE id = 50");
    };
    expect(await stored(TOKEN)).toBe(`shipped|${TOKEN}`);
    expect(await stored(TOKEN + 2)).toBe(`shipped|${TOKEN + 2}`);
    expect(await stored(TOKEN)).toBe(`shipped|${TOKEN + 2}`);
  });

  test("no row goes without a token, which would refuse every one", async () => {
    await expect(database().query("UPDATE orders SET fencing_token = NULL")).rejects.toThrow(/not.null/i);
  });
}

describe.skipIf(!hasPython || !has("sqlite3"))("a row of SQLite (skipped without python3 or sqlite3)", () => {
  const query = async (sql: string) => {
    const { code, lines, err } = await checkout.run(FOLDER, ["sqlite3", "orders.db", sql]);
    if (code !== 0) throw new Error(err);
    return lines.join("\n");
  };
  beforeAll(() => query(".read sqlite.sql"));

  refusals(() => ({
    query,
    ship: (order, token) =>
      checkout.run(FOLDER, ["python3", "ship_sqlite.py", "orders.db", String(order)], {
        QUORATE_FENCING_TOKEN: String(token),
      }),
  }));

  test("what a refused holder wrote in the same transaction is not there", async () => {
    expect(await query("SELECT order_id, count(*) FROM shipments GROUP BY order_id")).toBe("42|3\n43|1");
  });
});

describe.skipIf(!hasPostgres)("a row of PostgreSQL (skipped where that is not installed)", () => {
  let postgres: RunningPostgres;
  let env: Record<string, string>;

  beforeAll(async () => {
    postgres = await startPostgres();
    ({ env } = postgres);
    expect(await checkout.run(FOLDER, ["psql", "-qf", "postgresql.sql"], env)).toMatchObject({ err: "" });
  });

  afterAll(() => postgres[Symbol.asyncDispose]());

  refusals(() => ({
    query: async (sql) => {
      const { code, lines, err } = await checkout.run(FOLDER, ["psql", "-XqAtc", sql], env);
      if (code !== 0) throw new Error(err);
      return lines.join("\n");
    },
    ship: (order, token) =>
      checkout.run(FOLDER, ["./ship-postgresql.sh", String(order)], {
        ...env,
        QUORATE_FENCING_TOKEN: String(token),
      }),
  }));
});
