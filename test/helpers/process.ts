import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { builtMain } from "./built.js";

/** The service as a real process, by its own main.ts. */
export interface ServiceProcess extends AsyncDisposable {
  /** Where it listens; rejects with its output when it ends before. */
  readonly listening: Promise<string>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** What it wrote so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
}

const built = await builtMain();

export interface ProcessOptions {
  /** What takes its output; whoever reads that finds out where it listens. */
  readonly stdout?: { readonly writeEnd: number };
  /** Another than that of the sources as they are. */
  readonly main?: string;
}

/** Starts it on a free port, with nothing of this process' environment but the PATH. */
export function startProcess(
  env: Record<string, string>,
  { stdout, main = built }: ProcessOptions = {},
): ServiceProcess {
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, PORT: "0", ...env },
    stdio: ["ignore", stdout?.writeEnd ?? "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const listening = new Promise<string>((resolve, reject) => {
    let url: string | undefined;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      // Once is enough: after minutes of faults the output is long.
      url ??= /listens on (http:\S+)/.exec(out)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => reject(new Error(`ended before it listened: ${out}${err}`)));
  });
  listening.catch(() => {}); // a test that expects this looks at `ended`
  // "close" comes after the last of its output, "exit" may come before.
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  return {
    listening,
    ended,
    out: () => out,
    err: () => err,
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
