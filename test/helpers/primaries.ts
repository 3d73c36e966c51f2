import { createServer } from "node:net";
import { currentRun, type TestRun } from "./run.js";

/** A real Redis, which other test files may use as well: see `sharedPrimaries`. */
export interface SharedPrimary {
  readonly url: string;
  readonly port: number;
}

export interface SharedPrimaries {
  readonly all: readonly SharedPrimary[];
  readonly urls: readonly string[];
}

/** A real Redis for one test file. Doing a thing twice does no harm. */
export interface TestPrimary extends SharedPrimary {
  /** SIGKILL: what is not on disk is lost. */
  kill(): Promise<void>;
  /** Orderly, as by SIGTERM. */
  stop(): Promise<void>;
  /** Again, on the same port, with the data it had. */
  start(): Promise<void>;
  /** Again (killed first where it runs), on the same port, without its data: the primary that forgot. */
  startEmpty(): Promise<void>;
  /**
   * Again (killed first where it runs), on the same port, without the last `share` (0 to 1) of its append-only file:
   * what a machine that lost power leaves where writes were acknowledged before they were on the disk.
   */
  startCut(share: number): Promise<void>;
  /** Frozen: connections stay, and new ones are accepted, but nothing is answered. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** What redis-cli says, without the last newline. Throws where it fails. */
  cli(...args: string[]): Promise<string>;
}

export interface TestPrimaries extends AsyncDisposable {
  readonly all: readonly TestPrimary[];
  readonly urls: readonly string[];
  close(): Promise<void>;
}

/** What the two kinds, containers and processes, have beyond that. */
export interface OwnedPrimary extends TestPrimary {
  remove(): Promise<void>;
}

export interface StartOptions {
  readonly args?: readonly string[];
  /** In place of the settings that all others have. */
  readonly settings?: readonly string[];
  /** Where they come from, when it is not what the run has. */
  readonly run?: TestRun;
  /** Whether they stay, and do not keep this process alive: the run ends them. */
  readonly outlive?: boolean;
  /** What a server gets beside this process' environment, by its place; of processes only. */
  readonly env?: (place: number) => Record<string, string>;
}

/**
 * Starts `count` independent primaries at once, each with an append-only file written at every command. For tests that end,
 * freeze, empty or reconfigure them, fill their memory or count what they do; all others have `sharedPrimaries`.
 */
export async function startPrimaries(count: number, options: StartOptions = {}): Promise<TestPrimaries> {
  const run = options.run ?? (await currentRun());
  const args = [...(options.settings ?? SETTINGS), ...(options.args ?? [])];
  const attempts = await Promise.allSettled(
    Array.from({ length: count }, (_, place) =>
      startOnFreePort(run, args, { env: options.env?.(place) ?? {}, outlive: options.outlive ?? false }),
    ),
  );
  const all = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(all.map((primary) => primary.remove()));
  };
  const failed = attempts.find((attempt) => attempt.status === "rejected");
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  return { all, urls: all.map((primary) => primary.url), close, [Symbol.asyncDispose]: close };
}

const SETTINGS = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

export interface ProcessOptions {
  readonly env: Record<string, string>;
  readonly outlive: boolean;
}

// Another worker can take a port between our look at it and the server's bind, hence several attempts.
async function startOnFreePort(
  run: TestRun,
  args: readonly string[],
  options: ProcessOptions,
  attemptsLeft = 5,
): Promise<OwnedPrimary> {
  const port = await freePort();
  try {
    return run.kind === "container"
      ? await (await import("./container-primary.js")).startContainer(run, port, args)
      : await (await import("./process-primary.js")).startProcess(run, port, args, options);
  } catch (error) {
    // The second port of a server in cluster mode may be taken as well.
    const isTaken = /address already in use/i.test(String(error)) || (await inUse(port));
    if (attemptsLeft > 1 && isTaken) return startOnFreePort(run, args, options, attemptsLeft - 1);
    throw error;
  }
}

// Below the ports that Linux and macOS give to outgoing connections: none of these must take the port of a primary
// while it is down.
const portMin = 16_000;
const portMax = 31_999;

/** A port that nothing listens on now, and that no outgoing connection gets. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin + 1));
    if (!(await inUse(port))) return port;
  }
}

function inUse(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(true));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(false)));
  });
}
