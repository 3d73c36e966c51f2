import type { Command } from "commander";
import { diagnose } from "../doctor/diagnosis.js";
import { type Examined, examine } from "../doctor/examination.js";
import type { Finding, Findings } from "../doctor/finding.js";
import { EXIT } from "../exit-codes.js";
import { type CommonOptions, type Define, deploymentOf } from "../invocation.js";
import { printable, printJson, printLine } from "../output.js";

interface Options extends CommonOptions {
  readonly ignore?: string;
}

export const define: Define = (command, { env }) => {
  command
    .description(
      "Asks every instance, and says what is wrong with instances and primaries, why it matters, and the command that cures it; the worst first. Exits with 0 if all is well, else with 1. Name all instances in --url or QUORATE_URL: they are compared.",
    )
    .option("--ignore <ids>", "kinds of findings that are as you want them, such as appendfsync-everysec")
    .addHelpText("after", EXAMPLES)
    .action(async (_: object, its: Command) => {
      const options = its.optsWithGlobals<Options>();
      const examined = await examine(deploymentOf(options, env));
      const found = diagnose(examined, options.ignore?.split(",").map((id) => id.trim()) ?? []);
      if (options.json) printJson(asJson(examined, found));
      else printLine(inWords(examined, found));
      if (found.findings.length > 0) process.exitCode = EXIT.no;
    });
};

function asJson(examined: readonly Examined[], { findings, notes }: Findings): object {
  const instances = examined.map(({ url, ready, primaries, failure }) => ({
    url,
    answers: primaries !== null,
    ready: ready !== null,
    failure: failure === null ? null : { code: failure.code, detail: failure.message },
    primaries,
  }));
  return { healthy: findings.length === 0, findings, notes, instances };
}

function inWords(examined: readonly Examined[], { findings, notes }: Findings): string {
  const addresses = examined.flatMap(({ primaries }) =>
    (primaries?.primaries ?? []).map(({ address }) => address),
  );
  const asked = `${several(examined.length, "instance")}, ${several(new Set(addresses).size, "primary", "primaries")}`;
  const verdict = findings.length === 0 ? "all is well" : several(findings.length, "finding");
  const isTemporary = findings.some(({ cure }) => cure?.includes(" config set "));
  return [
    `${asked}: ${verdict}`,
    ...findings.map(findingInWords),
    ...(isTemporary ? [KEPT] : []),
    ...(notes.length === 0 ? [] : [notes.map((note) => printable(`note: ${note}`)).join("\n")]),
  ].join("\n\n");
}

function findingInWords({ id, weight, subject, what, why, see, cure }: Finding): string {
  const lines = [
    `${weight.toUpperCase()}  ${subject}: ${what}`,
    `  why:  ${why} (${see})`,
    ...(cure === null ? [] : [`  cure: ${cure}`]),
    `  id:   ${id}`,
  ];
  return lines.map(printable).join("\n");
}

const KEPT =
  "CONFIG SET lasts until the server restarts: put the settings into its redis.conf as well (CONFIG REWRITE). Give redis-cli the user and password (REDISCLI_AUTH), and rediss:// where REDIS_URLS has it.";

function several(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const EXAMPLES = `
Examples:
  quorate doctor --url http://quorate-1:8080,http://quorate-2:8080
  quorate doctor --ignore appendfsync-everysec      the last second may be lost here
  quorate doctor --json | jq -r '.findings[].cure'`;
