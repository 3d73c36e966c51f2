import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { latestAppendOnly } from "./append-only.js";
import type { OwnedPrimary, ProcessOptions } from "./primaries.js";
import { untilReady } from "./ready.js";
import type { ProcessRun } from "./run.js";

const host = "127.0.0.1";

/** A primary that is a redis-server or valkey-server process of this machine, in a folder of the run. */
export async function startProcess(
  run: ProcessRun,
  port: number,
  args: readonly string[],
  { env, outlive }: ProcessOptions,
): Promise<OwnedPrimary> {
  const dir = await mkdtemp(join(run.dir, `${port}-`));
  const dataDir = join(dir, "data");
  const logFile = join(dir, "redis.log");
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    if (server !== undefined) return;
    await mkdir(dataDir, { recursive: true });
    const own = [
      "--port",
      String(port),
      "--bind",
      host,
      "--dir",
      dataDir,
      "--pidfile",
      join(dir, "redis.pid"),
    ];
    const log = await open(logFile, "a");
    const started = spawn(`${run.flavour}-server`, [...own, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    if (outlive) started.unref();
    server = started;
    started.once("exit", () => {
      if (server === started) server = undefined;
    });
    await untilReady(host, port, () =>
      server === started ? undefined : new Error("redis-server ended"),
    ).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await readFile(logFile, "utf8")}`);
    });
  };
  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    if (server === undefined) return;
    const gone = once(server, "exit");
    server.kill(signal);
    // One that is paused would hear SIGTERM only when it is resumed.
    server.kill("SIGCONT");
    await gone;
  };
  const primary: OwnedPrimary = {
    url: `redis://${host}:${port}`,
    port,
    start,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    startEmpty: async () => {
      await end("SIGKILL");
      await rm(dataDir, REMOVED);
      await start();
    },
    startCut: async (share) => {
      await end("SIGKILL");
      const file = join(dataDir, latestAppendOnly(await readdir(dataDir, { recursive: true })));
      await truncate(file, Math.floor((await stat(file)).size * (1 - share)));
      await start();
    },
    pause: async () => {
      server?.kill("SIGSTOP");
    },
    resume: async () => {
      server?.kill("SIGCONT");
    },
    cli: async (...command) => {
      const { stdout } = await promisify(execFile)(`${run.flavour}-cli`, [
        "-e",
        "-p",
        String(port),
        ...command,
      ]);
      return stdout.replace(/\n$/, "");
    },
    remove: async () => {
      await end("SIGKILL");
      await rm(dir, REMOVED);
    },
  };
  await start();
  return primary;
}

/** A child that the server forked for a replica may still write for a moment after the server was killed. */
const REMOVED = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };
