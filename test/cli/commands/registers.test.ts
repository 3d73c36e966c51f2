import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Consensus } from "../../../src/client/consensus.js";
import { freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { startCli } from "../cli.js";
import { against, cells } from "./reading.js";

let instance: Instance;
let url: string;
let consensus: Consensus;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  url = await instance.url();
  consensus = new Consensus({ urls: [url] });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const ask = (...args: string[]) => against(url, ...(args as [string]));

describe("registers", () => {
  test("are set as JSON or as text, and got", async () => {
    const [key, text] = [`config/${freshName()}`, freshName()];
    expect(await ask("set", "register", key, '{"leader": "eu-1"}', "--ttl", "1h")).toMatchObject({
      code: 0,
      out: `${key}: version 1\n`,
    });
    expect(await ask("set", "register", text, "not {JSON", "--text")).toMatchObject({ code: 0 });
    const { code, out } = await ask("get", "registers", key, text);
    expect(code).toBe(0);
    const [head, first, second] = cells(out);
    expect(head).toEqual(["KEY", "VERSION", "ENDS IN", "VALUE"]);
    expect([first?.[0], first?.[1], first?.[3]]).toEqual([key, "1", '{"leader":"eu-1"}']);
    expect(first?.[2]).toMatch(/min/);
    expect(second).toEqual([text, "1", "never", "not {JSON"]);
    expect(JSON.parse((await ask("get", "register", text, "--json")).out)).toMatchObject({
      key: text,
      value: "not {JSON",
      version: 1,
      etag: expect.stringMatching(/^".+"$/),
    });
  });

  test("are set only as they are expected, else the command ends with 1", async () => {
    const key = freshName();
    const { etag } = JSON.parse((await ask("set", "register", key, "1", "--if-absent", "--json")).out);
    expect(await ask("set", "register", key, "2", "--if-absent")).toMatchObject({
      code: 1,
      err: expect.stringContaining("version 1"),
    });
    expect((await ask("set", "register", key, "2", "--if-match", etag)).code).toBe(0);
    expect((await ask("set", "register", key, "3", "--if-match", etag)).code).toBe(1);
    expect(await consensus.registers.get(key)).toMatchObject({ value: 2 });
  });

  test("that are not there end get with 1, after those that are", async () => {
    const key = freshName();
    await consensus.registers.set(key, 1);
    const { code, out, err } = await ask("get", "registers", "missing/a", key);
    expect([code, cells(out)[1]?.[0]]).toEqual([1, key]);
    expect(err).toContain("no register with the key missing/a");
  });

  test("are listed by prefix", async () => {
    const prefix = freshName();
    for (const end of ["a", "b"]) await consensus.registers.set(`${prefix}/${end}`, end);
    const [, ...lines] = cells((await ask("list", "registers", "--prefix", `${prefix}/`)).out);
    expect(lines.map(([key]) => key)).toEqual([`${prefix}/a`, `${prefix}/b`]);
    const json = JSON.parse(
      (await ask("list", "registers", "--prefix", prefix, "--limit", "1", "--json")).out,
    );
    expect(json).toMatchObject({
      registers: [{ key: `${prefix}/a`, value: "a" }],
      cursor: expect.any(String),
    });
  });

  test("are watched from before they are there until they are gone", async () => {
    const key = freshName();
    const watching = startCli(["watch", "registers", key, "--json"], { QUORATE_URL: url });
    const seen = () =>
      watching
        .out()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const untilSeen = (count: number) => until(() => seen().length === count, `${count} lines`);
    await untilSeen(1);
    await consensus.registers.set(key, "a");
    await untilSeen(2);
    await consensus.registers.delete(key);
    await untilSeen(3);
    watching.child.kill("SIGTERM");
    await watching.ended;
    expect(seen()).toMatchObject([
      { key, version: null },
      { key, value: "a", version: 1 },
      { key, version: null },
    ]);
  });

  test.each([
    [["set", "register", "a", "{b"], /must be JSON/],
    [["set", "register", "a", '{"n": 9007199254740993}'], /9007199254740993 cannot be represented exactly/],
    [["set", "register", "", "1"], /a key has 1 to 512 bytes/],
    [["set", "register", "a", "1", "--if-absent", "--if-match", "b"], /exclude each other/],
    [["get", "register", "é".repeat(257)], /a key has 1 to 512 bytes/],
    [["watch", "register", ""], /a key has 1 to 512 bytes/],
    [["get", "register", ".."], /must not be \. or \.\./],
    [["transactions", "get", "42"], /is no id of a transaction/],
    [["transactions", "abort", "019b7ada-7028-7c3a-9d41-5f2ac1a58b7e"], /say why/],
  ])("%j is wrong use", async (args, says) => {
    const { code, err } = await ask(...args);
    expect([code, err]).toEqual([64, expect.stringMatching(says)]);
  });
});

describe("transactions", () => {
  test("are shown with their participants, and aborted unless they are decided", async () => {
    const { transactions } = consensus;
    const { id } = await transactions.begin({ participants: ["stock", "payment"], deadlineMs: 60_000 });
    await transactions.vote(id, "stock", "yes");
    const [head, first, second] = cells((await ask("transactions", "get", id)).out);
    expect(head?.slice(0, 2)).toEqual(["ID", "STATE"]);
    expect([first?.[1], first?.[4], first?.[5]]).toEqual(["active", "stock", "yes"]);
    expect([second?.[4], second?.[5]]).toEqual(["payment", "-"]);
    const listed = cells((await ask("transactions", "list")).out);
    expect(listed[0]).toEqual(["ID", "ENDS IN", "YES", "WAITS FOR"]);
    const row = listed.find((cell) => cell[0] === id);
    expect([row?.[2], row?.[3]]).toEqual(["1 of 2", "payment"]);
    expect(await ask("transactions", "abort", id, "--reason", "no stock")).toMatchObject({
      code: 0,
      out: `${id}: aborted\n`,
    });
    const json = JSON.parse((await ask("transactions", "get", id, "--json")).out);
    expect(json).toMatchObject({ id, state: "aborted", reason: "no stock" });

    const committed = await transactions.begin({ participants: ["a"], deadlineMs: 60_000 });
    await transactions.vote(committed.id, "a", "yes");
    expect(await ask("transactions", "abort", committed.id, "--reason", "late")).toMatchObject({
      code: 1,
      err: expect.stringContaining("committed"),
    });
  });

  test("that are not decided are listed whole, whatever the pages have, or as many as were asked for", async () => {
    const { transactions } = consensus;
    const terms = { participants: ["a"], deadlineMs: 60_000 };
    const active = await Promise.all([1, 2, 3].map(() => transactions.begin(terms)));
    const decided = await transactions.begin(terms);
    await transactions.vote(decided.id, "a", "yes");
    const all = JSON.parse((await ask("transactions", "list", "--json")).out);
    const ids = all.transactions.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(expect.arrayContaining(active.map(({ id }) => id)));
    expect(ids).not.toContain(decided.id);
    expect(all.cursor).toBeNull();
    const some = JSON.parse((await ask("transactions", "list", "--limit", "2", "--json")).out);
    expect(some.transactions).toHaveLength(2);
    expect(some.cursor).not.toBeNull();
    for (const { id } of active) await transactions.abort(id, "over");
  });

  test("that are decided are not listed, which the command for lists says", async () => {
    const { code, err } = await ask("list", "transactions");
    expect([code, err]).toEqual([64, expect.stringContaining("quorate transactions list")]);
  });
});
