import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What all workers of one `npm test` share: where its primaries come from, and how to find all of them again. */
export type TestRun =
  | { readonly kind: "container"; readonly id: string; readonly image: string }
  | { readonly kind: "process"; readonly flavour: Flavour; readonly dir: string };

type Flavour = "redis" | "valkey";

/** The label on every container of a run; its value is the run's id. */
export const runLabel = "quorate.test-run";

// Not QUORATE_...: a service that a test starts inherits it, and refuses settings that it does not know.
const variable = "TEST_REDIS_RUN";
let reaper: ChildProcess | undefined;
let opened: Promise<TestRun> | undefined;
let processes: Promise<TestRun | null> | undefined;

/** The run this process belongs to: the one that vitest's global setup opened, else one of its own. */
export function currentRun(): Promise<TestRun> {
  const inherited = process.env[variable];
  if (inherited !== undefined) return Promise.resolve(JSON.parse(inherited) as TestRun);
  opened ??= openRun();
  return opened;
}

/**
 * This run where its primaries are processes, else one beside it, for what cannot be done to containers. Null where no
 * server is installed.
 */
export function processRun(): Promise<TestRun | null> {
  processes ??= openProcessRun();
  return processes;
}

async function openProcessRun(): Promise<TestRun | null> {
  const inherited = process.env[variable];
  const run = inherited === undefined ? undefined : (JSON.parse(inherited) as TestRun);
  if (run?.kind === "process") return run;
  const flavour = await installedFlavour();
  if (flavour === undefined) return null;
  const own: TestRun = { kind: "process", flavour, dir: await mkdtemp(join(tmpdir(), "quorate-test-")) };
  startReaper(own);
  return own;
}

/** Decides where primaries come from and starts the reaper. Fails at once where nothing can run them. */
export async function openRun(): Promise<TestRun> {
  const run = await newRun();
  reaper = startReaper(run);
  process.env[variable] = JSON.stringify(run);
  return run;
}

function startReaper(run: TestRun): ChildProcess {
  const script = fileURLToPath(new URL("reaper.mjs", import.meta.url));
  const where = run.kind === "container" ? `${runLabel}=${run.id}` : run.dir;
  // In a session of its own: a Ctrl-C must end the tests, and not what cleans up after them.
  const started = spawn(process.execPath, [script, run.kind, where], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  // Nor may it keep alive a program that forgets to close its run.
  started.unref();
  return started;
}

/** Removes whatever the run left behind. The reaper does that as well when this is never called. */
export async function closeRun(): Promise<void> {
  if (reaper?.exitCode !== null) return;
  const gone = once(reaper, "exit");
  reaper.ref();
  reaper.stdin?.end();
  await gone;
}

async function newRun(): Promise<TestRun> {
  if (process.env.TEST_REDIS === "process") {
    const flavour = await installedFlavour();
    if (flavour === undefined) {
      throw new Error(
        "TEST_REDIS=process needs a redis-server or valkey-server on the PATH, and there is none.",
      );
    }
    return { kind: "process", flavour, dir: await mkdtemp(join(tmpdir(), "quorate-test-")) };
  }
  // Loaded only where it is used: it takes a third of a second.
  const { getContainerRuntimeClient } = await import("testcontainers");
  const client = await getContainerRuntimeClient().catch(() => undefined);
  if (client === undefined) {
    throw new Error(
      "No Docker engine answers, so there are no Redis containers to test against. Either\n" +
        "  npm run setup                  installs and starts one (Debian, Ubuntu; as root), or\n" +
        "  TEST_REDIS=process npm test    uses the redis-server or valkey-server of this machine.",
    );
  }
  const { redisImage } = await import("./image.js");
  const image = await redisImage(client.container.dockerode);
  return { kind: "container", id: randomBytes(6).toString("hex"), image };
}

async function installedFlavour(): Promise<Flavour | undefined> {
  for (const flavour of ["redis", "valkey"] as const) {
    const found = await promisify(execFile)(`${flavour}-server`, ["--version"]).catch(() => undefined);
    if (found !== undefined) return flavour;
  }
  return undefined;
}
