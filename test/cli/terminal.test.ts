import { execFileSync, spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import type { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freshName, until } from "../helpers/service.js";
import { clientsOf, cliMain, Folder, startCli } from "./cli.js";
import { hasTerminals, startOnTerminal } from "./terminal.js";

const pair = new Pair();
const folder = new Folder();
let quorate: Quorate;
let env: { QUORATE_URL: string };
beforeAll(async () => {
  ({ quorate, env } = await clientsOf(pair));
});

const onTerminal = (...args: string[]) => startOnTerminal([process.execPath, cliMain, ...args], env);
const hasBash = spawnSync("bash", ["--version"]).status === 0;

/** A text at the beginning of the line, which was cleared before. */
const again = (text: string) => new RegExp(`\r\x1b\\[K${text}`);

describe.skipIf(!hasTerminals)("on a terminal (needs python3)", { timeout: 60_000 }, () => {
  test("one line shows what is waited for, and is gone when the command runs", async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 60_000, owner: "web-2" });
    const run = onTerminal("run", name, "--wait", "5m", "--", "echo", "my turn");
    await run.shows(/waiting for name-\d+: position 1 of 1, held by web-2 for \d+ m?s/);
    const behind = onTerminal("run", name, "--wait", "5m", "--", "echo", "my turn");
    await behind.shows(/position 2 of 2/);
    // The line is drawn anew, not a further one.
    await run.shows(again("waiting for"));
    await lease.release();
    await run.shows(again("my turn\r\n"));
    expect(await Promise.all([run.ended, behind.ended])).toEqual([0, 0]);
    expect(run.screen().split("\n")).toHaveLength(2);
  });

  test("it says for what it waits also where no instance answers", async () => {
    const run = startOnTerminal([process.execPath, cliMain, "run", "a", "--wait", "5m", "--", "true"], {
      QUORATE_URL: "http://127.0.0.1:9",
    });
    await run.shows(/waiting for a: no instance answers/);
    run.type("\x03");
    expect(await run.ended).toBe(130);
  });

  test("nothing is shown in a pipe, nor with --json", async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    const piped = startCli(["run", name, "--wait", "5m", "--", "echo", "my turn"], env);
    const json = onTerminal("run", name, "--wait", "5m", "--json", "--", "echo", "my turn");
    await pair.untilWaiting(name, 2);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await lease.release();
    expect(await Promise.all([piped.ended, json.ended])).toEqual([0, 0]);
    expect([piped.out(), piped.err()]).toEqual(["my turn\n", ""]);
    expect(json.screen()).not.toContain("waiting");
  });

  test("the command reads what is typed, and sees a terminal", async () => {
    const run = onTerminal(
      "run",
      freshName(),
      "--",
      "sh",
      "-c",
      'test -t 0 && test -t 1 && echo ready; read line; echo "got $line"',
    );
    await run.shows(/ready/);
    run.type("words\r");
    await run.shows(/got words/);
    expect(await run.ended).toBe(0);
  });

  test("Ctrl-C reaches the command once, and quorate ends as it does", async () => {
    const script =
      "trap 'echo caught; n=$((n + 1))' INT; echo ready; while [ x$n != x2 ]; do sleep 0.1; done; exit 5";
    const run = onTerminal("run", freshName(), "--", "sh", "-c", script);
    await run.shows(/ready/);
    run.type("\x03");
    await run.shows(/caught/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(run.screen().match(/caught/g)).toHaveLength(1);
    run.type("\x03");
    expect(await run.ended).toBe(5);
  });

  test("Ctrl-C ends an ordinary command, with 130", async () => {
    const run = onTerminal("run", freshName(), "--", "sh", "-c", "echo ready; sleep 60");
    await run.shows(/ready/);
    // A shell takes the signal for nothing that comes just before it has started another program.
    await new Promise((resolve) => setTimeout(resolve, 500));
    run.type("\x03");
    expect(await run.ended).toBe(130);
  });

  test.skipIf(!hasBash)("Ctrl-Z stops the command as well, and fg continues it", async () => {
    const name = freshName();
    const file = folder.file(name);
    const shell = startOnTerminal(["bash", "--norc", "--noprofile", "-i"], env);
    await shell.shows(/[$#] /);
    // One process that starts no other: a shell that is stopped just when it starts one waits for that, and counts as busy.
    const program = `
      require("node:fs").writeFileSync("${file}", process.pid + "\\n");
      console.log("started");
      setTimeout(() => console.log("done"), 2_000);`.replaceAll(/\s+/g, " ");
    shell.type(`${process.execPath} ${cliMain} run ${name} -- ${process.execPath} -e '${program}'\r`);
    await shell.shows(/\rstarted/);
    const [pid = 0] = await folder.pids(name);
    const state = () => execFileSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).trim();
    shell.type("\x1a");
    await shell.shows(/Stopped/);
    await until(() => state().startsWith("T"), "the command is stopped");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(shell.screen()).not.toMatch(/\ndone/);
    shell.type("fg\r");
    await shell.shows(/\ndone/);
    shell.type("exit 3\r");
    expect(await shell.ended).toBe(3);
  });
});
