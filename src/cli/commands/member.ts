import type { QuorateError } from "../../client/errors.js";
import { EXIT } from "../exit-codes.js";
import { type CommonOptions, type Define, deploymentOf, type Invocation } from "../invocation.js";
import { durationOption, json, number, repeated } from "../options.js";
import { RunningCommand } from "../running/command.js";
import { exitCodeOf, say, sayJson } from "../running/ends.js";
import { Holder } from "../running/lease.js";
import { KILL_AFTER_MS } from "../running/limits.js";
import { checkPlatform } from "../running/platform.js";
import { exitCodeOfSignal, Signals } from "../running/signals.js";

interface Options extends CommonOptions {
  readonly id: string;
  readonly address: string;
  readonly weight?: number;
  readonly zone?: string;
  readonly tag?: string[];
  readonly metadata?: unknown;
  readonly ttl?: number;
}

export const define: Define = (command, invocation) => {
  command
    .usage("[options] SERVICE --id ID --address ADDRESS -- COMMAND [ARGUMENT...]")
    .description(
      "Runs a command, and registers it as a member of a service for as long as it runs. Its heartbeats are sent here. When another process takes its id, the command is ended.",
    )
    .argument("<service>", "the name of the service")
    .requiredOption("--id <id>", "the id of the member: no two processes may have the same at a time")
    .requiredOption("--address <address>", "where others reach it, such as 10.0.0.7:9000")
    .option("--weight <number>", "its share relative to the others (default: 1)", number)
    .option("--zone <zone>", "where it runs: replicas are placed in distinct zones first")
    .option("--tag <tag>", "a tag; may be repeated", repeated)
    .option("--metadata <json>", "what else others see", json)
    .addOption(
      durationOption("--ttl <duration>", "how long it stays a member when this machine fails", "15s"),
    )
    .addHelpText("after", HELP)
    .action(async (service: string) => {
      process.exit(await member(service, command.optsWithGlobals<Options>(), invocation));
    });
};

async function member(service: string, options: Options, { env, command = [] }: Invocation): Promise<number> {
  checkPlatform("member");
  const { id, address, weight, zone, tag: tags, metadata, ttl: ttlMs } = options;
  const signals = new Signals();
  const { quorate, clock } = new Holder(deploymentOf(options, env));
  const membership = await quorate
    .join(service, { id, address, weight, zone, tags, metadata, ttlMs, signal: signals.stop })
    .catch((error) => {
      if (signals.received) return undefined;
      throw error;
    });
  if (!membership) return exitCodeOfSignal(signals.received ?? "SIGTERM");
  await using _ = membership;
  const more = { QUORATE_NAME: service, QUORATE_MEMBER_ID: id };
  const running = new RunningCommand(command, more, clock);
  signals.passTo((signal) => running.signal(signal));
  const { signal: superseded } = membership;
  superseded.addEventListener("abort", () => running.end(clock.monotonicMs() + KILL_AFTER_MS));
  const ending = await running.ended;
  if (options.json) sayJson({ service, id, ...ending });
  else if (ending.told)
    say(`${id} of ${service} is no member any more: ${(superseded.reason as QuorateError).message}`);
  return ending.told ? EXIT.lost : exitCodeOf(ending);
}

const HELP = `
The command gets QUORATE_NAME (the service) and QUORATE_MEMBER_ID.

Examples:
  quorate member search --id search-1 --address 10.0.0.7:9000 -- ./search-server
  quorate member search --id search-2 --address 10.0.0.8:9000 --weight 2 --zone eu-1b -- ./search-server`;
