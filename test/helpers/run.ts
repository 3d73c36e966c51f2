import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where primaries come from, and how to find all of them again. `dir` has what belongs to the run and is deleted with it. */
export type TestRun = ContainerRun | ProcessRun;

export interface ContainerRun {
  readonly kind: "container";
  readonly id: string;
  readonly image: string;
  readonly dir: string;
}

export interface ProcessRun {
  readonly kind: "process";
  readonly flavour: Flavour;
  readonly dir: string;
}

type Flavour = "redis" | "valkey";

/** What all workers of one `npm test` share. */
interface Runs {
  /** Of most tests. */
  readonly primaries: TestRun;
  /** Of those that ask for containers; null with TEST_REDIS=process. */
  readonly containers: ContainerRun | null;
}

/** The label on every container of a run; its value is the run's id. */
export const runLabel = "quorate.test-run";

// Not QUORATE_...: a service that a test starts inherits it, and refuses settings that it does not know.
const variable = "TEST_REDIS_RUN";
const reapers: ChildProcess[] = [];
let opened: Promise<TestRun> | undefined;
let processes: Promise<ProcessRun | null> | undefined;

/** The run this process belongs to: the one that vitest's global setup opened, else one of its own. */
export function currentRun(): Promise<TestRun> {
  const inherited = inheritedRuns();
  if (inherited !== undefined) return Promise.resolve(inherited.primaries);
  opened ??= openOwnRun();
  return opened;
}

/** For tests whose primaries are containers. Null where TEST_REDIS=process says that there are none. */
export async function containerRun(): Promise<ContainerRun | null> {
  const inherited = inheritedRuns();
  if (inherited !== undefined) return inherited.containers;
  const run = await currentRun();
  return run.kind === "container" ? run : null;
}

/**
 * The run of this process where its primaries are processes, else one beside it, for what cannot be done to containers.
 * Null where no server is installed.
 */
export function processRun(): Promise<ProcessRun | null> {
  processes ??= openProcessRun();
  return processes;
}

function inheritedRuns(): Runs | undefined {
  const text = process.env[variable];
  return text === undefined ? undefined : (JSON.parse(text) as Runs);
}

async function openProcessRun(): Promise<ProcessRun | null> {
  const run = inheritedRuns()?.primaries;
  if (run?.kind === "process") return run;
  const own = await newProcessRun();
  if (own !== null) startReaper(own);
  return own;
}

/** Decides where the primaries of all workers come from, and starts the reapers. Fails at once where nothing can run them. */
export async function openRun(): Promise<void> {
  const wanted = process.env.TEST_REDIS || "both";
  if (!["process", "container", "both"].includes(wanted)) {
    throw new Error(`TEST_REDIS is process or container, not ${wanted}; without it, tests use both.`);
  }
  const servers = wanted === "container" ? null : await newProcessRun();
  if (wanted === "process" && servers === null) throw new Error(NO_SERVER);
  const containers = wanted === "process" ? null : await newContainerRun();
  const primaries = (servers ?? containers) as TestRun;
  for (const run of new Set([primaries, containers])) if (run !== null) startReaper(run);
  process.env[variable] = JSON.stringify({ primaries, containers } satisfies Runs);
}

/** Of a script, which is not told by TEST_REDIS more than process or not. */
async function openOwnRun(): Promise<TestRun> {
  const servers = process.env.TEST_REDIS === "process" ? await newProcessRun() : null;
  if (process.env.TEST_REDIS === "process" && servers === null) throw new Error(NO_SERVER);
  const run = servers ?? (await newContainerRun());
  startReaper(run);
  return run;
}

function startReaper(run: TestRun): void {
  const script = fileURLToPath(new URL("reaper.mjs", import.meta.url));
  const label = run.kind === "container" ? [`${runLabel}=${run.id}`] : [];
  // In a session of its own: a Ctrl-C must end the tests, and not what cleans up after them.
  const started = spawn(process.execPath, [script, run.dir, ...label], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  // Nor may it keep alive a program that forgets to close its run.
  started.unref();
  reapers.push(started);
}

/** Removes whatever the runs left behind. The reapers do that as well when this is never called. */
export async function closeRun(): Promise<void> {
  await Promise.all(
    reapers.splice(0).map(async (reaper) => {
      if (reaper.exitCode !== null) return;
      const gone = once(reaper, "exit");
      reaper.ref();
      reaper.stdin?.end();
      await gone;
    }),
  );
}

const NO_SERVER = "TEST_REDIS=process needs a redis-server or valkey-server on the PATH, and there is none.";

async function newProcessRun(): Promise<ProcessRun | null> {
  const flavour = await installedFlavour();
  if (flavour === undefined) return null;
  return { kind: "process", flavour, dir: await newDir() };
}

function newDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "quorate-test-"));
}

async function newContainerRun(): Promise<ContainerRun> {
  // Loaded only where it is used: it takes a third of a second.
  const { getContainerRuntimeClient } = await import("testcontainers");
  const client = await getContainerRuntimeClient().catch(() => undefined);
  if (client === undefined) {
    throw new Error(
      "No Docker engine answers, so there are no Redis containers to test against. Either\n" +
        "  npm run setup                  installs and starts one (Debian, Ubuntu; as root), or\n" +
        "  TEST_REDIS=process npm test    uses only the redis-server or valkey-server of this machine.",
    );
  }
  const { redisImage } = await import("./image.js");
  const image = await redisImage(client.container.dockerode);
  return { kind: "container", id: randomBytes(6).toString("hex"), image, dir: await newDir() };
}

async function installedFlavour(): Promise<Flavour | undefined> {
  for (const flavour of ["redis", "valkey"] as const) {
    const found = await promisify(execFile)(`${flavour}-server`, ["--version"]).catch(() => undefined);
    if (found !== undefined) return flavour;
  }
  return undefined;
}
