import type { Command } from "commander";
import { pick } from "../../client/picks.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { segment } from "../names.js";
import { number, repeated, whole } from "../options.js";
import { printable, printJson, printLine } from "../output.js";
import type { Picked, PickRequest } from "../types.js";

interface Options extends CommonOptions {
  /** As the service checks it. */
  readonly strategy?: PickRequest["strategy"];
  readonly maxLoad?: number;
  readonly zone?: string;
  readonly tag?: string[];
  readonly exclude?: string[];
  readonly count?: number;
}

export const define: Define = (command, { env }) => {
  command
    .argument("<service>", "name of the service")
    .argument("[key]", "with sticky: what should stick to its member, such as a user")
    .option(
      "--strategy <strategy>",
      "round-robin, weighted, random, least-load or sticky (default: round-robin, with a key sticky)",
    )
    .option("--max-load <times>", "with sticky: pass over members above so many times the mean load", number)
    .option("--zone <zone>", "members of this zone come first")
    .option("--tag <tag>", "only members with this tag; may be repeated", repeated)
    .option("--exclude <id>", "not this member; may be repeated", repeated)
    .option("--count <n>", "how many different members to pick", whole(1))
    .description(
      "Picks members of a service to send work to, and prints their addresses, one on each line. Members that are suspect or drain are picked only if nobody else lives; a line on standard error says so. --json: what the API answers, with others to try next.",
    )
    .addHelpText("after", EXAMPLES)
    .action(async (service: string, key: string | undefined, _: object, its: Command) => {
      segment(service);
      const options = its.optsWithGlobals<Options>();
      const { strategy = key === undefined ? "round-robin" : "sticky", tag: tags } = options;
      const { maxLoad, zone, exclude, count } = options;
      const request = { strategy, key, maxLoad, zone, tags, exclude, count };
      const picked = await pick(transportOf(options, env), service, request);
      if (options.json) printJson(picked);
      else {
        for (const { address } of picked.members) printLine(printable(address));
        for (const fallback of picked.fallbacks)
          process.stderr.write(`quorate: ${service}: ${inWords(fallback, options.zone)}\n`);
      }
    });
};

function inWords(fallback: Picked["fallbacks"][number], zone = ""): string {
  if (fallback === "zone") return printable(`too few members in zone ${zone}: others are picked`);
  return `no member is up: what is picked is ${fallback}`;
}

const EXAMPLES = `
Examples:
  curl "http://$(quorate pick search --strategy least-load)/"
  quorate pick search user:42                                 the same member for a user
  quorate pick search --zone eu-1a --tag gpu --count 3        three different ones
  quorate pick search --exclude search-2 --json`;
