import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, test } from "vitest";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { Folder } from "./cli.js";
import { exclusively, together } from "./together.js";

// Many at once. `npm run runs` does the same with more of them.

const pair = new Pair();
const folder = new Folder();
let env: { QUORATE_URL: string };
beforeAll(async () => {
  env = { QUORATE_URL: [await pair.one.url(), await pair.other.url()].join(",") };
});

const RUNS = 50;

describe("of 50 processes that run a command under one name", { timeout: 180_000 }, () => {
  test("never two run it at once, and each does", async () => {
    const name = freshName();
    const args = ["run", name, "--wait", "3m", "--", ...exclusively(folder.file(name))];
    expect(await together(RUNS, RUNS, args, env)).toEqual({ codes: { 0: RUNS }, err: "" });
  });

  test("several run it at once where no lock is held: the check would notice", async () => {
    const [program = "", ...args] = exclusively(folder.file(freshName()));
    const codes = await Promise.all(
      Array.from({ length: RUNS }, async () => (await once(spawn(program, args), "exit"))[0]),
    );
    expect(codes).toContain(99);
    expect(codes).toContain(0);
  });
});
