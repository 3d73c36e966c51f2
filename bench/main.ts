/**
 * `npm run bench`: measures this service against its peers, its ceilings and, if asked, another state of itself; prints
 * one table, and writes it as JSON and SVG. `--help` has the options, CONTRIBUTING.md says how to read it.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Area, Bench } from "./areas/area.js";
import { benchOptions } from "./command-line.js";
import { measure, takeTurns } from "./comparison/rounds.js";
import { hangUp } from "./load/client.js";
import { Load } from "./load/load.js";
import { CheckoutError, checkOut } from "./machine/checkout.js";
import { machine, versions } from "./machine/circumstances.js";
import { Cleanup } from "./machine/cleanup.js";
import { endWithUs } from "./machine/guard.js";
import { ROOT } from "./machine/process.js";
import { toChart } from "./report/chart.js";
import { type AreaResults, contenderResults, type Results } from "./report/results.js";
import { toTable } from "./report/table.js";

const options = benchOptions();
// Guards end what was started and remove its data, however this process ends; so it may end at once.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
process.env.TEST_REDIS = "process";
const { closeRun } = await import("../test/helpers/run.js");

try {
  await main();
} catch (error) {
  say(error instanceof CheckoutError ? error.message : `The bench has failed. ${(error as Error).stack}`);
  process.exitCode = 1;
} finally {
  hangUp();
  await closeRun();
}

async function main(): Promise<void> {
  const { rounds, turnMs, out, areas } = options;
  await using cleanup = new Cleanup();
  const about = { takenAt: new Date().toISOString(), machine: machine(), versions: await versions() };
  const before = options.before === undefined ? null : await otherState(options.before, cleanup);
  const missing = new Set<string>();
  const bench: Bench = {
    load: cleanup.add(new Load()),
    before,
    peers: options.peers === "all",
    locks: options.locks,
    untilGone: options.untilGone,
    rate: options.rate,
    missing: (text) => void missing.add(text),
    progress: () => {},
  };
  const measured: AreaResults[] = [];
  for (const area of areas) measured.push(await measureArea(area, bench));
  const results: Results = {
    format: 1,
    ...about,
    settings: { rounds, turnMs, before: before?.label ?? null, peers: bench.peers },
    missing: [...missing],
    areas: measured,
  };
  process.stdout.write(`${toTable(results)}\n`);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, "latest.json"), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(out, "latest.svg"), toChart(results));
  say(`written: ${join(out, "latest.json")} and ${join(out, "latest.svg")}`);
}

async function measureArea(area: Area, bench: Bench): Promise<AreaResults> {
  const startMs = performance.now();
  const progress = (text: string) => sayAgain(`${area.name}: ${text}`);
  await using cleanup = new Cleanup();
  progress("starting");
  const comparison = await area.prepare({ ...bench, progress }, cleanup);
  const rounds = await takeTurns(comparison.contenders, options, progress);
  const figures = [...comparison.figures, ...((await comparison.after?.()) ?? [])];
  sayAgain("");
  say(`${area.name}: measured in ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  return {
    name: area.name,
    about: area.about,
    settings: comparison.settings,
    contenders: contenderResults(comparison.contenders, rounds),
    figures: measure(figures, rounds),
  };
}

/** Builds the state that is compared, in a temporary folder where it is a revision. */
async function otherState(given: string, cleanup: Cleanup) {
  const scratch = await mkdtemp(join(tmpdir(), "quorate-bench-"));
  const over = endWithUs([], scratch);
  cleanup.add({
    [Symbol.asyncDispose]: async () => {
      await rm(scratch, { recursive: true, force: true });
      over();
    },
  });
  say(`building the state before: ${given}`);
  return checkOut(given, resolve(ROOT), scratch);
}

/** What is not a result goes to standard error. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** On a terminal, one line that is written again and again; else nothing. */
function sayAgain(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}
