import type { Measured } from "../comparison/rounds.js";
import { digits, goalText } from "./numbers.js";
import type { Results } from "./results.js";

/**
 * The ratios as an SVG: for each a bar from 1 to the median on a logarithmic scale, and a line over the values of all
 * rounds. Figures with a unit are not ratios, and left out; so are those of a contender that did nothing in some round.
 */
export function toChart({ areas, machine, settings, takenAt }: Results): string {
  const rows = areas.flatMap(({ name, figures }) => {
    const ratios = figures.filter(({ unit, min, max }) => unit === null && min > 0 && Number.isFinite(max));
    return ratios.length === 0 ? [] : [{ title: name }, ...ratios];
  });
  const ratios = rows.filter((row) => "median" in row);
  const scale = scaleOf(ratios);
  const height = TOP + rows.length * ROW + BOTTOM;
  const about = `${machine.cores} cores of ${machine.cpu}; ${settings.rounds} rounds; ${takenAt.slice(0, 10)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>Ratios within one run</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="20" font-size="14" font-weight="bold">Ratios within one run: median, and all rounds from lowest to highest</text>`,
    `<text x="12" y="36" fill="#666">${escaped(about)}</text>`,
    ...scale.ticks.map((tick) => axis(scale.x(tick), tick, height)),
    ...rows.map((row, at) => {
      const y = TOP + at * ROW;
      return "median" in row
        ? bar(row, y, scale.x)
        : `<text x="12" y="${y + 14}" font-weight="bold">${escaped(row.title)}</text>`;
    }),
    "</svg>",
    "",
  ].join("\n");
}

const [WIDTH, TOP, BOTTOM, ROW] = [1_000, 66, 14, 22];
/** Where bars may be: labels are on their left, numbers on their right. */
const [LEFT, RIGHT] = [520, 830];

/** Powers of ten on both sides of all values. */
function scaleOf(figures: readonly Measured[]) {
  const values = figures.flatMap(({ min, max }) => [min, max]).filter((value) => value > 0);
  const low = Math.min(-1, Math.floor(Math.log10(Math.min(1, ...values))));
  const high = Math.max(1, Math.ceil(Math.log10(Math.max(1, ...values))));
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)),
    x: (value: number) => LEFT + ((RIGHT - LEFT) * (Math.log10(value) - low)) / (high - low),
  };
}

function axis(x: number, tick: number, height: number): string {
  const color = tick === 1 ? "#333" : "#ddd";
  const label = `<text x="${round(x)}" y="${TOP - 8}" text-anchor="middle" fill="#666">${Number(tick.toPrecision(1))}</text>`;
  return `<line x1="${round(x)}" y1="${TOP - 4}" x2="${round(x)}" y2="${height - BOTTOM}" stroke="${color}"/>${label}`;
}

function bar({ label, median, min, max, goal }: Measured, y: number, x: (value: number) => number): string {
  const [from, to] = [Math.min(x(1), x(median)), Math.max(x(1), x(median))];
  const middle = y + ROW / 2;
  const limit = goal && ("atLeast" in goal ? goal.atLeast : goal.atMost);
  return [
    `<text x="24" y="${y + 15}">${escaped(label)}</text>`,
    `<rect x="${round(from)}" y="${y + 5}" width="${round(to - from)}" height="${ROW - 10}" fill="#4a7fb5"/>`,
    `<line x1="${round(x(min))}" y1="${middle}" x2="${round(x(max))}" y2="${middle}" stroke="#1b3a57" stroke-width="2"/>`,
    limit
      ? `<line x1="${round(x(limit))}" y1="${y + 2}" x2="${round(x(limit))}" y2="${y + ROW - 2}" stroke="#c33" stroke-width="2"><title>${escaped(goalText(goal))}</title></line>`
      : "",
    `<text x="${RIGHT + 12}" y="${y + 15}">${digits(median)} (${digits(min)} to ${digits(max)})</text>`,
  ].join("");
}

function round(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
