import type { Command } from "commander";
import { Transactions } from "../../client/transactions.js";
import { wrongUse } from "../failure.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { getAll } from "../kinds/get-all.js";
import { idOf, listUndecided, transactions, UNDECIDED_HEAD, undecidedRow } from "../kinds/transactions.js";
import { whole } from "../options.js";
import { printJson, printLine, printTable } from "../output.js";

export const define: Define = (command, { env }) => {
  command
    .description("Looks at transactions across services, and aborts those that are not decided.")
    .addHelpText("after", EXAMPLES);
  command
    .command("get <ids...>")
    .summary("how they stand, and who has voted and acknowledged")
    .action(async (ids: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      await getAll(transportOf(options, env), transactions, ids, options);
    });
  command
    .command("list")
    .summary("those that are not decided: for how long yet, and for whose votes they wait")
    .option("--limit <n>", "print at most so many", whole(1))
    .action(async (_: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions & { readonly limit?: number }>();
      const page = await listUndecided(transportOf(options, env), options.limit);
      if (options.json) printJson(page);
      else printTable(UNDECIDED_HEAD, page.transactions.map(undecidedRow));
    });
  command
    .command("abort <id>")
    .summary("abort one, unless it is committed")
    .option("--reason <text>", "why: its participants are told")
    .action(async (id: string, _: object, its: Command) => {
      const { reason, ...options } = its.optsWithGlobals<CommonOptions & { readonly reason?: string }>();
      if (!reason?.trim()) throw wrongUse("transactions abort: say why: --reason TEXT");
      const aborted = await new Transactions(transportOf(options, env)).abort(idOf(id), reason);
      if (options.json) printJson(aborted);
      else printLine(`${id}: aborted`);
    });
};

const EXAMPLES = `
Examples:
  quorate transactions list                      those that are not decided
  quorate transactions get 019b7ada-7028-7c3a-9d41-5f2ac1a58b7e
  quorate transactions abort 019b7ada-7028-7c3a-9d41-5f2ac1a58b7e --reason "the customer has left"`;
