import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import { builtMain } from "../helpers/built.js";
import type { OwnPair, Pair } from "../helpers/pair.js";
import { until } from "../helpers/service.js";

/** `quorate`, as it is built. */
export const cliMain = join(dirname(await builtMain()), "cli/main.js");

/** What asks both instances of a pair: a client, and the environment of a command. */
export async function clientsOf({ one, other }: Pair | OwnPair) {
  const urls = [await one.url(), await other.url()];
  return { quorate: new Quorate({ urls }), env: { QUORATE_URL: urls.join(",") } };
}

/** `quorate`, running. */
export interface Cli {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Its exit code, or the signal that ended it; after all of its output. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** What it wrote so far. */
  readonly out: () => string;
  readonly err: () => string;
}

/** Starts `quorate ...args` with nothing of this process' environment but the PATH. */
export function startCli(
  args: readonly string[],
  env: Record<string, string> = {},
  options: SpawnOptions & { readonly main?: string } = {},
): Cli {
  const { main = cliMain, ...more } = options;
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...more,
    env: { PATH: process.env.PATH, ...env },
  });
  const told = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      told[stream] += text;
    });
  return {
    child,
    pid: child.pid ?? 0,
    ended: once(child, "close").then(([code, signal]) => code ?? signal),
    out: () => told.stdout,
    err: () => told.stderr,
  };
}

/** Runs `quorate ...args` to its end. */
export async function cli(args: readonly string[], env: Record<string, string> = {}) {
  const started = startCli(args, env);
  const code = await started.ended;
  return { code, out: started.out(), err: started.err() };
}

/** A folder for what commands write, for a whole test file. */
export class Folder {
  path!: string;

  constructor() {
    beforeAll(async () => {
      this.path = await mkdtemp(join(tmpdir(), "quorate-cli-"));
    });
    afterAll(() => rm(this.path, { recursive: true, force: true }));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Waits until a command has written a whole line, and returns the file. */
  async written(name: string, patienceMs = 20_000): Promise<string> {
    const text = () => (existsSync(this.file(name)) ? readFileSync(this.file(name), "utf8") : "");
    await until(() => text().endsWith("\n"), `${name} is written`, patienceMs);
    return text().trim();
  }

  /** The same, of the numbers of processes. */
  async pids(name: string): Promise<number[]> {
    return (await this.written(name)).split(/\s+/).map(Number);
  }
}

/** Whether a process runs: one that is dead, and that nobody has noticed, does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isDead(pid);
}

function isDead(pid: number): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/\(.*\)/s, ""));
  } catch {
    return process.platform === "linux";
  }
}

/** Ends what a test may have left behind. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      if (pid > 1) process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
