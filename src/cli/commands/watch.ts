import type { Command } from "commander";
import type { Transport } from "../../client/transport.js";
import { wallClockMs } from "../../client/world.js";
import { wrongUse } from "../failure.js";
import { follow } from "../follow.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { json as jsonCell, NO_LABEL } from "../kinds/cells.js";
import { inWords, memberChanges } from "../kinds/member-changes.js";
import { listMembers } from "../kinds/member-list.js";
import { keyOf } from "../kinds/registers.js";
import { segment } from "../names.js";
import { printable, printJsonLine, printLine } from "../output.js";
import type { Election, Member, Members, Register } from "../types.js";

export const define: Define = (command, { env }) => {
  command
    .description(
      "Prints who leads, registers, or the members of services, now and whenever that changes, until it is interrupted. It goes on while no instance answers. --json: what the API answers, one line for each change.",
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
      await Promise.all(
        [...new Set(names)].map((name) => {
          const election = { path: `/elections/${segment(name)}`, field: "leader" };
          return follow(transport, election, { changed, troubled: troubled(name) });
        }),
      );
    });
  command
    .command("members <services...>")
    .alias("member")
    .summary("follow the members of services, one line for each that comes, goes or changes")
    .action(async (services: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      const transport = transportOf(options, env);
      for (const service of services) segment(service);
      await Promise.all(
        [...new Set(services)].map((service) => watchMembers(transport, service, options.json ?? false)),
      );
    });
  command
    .command("registers <keys...>")
    .alias("register")
    .summary("follow registers, one line for each change")
    .action(async (keys: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      const transport = transportOf(options, env);
      for (const key of keys) keyOf(key);
      const watching = [...new Set(keys)].map((key) => watchRegister(transport, key, options.json ?? false));
      await Promise.all(watching);
    });
  for (const kind of ["locks", "semaphores", "owners"])
    command.command(`${kind} [names...]`, { hidden: true }).action(() => {
      throw wrongUse(
        `watch: the service has events of elections, registers and members only, not of ${kind}`,
      );
    });
};

const troubled =
  (name: string) =>
  ({ message }: Error) =>
    void process.stderr.write(`quorate: ${name}: ${printable(message)} It is asked again\n`);

/** `10:31:02  search  search-1  joined: is up at 10.0.0.7:9000` */
async function watchMembers(transport: Transport, service: string, isJson: boolean): Promise<never> {
  let before: readonly Member[] | null = null;
  const changed = async () => {
    // The first page tells of a change on any of them.
    const list = await listMembers(transport, service, undefined);
    if (isJson) printJsonLine({ service, ...list });
    else {
      const time = TIME.format(wallClockMs());
      const news = before
        ? memberChanges(before, list.members)
        : list.members.map((member) => ({ id: member.id, change: inWords(member) }));
      for (const { id, change } of news) printLine(printable(`${time}  ${service}  ${id}  ${change}`));
      if (!before && news.length === 0) printLine(`${time}  ${service}  (no members)`);
    }
    before = list.members;
  };
  const members = { path: `/services/${segment(service)}/members`, field: "members" };
  return follow<Members>(transport, members, { changed, troubled: troubled(service) });
}

/** `10:31:02  config/region  version 7: {"leader":"eu-1"}` */
function watchRegister(transport: Transport, key: string, isJson: boolean): Promise<never> {
  const print = (text: string) => printLine(printable(`${TIME.format(wallClockMs())}  ${key}  ${text}`));
  const followed = { path: `/registers/${encodeURIComponent(key)}`, field: "value" };
  return follow<Register>(transport, followed, {
    changed: (register) =>
      isJson
        ? printJsonLine(register)
        : print(`version ${register.version}: ${jsonCell(register.value) ?? "null"}`),
    missing: () => (isJson ? printJsonLine({ key, version: null }) : print("(there is none)")),
    troubled: troubled(key),
  });
}

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
  quorate watch members search
  quorate watch registers config/region
  quorate watch elections billing search --json | while read -r state; do ...; done`;
