import { type CommonOptions, type Define, deploymentOf, type Invocation } from "../invocation.js";
import { durationOption, json, nameOption } from "../options.js";
import { showProgress } from "../progress.js";
import { exitCodeOf, lostText, say, sayJson } from "../running/ends.js";
import { Holder } from "../running/lease.js";
import { checkPlatform } from "../running/platform.js";
import { exitCodeOfSignal, Signals } from "../running/signals.js";

interface Options extends CommonOptions {
  readonly ttl: number;
  readonly candidate: string;
  readonly value?: unknown;
}

export const define: Define = (command, invocation) => {
  command
    .usage("[options] NAME -- COMMAND [ARGUMENT...]")
    .description(
      "Runs a command whenever this process is the leader of an election, again and again: when the term is lost, the command is ended as by `quorate run`, and this process is a candidate again. When the command ends by itself, so does quorate, with its exit code, and another candidate leads.",
    )
    .argument("<name>", "the name of the election")
    .addOption(
      durationOption("--ttl <duration>", "how long there is no leader when this machine fails", "10s"),
    )
    .addOption(nameOption("--candidate <text>", "what others see as the leader, such as its address"))
    .option("--value <json>", "what the leader publishes", json)
    .addHelpText("after", HELP)
    .action(async (name: string) => {
      process.exit(await elect(name, command.optsWithGlobals<Options>(), invocation));
    });
};

async function elect(name: string, options: Options, { env, command = [] }: Invocation): Promise<number> {
  checkPlatform("elect");
  const deployment = deploymentOf(options, env);
  const signals = new Signals();
  const holder = new Holder(deployment);
  const { ttl: ttlMs, candidate, value } = options;
  const awaited = {
    name,
    path: `/elections/${encodeURIComponent(name)}`,
    owner: candidate,
    waitMs: undefined,
  };
  while (!signals.received) {
    const waited = new AbortController();
    const showing = options.json ? undefined : showProgress(deployment, awaited, waited.signal);
    const ending = await holder.quorate
      .lead(name, {
        ...{ ttlMs, candidate, value, signal: signals.stop },
        onElected: async (term) => {
          waited.abort();
          await showing;
          const ran = await holder.run(term, command, { QUORATE_NAME: name }, signals);
          if (options.json) sayJson({ name, fencingToken: term.fencingToken, ...ran });
          else if (ran.told) say(lostText(name, term, ran));
          return ran;
        },
      })
      .finally(() => waited.abort());
    if (ending && !ending.told) return exitCodeOf(ending);
  }
  await holder.settled();
  return signals.received ? exitCodeOfSignal(signals.received) : 0;
}

const HELP = `
The command gets QUORATE_NAME, and the term as QUORATE_FENCING_TOKEN: a number that grows from leader to leader.

Examples:
  quorate elect billing -- ./send-invoices
  quorate elect billing --candidate 10.0.0.7:9000 --ttl 5s -- ./send-invoices`;
