import type { Command } from "commander";
import type { Transport } from "../../client/transport.js";
import { wrongUse } from "../failure.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { HOLDING, holding, NO_LABEL } from "../kinds/cells.js";
import { HELD_HEAD, heldRows } from "../kinds/locks.js";
import { listMembers } from "../kinds/member-list.js";
import { MEMBER_HEAD, memberRow } from "../kinds/members.js";
import { registerRow, registers as registersByKey } from "../kinds/registers.js";
import { segment } from "../names.js";
import { whole } from "../options.js";
import { type Cell, printJson, printTable } from "../output.js";
import { wholeList } from "../pages.js";
import type { Holders, Registers as ListedRegisters, Locks, Members, Services } from "../types.js";

interface Options extends CommonOptions {
  readonly prefix?: string;
  readonly limit?: number;
}

export const define: Define = (command, { env }) => {
  command
    .description(
      "Prints whole lists, however many pages they have. --json: what the API answers, all pages as one; its cursor is null unless --limit left something out.",
    )
    .addHelpText("after", EXAMPLES);
  const add = (usage: string, alias: string, summary: string, list: List) =>
    command
      .command(usage)
      .alias(alias)
      .summary(summary)
      .option("--limit <n>", "print at most so many", whole(1))
      .action(async (...given: unknown[]) => {
        const its = given.at(-1) as Command;
        const options = its.optsWithGlobals<Options>();
        const printed = await list(transportOf(options, env), options, its.args);
        if (options.json) printJson(printed.json);
        else printTable(printed.head, printed.rows);
      });
  add("locks", "lock", "the locks that are held", listLocks).option(
    "--prefix <text>",
    "only names that begin with it",
  );
  add("registers", "register", "registers, with their values", listRegisters).option(
    "--prefix <text>",
    "only keys that begin with it",
  );
  add("holders <lock>", "holder", "all who share a lock", listHolders);
  add("services", "service", "the services that have members", listServices);
  add("members <service>", "member", "the members of a service", membersOfService);
  for (const [kind, why] of UNLISTED)
    command.command(`${kind} [names...]`, { hidden: true }).action(() => {
      throw wrongUse(why);
    });
};

type List = (transport: Transport, options: Options, names: readonly string[]) => Promise<Printed>;

interface Printed {
  readonly json: object;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** The service keeps no lists of these. */
const UNLISTED = [
  ["semaphores", "list: the service keeps no list of semaphores. Name them: quorate get semaphores NAME..."],
  ["elections", "list: the service keeps no list of elections. Name them: quorate get elections NAME..."],
  [
    "transactions",
    "list: only transactions that are not decided are listed, by a command of their own: quorate transactions list",
  ],
  ["owners", "list: every key has an owner. Name the keys: quorate get owners SERVICE KEY..."],
] as const;

async function listLocks(transport: Transport, { prefix, limit }: Options): Promise<Printed> {
  const { items: locks, cursor } = await wholeList<Locks, Locks["locks"][number]>(
    transport,
    { path: "/locks", field: "locks", query: { prefix }, pageMax: 500, limit },
    (page) => page.locks,
  );
  return { json: { locks, cursor }, head: HELD_HEAD, rows: locks.flatMap(heldRows) };
}

async function listRegisters(transport: Transport, { prefix, limit }: Options): Promise<Printed> {
  const { items: registers, cursor } = await wholeList<ListedRegisters, ListedRegisters["registers"][number]>(
    transport,
    { path: "/registers", field: "registers", query: { prefix }, pageMax: 1_000, limit },
    (page) => page.registers,
  );
  return { json: { registers, cursor }, head: registersByKey.head, rows: registers.map(registerRow) };
}

async function listHolders(
  transport: Transport,
  { limit }: Options,
  [name = ""]: readonly string[],
): Promise<Printed> {
  const { items: holders, cursor } = await wholeList<Holders, Holders["holders"][number]>(
    transport,
    { path: `/locks/${segment(name)}/holders`, field: "holders", pageMax: 1_000, limit },
    (page) => page.holders,
  );
  const rows = holders.map((holder) => [holder.owner ?? NO_LABEL, holder.mode, ...holding(holder)]);
  return { json: { holders, cursor }, head: ["owner", "mode", ...HOLDING], rows };
}

async function listServices(transport: Transport, { limit }: Options): Promise<Printed> {
  const { items: services, cursor } = await wholeList<Services, Services["services"][number]>(
    transport,
    { path: "/services", field: "services", pageMax: 1_000, limit },
    (page) => page.services,
  );
  const rows = services.map(({ service, members }) => [service, members]);
  return { json: { services, cursor }, head: ["service", "members"], rows };
}

async function membersOfService(
  transport: Transport,
  { limit }: Options,
  [service = ""]: readonly string[],
): Promise<Printed> {
  const json: Members = await listMembers(transport, service, limit);
  return { json, head: MEMBER_HEAD, rows: json.members.map(memberRow) };
}

const EXAMPLES = `
Examples:
  quorate list locks --prefix orders-     the locks that are held, by whom and since when
  quorate list services                   the services, and how many members each has
  quorate list members search             the members of the service search
  quorate list members search --json | jq -r '.members[].address'

Semaphores and elections are not listed: name them, as in "quorate get elections billing".`;
