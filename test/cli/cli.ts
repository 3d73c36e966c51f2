import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { builtMain } from "../helpers/built.js";

/** `quorate`, as it is built. */
export const cliMain = join(dirname(await builtMain()), "cli/main.js");

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
  options: SpawnOptions = {},
): Cli {
  const child = spawn(process.execPath, [cliMain, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
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
