import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { EXIT } from "../exit-codes.js";
import { CliFailure, wrongUse } from "../failure.js";
import { type CommonOptions, type Define, type Invocation, transportOf } from "../invocation.js";
import { segment } from "../names.js";
import { printJson, printLine } from "../output.js";
import type { Broken } from "../types.js";

export const define: Define = (command, { env }) => {
  command
    .argument("<lock>", "name of the lock")
    .option("--reason <text>", "why: its holder is told, and the log and the audit have it")
    .description(
      "Ends the leases on a lock, with all their names, as an operator. The holder learns of it at its next renewal; until then only what checks the fencing token is safe from it, so stop it first if you can. The key must be the operator's (QUORATE_OPERATOR_KEY, as the service has it), or one with the grant `operate locks` (QUORATE_KEY or QUORATE_KEY_FILE).",
    )
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, { reason }: { readonly reason?: string }, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      const path = `/locks/${segment(name)}/break`;
      const transport = transportOf(options, asOperator(env));
      const why = reason ?? (await askedFor(`Why is ${name} broken? Its holder is told: `));
      if (why.trim() === "") throw wrongUse(NO_REASON);
      const { body } = await transport.send<Broken>({
        method: "POST",
        path,
        body: () => ({ reason: why }),
        ...transport.limits({}),
      });
      if (options.json) printJson(body);
      else if (body.broken > 0)
        printLine(`${name}: ${body.broken} ${body.broken === 1 ? "lease" : "leases"} ended`);
      if (body.broken > 0) return;
      if (!options.json) throw new CliFailure(EXIT.no, `${name}: nobody holds it`);
      process.exitCode = EXIT.no;
    });
};

/** The operator's key comes first: a key of the user may be there for everything else. */
function asOperator(env: Invocation["env"]): Invocation["env"] {
  const key = env.QUORATE_OPERATOR_KEY?.trim();
  return key ? { ...env, QUORATE_KEY: key, QUORATE_KEY_FILE: undefined } : env;
}

/** What is typed at the terminal. Throws wrong use where there is none. */
async function askedFor(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY) throw wrongUse(NO_REASON);
  const terminal = createInterface({ input: stdin, output: stderr });
  // Without this, Ctrl-C and Ctrl-D would leave the question open for ever.
  terminal.once("SIGINT", () => terminal.close());
  const given = once(terminal, "close").then(() => "");
  try {
    return await Promise.race([terminal.question(question), given]);
  } finally {
    terminal.close();
  }
}

const NO_REASON = "break: say why, since the holder is told: --reason TEXT";

const EXAMPLES = `
Examples:
  quorate get lock orders-42                                     who holds it
  quorate break orders-42 --reason "worker-7 hangs, see #1234"`;
