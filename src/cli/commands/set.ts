import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { lostNumberIn } from "../../algorithms/lost-numbers.js";
import { Registers } from "../../client/registers.js";
import { wrongUse } from "../failure.js";
import { type CommonOptions, type Define, transportOf } from "../invocation.js";
import { keyOf } from "../kinds/registers.js";
import { durationOption } from "../options.js";
import { printable, printJson, printLine } from "../output.js";

interface Options extends CommonOptions {
  readonly ttl?: number;
  readonly ifMatch?: string;
  readonly ifAbsent?: boolean;
  readonly text?: boolean;
}

export const define: Define = (command, { env }) => {
  command
    .description("Sets a register. The value is JSON; -: it is read from the standard input.")
    .addHelpText("after", EXAMPLES);
  command
    .command("register <key> <value>")
    .alias("registers")
    .summary("set a register, whatever it was, or only if it is as expected")
    .addOption(durationOption("--ttl <duration>", "delete it after this time"))
    .option("--if-match <etag>", "only if it has this ETag: see quorate get register KEY --json")
    .option("--if-absent", "only if there is none")
    .option("--text", "the value is text, and not JSON")
    .action(async (key: string, value: string, _: object, its: Command) => {
      const { ttl, ifMatch, ifAbsent, text, ...options } = its.optsWithGlobals<Options>();
      if (ifAbsent && ifMatch !== undefined)
        throw wrongUse("set: --if-match and --if-absent exclude each other");
      const transport = transportOf(options, env);
      const set = await new Registers(transport).set(keyOf(key), valueIn(value, text ?? false), {
        ttlMs: ttl,
        ifMatch: ifAbsent ? null : ifMatch,
      });
      if (options.json) printJson(set);
      else printLine(printable(`${key}: version ${set.version}`));
    });
};

function valueIn(given: string, isText: boolean): unknown {
  const text = given === "-" ? readFileSync(0, "utf8") : given;
  if (isText) return text;
  const lost = lostNumberIn(text);
  if (lost)
    throw wrongUse(`set: ${lost.token.slice(0, 100)} cannot be represented exactly: put it in quotes`);
  try {
    return JSON.parse(text);
  } catch {
    throw wrongUse(`set: the value must be JSON, such as '{"leader": "eu-1"}'; --text takes it as text`);
  }
}

const EXAMPLES = `
Examples:
  quorate set register config/region '{"leader": "eu-1"}'
  quorate set register config/motd --text 'closed until noon' --ttl 4h
  quorate set register config/region - --if-absent < region.json`;
