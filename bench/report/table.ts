import { amount, digits, goalText } from "./numbers.js";
import type { AreaResults, ContenderResults, Results } from "./results.js";

/** The results as text: figures first, then what each contender did, then the circumstances. */
export function toTable(results: Results): string {
  const figures = results.areas.flatMap(({ name, figures }) =>
    figures.map(({ label, median, min, max, unit, goal }, at) => [
      at === 0 ? name : "",
      label,
      amount(median, unit),
      min === max ? "" : `${digits(min)} to ${digits(max)}`,
      goalText(goal),
    ]),
  );
  return [
    ...aligned([["area", "figure", "median", "rounds from .. to", "goal"], ...figures], [2]),
    "",
    "Contenders, in units of this machine and this run: compare the figures above, not these.",
    ...results.areas.flatMap(contenders),
    "",
    ...circumstances(results),
  ].join("\n");
}

function contenders({ name, about, settings, contenders }: AreaResults): string[] {
  const rows = contenders.map(({ label, metrics }) => [
    `  ${label}`,
    ...COLUMNS.map(([metric]) => cell(metric, metrics[metric]?.median)),
  ]);
  const used = [0, ...COLUMNS.map((_, at) => at + 1).filter((at) => rows.some((row) => row[at] !== ""))];
  const header = [`  contender`, ...COLUMNS.map(([, title]) => title)];
  const table = [header, ...rows].map((row) => used.map((at) => row[at] ?? ""));
  const limited = contenders.filter(({ metrics }) => (metrics.loadCpu?.median ?? 0) > LOAD_CPU_MAX);
  return [
    "",
    `${name}: ${about} (${settings.join("; ")})`,
    ...aligned(
      table,
      used.map((_, at) => at).filter((at) => at > 0),
    ),
    ...(limited.length > 0 ? [`  The load generator was busy all the time with: ${labels(limited)}`] : []),
  ];
}

/** No cell where there is nothing to tell. Shares are percentages. */
function cell(metric: string, value: number | undefined): string {
  if (value === undefined || (metric === "refused" && value === 0)) return "";
  return metric === "refused" || metric === "loadCpu" ? `${(100 * value).toFixed(0)} %` : digits(value);
}

/** Share of a core from which on the load generator may be the limit. */
const LOAD_CPU_MAX = 0.92;

const labels = (contenders: readonly ContenderResults[]) => contenders.map(({ label }) => label).join("; ");

const COLUMNS = [
  ["perSecond", "per second"],
  ["p50Ms", "p50 ms"],
  ["p99Ms", "p99 ms"],
  ["p999Ms", "p99.9 ms"],
  ["cpuMicros", "CPU us"],
  ["garbageBytes", "garbage, bytes"],
  ["refused", "refused"],
  ["loadCpu", "load's CPU"],
] as const;

/** What the numbers depend on, one line each. */
export function circumstances({ machine, versions, settings, missing, takenAt }: Results): string[] {
  const { cpu, cores, memoryGb, kernel, loadBefore } = machine;
  return [
    `Taken at ${takenAt} on ${cores} cores of ${cpu}, ${memoryGb} GB, ${kernel}; load average before ${digits(loadBefore)}`,
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `Settings: ${settings.rounds} rounds, ${digits(settings.turnMs)} ms per turn; ${settings.before === null ? "nothing before" : `before: ${settings.before}`}${settings.peers ? "" : "; without peers"}`,
    ...missing.map((text) => `Missing: ${text}`),
  ];
}

/** Columns of the same width; those in `right` end together. */
function aligned(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (right.includes(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
