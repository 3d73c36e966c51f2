import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "./checkout.js";
import { endWithUs } from "./guard.js";

/** A program in its own process that serves HTTP. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  /** Resident memory, and the processor time used since the start. */
  usage(): Promise<{ residentMb: number; cpuMs: number }>;
  /** Bytes that it has allocated on its heap, up to its last garbage collection. Needs `TRACE_ALLOCATIONS`. */
  allocatedBytes(): number;
}

/**
 * Options for Node.js: it prints a line per garbage collection, of which there is one for every 16 MB. With a smaller young
 * generation what is promoted counts several times: 1 MB showed three times as much.
 */
export const TRACE_ALLOCATIONS = ["--trace-gc-nvp", "--min-semi-space-size=16", "--max-semi-space-size=16"];

/** An instance of the service as in production: built, and in its own process. */
export type InstanceProcess = ServerProcess;

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** `node`: options for the program itself, such as `--cpu-prof`. `root`: the checkout that is run. */
export async function startInstanceProcess(
  env: Record<string, string>,
  node: readonly string[] = [],
  root = ROOT,
): Promise<InstanceProcess> {
  await build(root);
  return startServer([...node, `${root}/dist/main.js`], env);
}

/** A TypeScript file of the bench that serves HTTP, by its path from the root. */
export function startPeer(file: string, env: Record<string, string>): Promise<ServerProcess> {
  return startServer(["--import", "tsx", `${ROOT}${file}`], env);
}

/** Starts Node.js with `args`, and waits until the program has printed `listens on` and its URL. */
async function startServer(args: readonly string[], env: Record<string, string>): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = child.pid ?? 0;
  const over = endWithUs([pid]);
  const ended = once(child, "close").then(over);
  let allocated = 0;
  const url = await new Promise<string>((resolve, reject) => {
    let out = "";
    const read = (text: string) => {
      out += text;
      const found = /listens on (https?:[^\s"]+)/.exec(out)?.[1];
      if (found === undefined) return;
      resolve(found);
      child.stdout.off("data", read).on("data", (text: string) => {
        for (const [, bytes] of text.matchAll(/\ballocated=(\d+)/g)) allocated += Number(bytes);
      });
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.once("exit", () =>
      reject(new Error(`a server ended before it listened: ${args.join(" ")} ${out}`)),
    );
  });
  return {
    url,
    usage: async () => ({
      residentMb: await residentMb(pid),
      cpuMs: await cpuMs(pid),
    }),
    allocatedBytes: () => allocated,
    [Symbol.asyncDispose]: async () => {
      // With profiling it writes its file when it ends in an orderly way.
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name of the program, in parentheses, may have spaces; user and system time are fields 14 and 15 of all.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** The value that Linux has always reported to programs, whatever the kernel uses internally. */
const TICKS_PER_SECOND = 100;
