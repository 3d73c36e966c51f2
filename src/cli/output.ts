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
  const table = new Table({
    head: head.map((title) => title.toUpperCase()),
    chars: NO_BORDERS,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  for (const row of rows) table.push(row.map((cell) => printable(String(cell ?? "-"))));
  // The last column is padded too.
  const lines = table.toString().split("\n");
  printLine(lines.map((line) => line.trimEnd()).join("\n"));
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
