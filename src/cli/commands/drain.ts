import type { Command } from "commander";
import { inWords } from "../duration.js";
import { wrongUse } from "../failure.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { segment } from "../names.js";
import { durationOption } from "../options.js";
import { printJson, printLine } from "../output.js";
import type { Member } from "../types.js";

interface Options extends CommonOptions {
  readonly for?: number;
  readonly undo?: boolean;
}

export const define: Define = (command, { env }) => {
  command
    .argument("<service>", "name of the service")
    .argument("<id>", "id of the member")
    .addOption(durationOption("--for <duration>", "remove the member after this time"))
    .option("--undo", "give it work again")
    .description(
      "Gives a member no more work: it owns no keys, and is picked only if nobody else lives. It stays listed, so that it can end what it has begun, until it leaves.",
    )
    .addHelpText("after", EXAMPLES)
    .action(async (service: string, id: string, _: object, its: Command) => {
      const { for: drainMs, undo, ...options } = its.optsWithGlobals<Options>();
      if (undo && drainMs !== undefined) throw wrongUse("drain: --undo and --for exclude each other");
      const transport = transportOf(options, env);
      const { body } = await transport.send<Member>({
        method: "PATCH",
        path: `/services/${segment(service)}/members/${segment(id)}`,
        body: () => (undo ? { status: "up" } : { status: "draining", drainMs }),
        answerHas: "incarnation",
        ...transport.limits({}),
      });
      if (options.json) printJson(body);
      else printLine(`${id} of ${service} ${stateOf(body)}`);
    });
};

function stateOf({ status, endsInMs }: Member): string {
  if (status !== "draining") return `is ${status}`;
  return endsInMs === null ? "drains until it leaves" : `drains, and is removed in ${inWords(endsInMs)}`;
}

const EXAMPLES = `
Examples:
  quorate drain search search-1              until it leaves
  quorate drain search search-1 --for 30s    for 30 s, then it is removed
  quorate drain search search-1 --undo`;
