/**
 * Attacks of valid requests (test/crowd) on real servers, with a bystander whose requests must not suffer. Prints what it
 * saw, one figure a line; ends with 1 where a bound is broken.
 */
import { availableParallelism, loadavg } from "node:os";
import { z } from "zod";
import { ATTACKS, attackOf } from "../test/crowd/attacks/all.js";
import { commandLine, flag, positive, whole } from "./command-line.js";

const USAGE = `npm run crowd -- --kind KIND [--clients N] [--seconds S] [--primaries N] [--instances N] [--append-only]
  --kind         all, several with commas between, or one of
${ATTACKS.map(({ name, about, clients }) => `                   ${name.padEnd(17)} ${clients}: ${about}`).join("\n")}
  --clients      how many (what stands above)
  --seconds      of attacks that last
  --primaries    1, 3, 5 or 7 (3)
  --instances    of the service (1); the attack and the bystander are at the first
  --append-only  the primaries write to disk
  --pairs        pairs a second that are not yet an overload (measured)
  --slack        what bounds are multiplied with (1)`;

const values = commandLine(USAGE, {
  kind: z
    .string()
    .transform((text) => (text === "all" ? ATTACKS.map(({ name }) => name) : text.split(",")))
    .pipe(z.array(z.enum(ATTACKS.map(({ name }) => name)))),
  clients: whole(1).optional(),
  seconds: positive.optional(),
  primaries: z.coerce
    .number()
    .pipe(z.literal([1, 3, 5, 7]))
    .default(3),
  instances: whole(1).default(1),
  "append-only": flag,
  pairs: positive.optional(),
  slack: positive.default(1),
});
process.env.TEST_REDIS = "process";
const { closeRun } = await import("../test/helpers/run.js");
const { runAttack } = await import("../test/crowd/run.js");
type Outcome = Awaited<ReturnType<typeof runAttack>>;

const results: { name: string; clients: number; outcome: Outcome | Error }[] = [];
try {
  for (const name of values.kind) {
    const attack = attackOf(name);
    const clients = values.clients ?? attack.clients;
    print(`${name}: ${attack.about}`);
    print(
      `  ${clients} clients, ${values.primaries} primaries, ${attack.alone ? 2 : values.instances} instances, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)} before`,
    );
    const outcome = await runAttack(attack, {
      clients,
      seconds: values.seconds ?? attack.seconds,
      primaries: values.primaries,
      instances: values.instances,
      appendOnly: values["append-only"],
      slack: values.slack,
      ...(values.pairs !== undefined && { pairsPerSecond: values.pairs }),
    }).catch((error: Error) => error);
    results.push({ name, clients, outcome });
    tell(outcome);
  }
} finally {
  await closeRun();
}
if (results.length > 1) table();
process.exit(
  results.every(({ outcome }) => !(outcome instanceof Error) && outcome.broken.length === 0) ? 0 : 1,
);

function tell(outcome: Outcome | Error): void {
  if (outcome instanceof Error) {
    print(`  could not be done: ${outcome.message}`);
    return;
  }
  const { figures, seen, downs, memory, broken } = outcome;
  for (const [name, value] of Object.entries(figures)) print(`  ${name}: ${round(value)}`);
  if (seen) {
    const part = ({ all, failed }: { all: number; failed: number }) => `${failed} of ${all} failed`;
    print(`  bystander: acquires ${part(seen.acquires)}, releases ${part(seen.releases)}`);
    print(`  bystander: renewals ${part(seen.renewals)}, heartbeats ${part(seen.heartbeats)}`);
    print(`  bystander: failures by status ${JSON.stringify(seen.failures)}`);
    print(`  bystander: acquire p50 ${round(seen.acquireMs.p50)} ms, p99 ${round(seen.acquireMs.p99)} ms`);
    print(
      `  bystander: /livez ${part(seen.livez)}, median of maxima ${round(seen.livez.medianMs)} ms, longest ${round(seen.livez.maxMs)} ms`,
    );
    print(
      `  bystander: primaries not up ${seen.notUp} times, resets ${seen.resets}, ${round(seen.seconds)} s`,
    );
    print(`  primaries taken for gone: ${downs}`);
    print(
      `  memory of the instances: ${round(memory.beforeMb)} MB before, ${round(memory.afterMb)} after, ${round(memory.peakMb)} at most`,
    );
  }
  for (const sentence of broken) print(`  BROKEN: ${sentence}`);
  if (broken.length === 0) print("  all bounds hold");
}

function table(): void {
  print("\n| attack | clients | acquires failed | /livez median, longest ms | downs | memory MB | bounds |");
  print("|---|---:|---:|---:|---:|---:|---|");
  for (const { name, clients, outcome } of results) {
    if (outcome instanceof Error) {
      print(`| ${name} | ${clients} | | | | | could not be done |`);
      continue;
    }
    const { seen, downs, memory, broken } = outcome;
    const share = seen ? `${round((100 * seen.acquires.failed) / Math.max(1, seen.acquires.all))} %` : "";
    const livez = seen ? `${round(seen.livez.medianMs)}, ${round(seen.livez.maxMs)}` : "";
    const grown = `${round(memory.beforeMb)} to ${round(memory.peakMb)}`;
    print(
      `| ${name} | ${clients} | ${share} | ${livez} | ${downs} | ${grown} | ${broken.length === 0 ? "hold" : broken.join("; ")} |`,
    );
  }
}

function round(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
