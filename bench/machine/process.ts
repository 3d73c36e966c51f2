import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { endWithUs } from "./guard.js";

/** An instance of the service as in production: built, and in its own process. */
export interface InstanceProcess extends AsyncDisposable {
  readonly url: string;
  /** Resident memory, and the processor time used since the start. */
  usage(): Promise<{ residentMb: number; cpuMs: number }>;
}

let built: Promise<unknown> | undefined;

/** `node`: options for the program itself, such as `--cpu-prof`. */
export async function startInstanceProcess(
  env: Record<string, string>,
  node: readonly string[] = [],
): Promise<InstanceProcess> {
  built ??= promisify(execFile)("npm", ["run", "--silent", "build"], { cwd: ROOT });
  await built;
  const child = spawn(process.execPath, [...node, `${ROOT}dist/main.js`], {
    env: { PATH: process.env.PATH, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = child.pid ?? 0;
  const over = endWithUs([pid]);
  const ended = once(child, "close").then(over);
  const url = await new Promise<string>((resolve, reject) => {
    let out = "";
    const read = (text: string) => {
      out += text;
      const found = /listens on (http:\S+)/.exec(out)?.[1];
      if (found === undefined) return;
      resolve(found);
      child.stdout.off("data", read).resume();
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.once("exit", () => reject(new Error(`the service ended before it listened: ${out}`)));
  });
  return {
    url,
    usage: async () => ({
      residentMb: await residentMb(pid),
      cpuMs: await cpuMs(pid),
    }),
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
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
