import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { cliMain } from "../cli.js";
import { against, cells } from "./reading.js";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  url = await instance.url();
  await Promise.all(Array.from({ length: MANY }, (_, i) => acquire(`many-${String(i).padStart(4, "0")}`)));
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

/** More than a page has. */
const MANY = 620;

const ask = (...args: string[]) => against(url, "list", ...args);
async function acquire(name: string, more: object = {}): Promise<void> {
  const { status } = await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 600_000, ...more });
  expect(status).toBe(200);
}
const register = (service: string, id: string) =>
  instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000" });

describe("locks", () => {
  test("are listed to the end, over all pages", async () => {
    const { code, out, err } = await ask("locks", "--prefix", "many-");
    expect([code, err]).toEqual([0, ""]);
    const [head, ...lines] = cells(out);
    expect(head).toEqual(["NAME", "MODE", "OWNER", "HELD FOR", "EXPIRES IN"]);
    expect(lines).toHaveLength(MANY);
    expect(new Set(lines.map(([name]) => name)).size).toBe(MANY);
  });

  test("are one JSON text, shaped as a page of the API, whose cursor is null at the end", async () => {
    const { locks, cursor } = JSON.parse((await ask("locks", "--prefix", "many-", "--json")).out);
    expect([locks.length, cursor]).toEqual([MANY, null]);
    expect(Object.keys(locks[0])).toEqual(["name", "mode", "holders"]);
  });

  test("end at the limit, and the cursor tells that there are more", async () => {
    const listed = await ask("locks", "--prefix", "many-", "--limit", "510", "--json");
    const { locks, cursor } = JSON.parse(listed.out);
    expect(locks).toHaveLength(510);
    expect(cursor).toBe(locks.at(-1).name);
  });

  test("of which there are none are a head without lines", async () => {
    const { code, out } = await ask("locks", "--prefix", "nothing-");
    expect([code, cells(out).length]).toEqual([0, 1]);
  });

  test("end quietly when their reader has gone", async () => {
    // More than a pipe holds.
    const script = `"$0" "$1" list locks --json | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const shell = spawn("bash", ["--norc", "-c", script, process.execPath, cliMain], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, QUORATE_URL: url },
    });
    const told = { out: "", err: "" };
    shell.stdout.setEncoding("utf8").on("data", (text: string) => (told.out += text));
    shell.stderr.setEncoding("utf8").on("data", (text: string) => (told.err += text));
    await once(shell, "close");
    expect(told.err).toBe("");
    expect(told.out).toBe('{\n  "locks": [\n0\n');
  });
});

test("the holders of a lock that is shared are all listed", async () => {
  const name = freshName("shared");
  const owners = Array.from({ length: 120 }, (_, i) => `worker-${i}`);
  await Promise.all(owners.map((owner) => acquire(name, { mode: "shared", owner })));
  const [, ...lines] = cells((await ask("holders", name)).out);
  expect(lines.map(([owner]) => owner).sort()).toEqual(owners.sort());
});

test("services are listed with the number of their members, and these by service", async () => {
  const service = freshName("search");
  for (const id of ["search-1", "search-2"]) await register(service, id);
  expect(cells((await ask("services")).out)).toContainEqual([service, "2"]);
  const [head, ...lines] = cells((await ask("members", service)).out);
  expect(head?.[0]).toBe("ID");
  expect(lines.map(([id]) => id)).toEqual(["search-1", "search-2"]);
  const { members, ringId, cursor } = JSON.parse((await ask("members", service, "--json")).out);
  expect([members.length, typeof ringId, cursor]).toEqual([2, "string", null]);
});

describe("wrong use is one line, and ends with 64:", () => {
  test.each([
    { args: ["semaphores"], says: "quorate get semaphores NAME" },
    { args: ["elections", "billing"], says: "quorate get elections NAME" },
    { args: ["owners", "search"], says: "quorate get owners SERVICE KEY" },
    { args: ["members"], says: "missing required argument 'service'" },
    { args: ["locks", "orders-42"], says: "too many arguments" },
    { args: ["locks", "--limit", "0"], says: "a whole number from 1 on" },
    { args: ["locks", "--prefix", "-x-"], says: "prefix" },
  ])("$args", async ({ args, says }) => {
    const { code, out, err } = await ask(...args);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain(says);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  });
});
