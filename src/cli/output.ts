import Table from "cli-table3";

/** Prints JSON on stdout, indented: for people who look, and for programs. */
export function printJson(value: unknown): void {
  printLine(withoutControls(JSON.stringify(value, null, 2)));
}

/** Prints one JSON text per line, for what goes on. */
export function printJsonLine(value: unknown): void {
  printLine(withoutControls(JSON.stringify(value)));
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

/** What others wrote may have control characters, with which they could rewrite the terminal: they are shown as `\u001b`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped);
}

/** JSON escapes only some of them by itself. It has line feeds between its values, and none within. */
function withoutControls(json: string): string {
  return json.replace(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, escaped);
}

function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, place) => text.charCodeAt(place));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
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
