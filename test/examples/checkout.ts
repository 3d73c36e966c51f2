import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { builtMain } from "../helpers/built.js";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Of tests here, ms: a Java that starts beside all other tests may take half a minute. */
export const PATIENCE_MS = 60_000;

/** Whether the machine has it. */
export const has = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args.length > 0 ? args : ["--version"]).status === 0;

/** Python with its standard library; Debian also has it without. */
export const hasPython = has("python3", "-c", "import json, sqlite3, urllib.request");

/** A program of examples/, running. */
export interface Running {
  readonly pid: number;
  /** What it wrote so far, line by line. */
  readonly lines: () => readonly string[];
  readonly err: () => string;
  /** When its last line came, by performance.now(). */
  readonly lastLineMs: () => number;
  /** Its exit code, or the signal that ended it; after all of its output. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * What a user has who cloned and built this: examples/ beside dist/. For a whole test file; all that it starts ends with it.
 */
export class Checkout {
  dir!: string;
  readonly #children = new Set<ChildProcess>();

  constructor() {
    beforeAll(async () => {
      this.dir = await mkdtemp(join(tmpdir(), "quorate-examples-"));
      for (const path of ["examples", "package.json"])
        await cp(join(root, path), this.path(path), { recursive: true });
      await symlink(dirname(await builtMain()), this.path("dist"));
      await symlink(join(root, "node_modules"), this.path("node_modules"));
    });
    afterAll(async () => {
      for (const child of this.#children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, "exit");
        child.kill("SIGCONT");
        child.kill("SIGKILL");
        await ended;
      }
      await rm(this.dir, { recursive: true, force: true });
    });
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  /** Starts a command in a folder of the checkout, with nothing of this process' environment but what finds programs. */
  start(
    folder: string,
    command: readonly string[],
    env: Record<string, string> = {},
    /** What its output goes to; `lines` has it otherwise. */
    stdout: number | "pipe" = "pipe",
  ): Running {
    const [file = "", ...args] = command;
    const { PATH = "", HOME = "/" } = process.env;
    const child = spawn(file, args, {
      cwd: this.path(folder),
      env: { PATH, HOME, ...env },
      stdio: ["ignore", stdout, "pipe"],
    });
    this.#children.add(child);
    let [out, err, lastLineMs] = ["", "", 0];
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      lastLineMs = performance.now();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    return {
      pid: child.pid ?? 0,
      lines: () => out.split("\n").slice(0, -1),
      err: () => err,
      lastLineMs: () => lastLineMs,
      ended: once(child, "close").then(([code, signal]) => code ?? signal),
      kill: (signal) => void child.kill(signal),
    };
  }

  /** Runs a command to its end. */
  async run(folder: string, command: readonly string[], env: Record<string, string> = {}) {
    const running = this.start(folder, command, env);
    const code = await running.ended;
    return { code, lines: running.lines(), err: running.err() };
  }
}
