import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { endWithUs } from "../../bench/machine/guard.js";
import { builtMain } from "../helpers/built.js";

/** An instance of the service in a process of its own. */
export interface Crowded extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** How often it took a primary for gone, as its log has it. */
  readonly downs: () => number;
  /** By SIGTERM, to its end. */
  stop(): Promise<void>;
}

export async function startCrowded(
  primaries: readonly string[],
  env: Record<string, string> = {},
): Promise<Crowded> {
  const child = spawn(process.execPath, [await builtMain()], {
    env: { PATH: process.env.PATH, PORT: "0", REDIS_URLS: primaries.join(","), ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close").then(endWithUs([child.pid ?? 0]));
  let downs = 0;
  let rest = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.includes('"primary does not participate"')) downs += 1;
        const found = /listens on (http:[^\s"]+)/.exec(line)?.[1];
        if (found !== undefined) {
          resolve(found);
          // Those before were no more than the start.
          downs = 0;
        }
      }
    });
    child.once("exit", () => reject(new Error(`the service ended before it listened: ${rest}`)));
  });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  return {
    url,
    pid: child.pid ?? 0,
    downs: () => downs,
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: () => end("SIGKILL"),
  };
}

/** Resident memory of a process, MB; 0 where it has ended. */
export function residentMb(pid: number): number {
  return statusMb(pid, "VmRSS");
}

/** The most that it ever was. */
export function peakMb(pid: number): number {
  return statusMb(pid, "VmHWM");
}

/** Processor time that a process has used, ms. */
export function cpuMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in parentheses, may have spaces; user and system time are fields 14 and 15 of all.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function statusMb(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  } catch {
    return 0;
  }
}

/** What Linux has told programs since ever, whatever the kernel does inside. */
const TICKS_PER_SECOND = 100;
