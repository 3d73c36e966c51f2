#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { endWithReader } from "./broken-pipe.js";
import { COMMANDS, type Listed } from "./commands.js";
import { EXIT } from "./exit-codes.js";
import { toFailure, wrongUse } from "./failure.js";
import { type Invocation, KEY } from "./invocation.js";
import { printable } from "./printable.js";

/** The command line `quorate`: finds the command, and says in one line what is wrong. */
async function main(argv: readonly string[]): Promise<void> {
  endWithReader();
  const cut = argv.indexOf("--");
  const own = cut < 0 ? argv : argv.slice(0, cut);
  const invocation = { env: process.env, command: cut < 0 ? undefined : argv.slice(cut + 1) };
  try {
    await (await programOf(own, invocation)).parseAsync(own, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    // Without a command, the help is printed already.
    if (error instanceof CommanderError && error.code === "commander.help") {
      process.exitCode = EXIT.wrongUse;
      return;
    }
    const failure = error instanceof CommanderError ? wrongUse(textOf(error, own)) : toFailure(error);
    const { exitCode, message, fields } = failure;
    const line = own.includes("--json")
      ? JSON.stringify({ error: message, exitCode, ...fields })
      : `quorate: ${printable(message)}`;
    process.stderr.write(`${line}\n`);
    // Whatever may go on in the background, such as giving back what came too late, has had its time.
    process.exit(exitCode);
  }
}

async function programOf(own: readonly string[], invocation: Invocation): Promise<Command> {
  const program = new Command("quorate")
    .description("Locks, elections and membership over the Redis you already run.")
    .usage("COMMAND [options]")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText("after", EXAMPLES);
  for (const option of common()) program.addOption(option);
  for (const listed of COMMANDS) await add(program, listed, own, invocation);
  return program;
}

async function add(program: Command, listed: Listed, own: readonly string[], invocation: Invocation) {
  const { name, summary, asks, runs, load } = listed;
  const command = program.command(name).summary(summary).configureHelp({ showGlobalOptions: asks });
  command.hook("preAction", (_, { args }) => {
    const { key, url, namespace, json } = command.optsWithGlobals();
    if (key !== undefined) throw wrongUse(`a key on the command line can be seen by all users. ${KEY}`);
    if (!asks && (url ?? namespace ?? json) !== undefined)
      throw wrongUse(`${name} asks no instance: it has neither --url nor --namespace nor --json`);
    if (runs && !invocation.command?.length)
      throw wrongUse(
        `${name}: the command to run comes last, after --: quorate ${name} ${args[0] ?? "NAME"} -- COMMAND`,
      );
    if (!runs && invocation.command !== undefined)
      throw wrongUse(`${name} runs no command: nothing may follow --`);
  });
  if (own.includes(name)) (await load()).define(command, invocation);
}

const common = (): readonly Option[] => [
  new Option(
    "--url <urls>",
    "the instances, with commas between them (default: $QUORATE_URL, else http://127.0.0.1:8080)",
  ),
  new Option("--namespace <name>", "the namespace of all names (default: $QUORATE_NAMESPACE, else default)"),
  new Option("--json", "print JSON"),
  new Option("--key [key]").hideHelp(),
];

const EXAMPLES = `
Examples:
  quorate run nightly -- ./backup.sh                one backup at a time, on however many machines
  quorate run nightly --wait 5m -- ./backup.sh      the next one waits for its turn
  quorate elect billing -- ./send-invoices          one leader, and another when it fails
  quorate help run                                  more about a command

A key for the service comes from QUORATE_KEY, or from the file that QUORATE_KEY_FILE names.`;

/** Commander's message as one line. */
function textOf({ message, code }: CommanderError, own: readonly string[]): string {
  const text = message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/\.$/, "");
  const command = own.flatMap((word) => COMMANDS.find(({ name }) => name === word) ?? [])[0];
  if (code === "commander.excessArguments" && command?.runs)
    return `${command.name}: put -- before the command: quorate ${command.name} NAME [options] -- COMMAND`;
  const help = `quorate ${command ? `${command.name} ` : ""}--help`;
  return `${command ? `${command.name}: ` : ""}${text}. See: ${help}`;
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

await main(process.argv.slice(2));
