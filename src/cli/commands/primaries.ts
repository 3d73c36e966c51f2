import type { Command } from "commander";
import { type CommonOptions, type Define, transportOfDeployment } from "../invocation.js";
import { PRIMARY_HEAD, primariesInWords, primaryRow } from "../kinds/primaries.js";
import { printJson, printLine, printTable } from "../output.js";
import { read } from "../pages.js";
import type { Primaries } from "../types.js";

export const define: Define = (command, { env }) => {
  command
    .description(
      "Prints the primaries as one instance sees them: their states, latencies and settings. `quorate doctor` judges them, and asks all instances.",
    )
    .action(async (_: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      const answer = await read<Primaries>(transportOfDeployment(options, env), "/primaries");
      if (options.json) return printJson(answer);
      printTable(PRIMARY_HEAD, answer.primaries.map(primaryRow));
      for (const line of primariesInWords(answer)) printLine(line);
    });
};
