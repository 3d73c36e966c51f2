import type { Command } from "commander";
import type { QuorateError } from "../../client/errors.js";
import type { WatchedMember, WatchedMembers } from "../../client/member-state.js";
import type { Transport } from "../../client/transport.js";
import { watch } from "../../client/watch.js";
import { wallClockMs } from "../../client/world.js";
import { wrongUse } from "../failure.js";
import { follow } from "../follow.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { json as jsonCell, NO_LABEL } from "../kinds/cells.js";
import { eventInWords, inWords, memberChanges } from "../kinds/member-changes.js";
import { keyOf } from "../kinds/registers.js";
import { segment } from "../names.js";
import { printable, printJsonLine, printLine } from "../output.js";
import type { Election, Register } from "../types.js";

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
    .summary("follow the members of services, one line for whatever happens to one, and why")
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

/** `10:31:02  search  search-1  expired: no heartbeat for its time to live` */
async function watchMembers(transport: Transport, service: string, isJson: boolean): Promise<void> {
  let before: readonly WatchedMember[] | null = null;
  let isTroubled = false;
  const answers = (failure: QuorateError | null) => {
    if (failure && !before) throw failure;
    if (failure && !isTroubled) troubled(service)(failure);
    isTroubled = failure !== null;
  };
  for await (const list of watch(transport, service, {}, answers)) {
    if (isJson) printJsonLine({ service, ...list });
    else {
      const time = TIME.format(wallClockMs());
      for (const { id, news } of newsOf(before, list))
        printLine(printable(`${time}  ${service}  ${id}  ${news}`));
      if (!before && list.members.length === 0) printLine(`${time}  ${service}  (no members)`);
    }
    before = list.members;
  }
}

interface News {
  readonly id: string;
  readonly news: string;
}

/** What happened, as it happened; where that is not known, what has changed. */
function newsOf(before: readonly WatchedMember[] | null, { members, events }: WatchedMembers): News[] {
  if (!before) return members.map((member) => ({ id: member.id, news: inWords(member) }));
  if (events.length > 0) return events.map((event) => ({ id: event.member.id, news: eventInWords(event) }));
  return memberChanges(before, members).map(({ id, change }) => ({ id, news: change }));
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
