import type { Command } from "commander";
import { wallClockMs } from "../../client/world.js";
import { wrongUse } from "../failure.js";
import { follow } from "../follow.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { json as jsonCell, NO_LABEL } from "../kinds/cells.js";
import { segment } from "../names.js";
import { printable, printJsonLine, printLine } from "../output.js";
import type { Election } from "../types.js";

export const define: Define = (command, { env }) => {
  command
    .description(
      "Prints who leads, now and whenever leader, term or value change, until it is interrupted. It goes on while no instance answers. --json: what the API answers, one line for each change.",
    )
    .addHelpText("after", EXAMPLES);
  command
    .command("elections <names...>")
    .alias("election")
    .summary("follow who leads, one line for each change")
    .action(async (names: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      const transport = transportOf(options, env);
      for (const name of names) segment(name);
      const changed = options.json ? printJsonLine : (election: Election) => printLine(lineOf(election));
      const follower = (name: string) => ({
        changed,
        troubled: ({ message }: Error) =>
          void process.stderr.write(`quorate: ${name}: ${printable(message)} It is asked again\n`),
      });
      await Promise.all([...new Set(names)].map((name) => follow(transport, name, follower(name))));
    });
  for (const kind of ["locks", "semaphores", "members", "owners"])
    command.command(`${kind} [names...]`, { hidden: true }).action(() => {
      throw wrongUse(`watch: the service has events of elections only, not of ${kind}`);
    });
};

/** `10:31:02  billing  worker-7 leads, term 5: {"url":"…"}` */
function lineOf({ name, leader, known }: Election): string {
  const time = TIME.format(wallClockMs());
  if (!leader) return `${time}  ${name}  ${known ? "nobody leads" : "unknown: votes are split"}`;
  const { candidate, term, value } = leader;
  const published = jsonCell(value);
  const line = `${candidate ?? NO_LABEL} leads, term ${term}${published === null ? "" : `: ${published}`}`;
  return printable(`${time}  ${name}  ${line}`);
}

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

const EXAMPLES = `
Examples:
  quorate watch elections billing
  quorate watch elections billing search --json | while read -r state; do ...; done`;
