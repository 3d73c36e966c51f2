import Table from "cli-table3";
import { printable, printableJson } from "./printable.js";

export { printable } from "./printable.js";

/** Prints JSON on stdout, indented: for people who look, and for programs. */
export function printJson(value: unknown): void {
  printLine(printableJson(JSON.stringify(value, null, 2)));
}

/** Prints one JSON text per line, for what goes on. */
export function printJsonLine(value: unknown): void {
  printLine(printableJson(JSON.stringify(value)));
}

/** Prints text and the end of its last line. What others wrote goes through `printable` first. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

export type Cell = string | number | null | undefined;

/** Prints a table without borders, its head in capitals. Null and undefined show as `-`. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const lines = [
    head.map((title) => title.toUpperCase()),
    ...rows.map((row) => row.map((cell) => printable(String(cell ?? "-")))),
  ];
  const parts: string[][][] = [];
  for (let first = 0; first < lines.length; first += PART) parts.push(lines.slice(first, first + PART));
  const widths = head.map(() => 0);
  for (const part of parts)
    for (const [place, width] of widthsOf(part).entries())
      widths[place] = Math.max(widths[place] ?? 0, width);
  for (const part of parts) {
    const text = tableOf(part, widths).toString();
    // The last column is padded too.
    printLine(text.replace(/ +$/gm, ""));
  }
}

/** The library's time grows with the square of the lines: it gets some at a time, and the widths of all. */
const PART = 20;

function widthsOf(lines: string[][]): readonly number[] {
  const table = tableOf(lines);
  table.toString();
  return table.options.colWidths.map((width) => width ?? 0);
}

function tableOf(lines: string[][], colWidths: number[] = []) {
  const style = { head: [], border: [], "padding-left": 0, "padding-right": 0 };
  const table = new Table({ chars: NO_BORDERS, style, colWidths });
  table.push(...lines);
  return table;
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};
