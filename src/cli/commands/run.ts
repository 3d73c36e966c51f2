import { Option } from "commander";
import { QuorateError, type QuorateErrorOf } from "../../client/errors.js";
import type { Lease } from "../../client/lease.js";
import { inWords } from "../duration.js";
import { EXIT } from "../exit-codes.js";
import { CliFailure, wrongUse } from "../failure.js";
import { type CommonOptions, type Define, deploymentOf, type Invocation } from "../invocation.js";
import { durationOption, json, nameOption, whole } from "../options.js";
import { printable } from "../printable.js";
import { showProgress } from "../progress.js";
import { releaseNotBefore } from "../running/at-least.js";
import type { Ending } from "../running/command.js";
import { exitCodeOf, lostText, say, sayJson } from "../running/ends.js";
import { Holder } from "../running/lease.js";
import { checkPlatform } from "../running/platform.js";
import { exitCodeOfSignal, Signals } from "../running/signals.js";

interface Options extends CommonOptions {
  readonly ttl: number;
  readonly wait: number;
  readonly shared?: true;
  readonly limit?: number;
  readonly permits?: number;
  readonly atLeast: number;
  readonly ifHeld: "fail" | "skip";
  readonly owner: string;
  readonly metadata?: unknown;
}

export const define: Define = (command, invocation) => {
  command
    .usage("[options] NAME -- COMMAND [ARGUMENT...]")
    .description(
      "Runs a command only while a lock is held (with --limit: permits of a semaphore). When the lease is in doubt, the command is told to end by SIGTERM; it is killed, with all that it has started, before the lease can be another's.",
    )
    .argument("<name>", "the name of the lock or semaphore")
    .addOption(durationOption("--wait <duration>", "how long to wait for it, first come, first served", "0s"))
    .addOption(
      durationOption("--ttl <duration>", "how long the name stays held when this machine fails", "30s"),
    )
    .addOption(
      new Option("--if-held <what>", "fail: exit with 75 when it is held; skip: with 0, without a word")
        .choices(["fail", "skip"])
        .default("fail"),
    )
    .addOption(
      durationOption(
        "--at-least <duration>",
        "hold it for that long, also when the command ends earlier",
        "0s",
      ),
    )
    .option("--shared", "hold the lock together with others that share it")
    .option("--limit <number>", "of the semaphore: how many permits there are", whole(1))
    .option("--permits <number>", "how many of them to hold (default: 1)", whole(1))
    .addOption(nameOption("--owner <text>", "what others see as the holder"))
    .option("--metadata <json>", "what else others see", json)
    .addHelpText("after", HELP)
    .action(async (name: string) => {
      process.exit(await run(name, command.optsWithGlobals<Options>(), invocation));
    });
};

async function run(name: string, options: Options, { env, command = [] }: Invocation): Promise<number> {
  check(options);
  const deployment = deploymentOf(options, env);
  const signals = new Signals();
  const holder = new Holder(deployment);
  const waited = new AbortController();
  const path = `/${options.limit ? "semaphores" : "locks"}/${encodeURIComponent(name)}`;
  const showing = options.json
    ? undefined
    : showProgress(deployment, { name, path, owner: options.owner, waitMs: options.wait }, waited.signal);
  let lease: Lease;
  try {
    lease = await acquire(name, options, holder, signals.stop);
  } catch (error) {
    waited.abort();
    await holder.settled();
    if (signals.received) return exitCodeOfSignal(signals.received);
    if (!(error instanceof QuorateError)) throw error;
    if (error.code === "deadline") throw new CliFailure(EXIT.unavailable, TOO_LATE);
    if (error.code !== "held") throw error;
    if (options.ifHeld === "skip") {
      if (options.json) sayJson({ name, ...fieldsOf(error), exitCode: EXIT.ok });
      return EXIT.ok;
    }
    throw new CliFailure(EXIT.notAcquired, heldText(name, options, error), fieldsOf(error));
  }
  waited.abort();
  await showing;
  return runHeld(name, options, { lease, holder, signals, command });
}

interface Held {
  readonly lease: Lease;
  readonly holder: Holder;
  readonly signals: Signals;
  readonly command: readonly string[];
}

async function runHeld(
  name: string,
  options: Options,
  { lease, holder, signals, command }: Held,
): Promise<number> {
  const untilMs = holder.clock.monotonicMs() + options.atLeast;
  let ending: Ending;
  try {
    ending = await holder.run(lease, command, { QUORATE_NAME: name }, signals);
  } catch (error) {
    // It never ran.
    await lease[Symbol.asyncDispose]();
    throw error;
  }
  // Also with success: many programs end so when they are told to end, whatever they have not done.
  const exitCode = ending.told ? EXIT.lost : exitCodeOf(ending);
  if (ending.told && !options.json) say(lostText(name, lease, ending));
  await releaseNotBefore(untilMs, lease, holder.clock, signals.stop).catch((error) => {
    say(`${name} may be free before --at-least is over: ${(error as Error).message}`);
  });
  if (options.json) {
    const { code, signal } = ending;
    sayJson({ name, fencingToken: lease.fencingToken, lost: ending.told, code, signal, exitCode });
  }
  return exitCode;
}

/** Acquires the lease, which is then renewed. */
function acquire(name: string, options: Options, { quorate }: Holder, signal: AbortSignal): Promise<Lease> {
  const { ttl, wait, shared, limit, permits, owner, metadata } = options;
  const fields = { ttlMs: ttl, waitMs: wait, owner, metadata, keep: true, signal, timeoutMs: TIMEOUT_MS };
  return limit === undefined
    ? quorate.acquireLock(name, { ...fields, ...(shared && { mode: "shared" }) })
    : quorate.acquirePermits(name, { ...fields, limit, permits });
}

function check({ shared, limit, permits }: Options): void {
  checkPlatform("run");
  if (shared && limit !== undefined) throw wrongUse("run: --shared is of a lock, and --limit of a semaphore");
  if (permits !== undefined && limit === undefined)
    throw wrongUse("run: --permits needs --limit, the number of permits that there are in total");
  if (permits !== undefined && limit !== undefined && permits > limit)
    throw wrongUse(`run: --permits ${permits} can never be had of --limit ${limit}`);
}

type HeldError = QuorateErrorOf<"held">;

function heldText(name: string, { wait }: Options, { holder, queuePosition }: HeldError): string {
  const who = holder
    ? ` by ${printable(holder.owner ?? "one without a name")} for ${inWords(holder.heldForMs)}`
    : "";
  const place = queuePosition !== undefined && wait > 0 ? `, and was not free within ${inWords(wait)}` : "";
  return `${name} is held${who}${place}`;
}

const fieldsOf = ({ code, holder, queuePosition }: HeldError) => ({ code, holder, queuePosition });

const TIMEOUT_MS = 5_000;
const TOO_LATE = "the grant came when its time was over: --ttl is too short for this machine or its network";

const HELP = `
The command gets QUORATE_NAME and QUORATE_FENCING_TOKEN: a number that grows from holder to holder. A storage that refuses
smaller ones than it has seen is safe even from a command that could not be killed in time.

Exit codes: those of the command (128 + n: signal n ended it), and
  64   wrong use                    75   it was held (see --if-held)     126  the command cannot be run
  69   no instance, no majority     76   the lease was lost              127  the command was not found
  77   the key may not do this

Examples:
  quorate run nightly -- ./backup.sh
  quorate run nightly --at-least 1m --if-held skip -- ./backup.sh     in the crontab of every machine
  quorate run deploy --wait 10m -- sh -c 'git pull && make install'
  quorate run reports --limit 3 --wait 1h -- ./report.py              three at a time`;
