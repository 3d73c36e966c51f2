import { cli } from "../cli.js";

/** Runs `quorate ...args` against an instance. */
export function against(url: string, ...args: string[]) {
  return cli(args, { QUORATE_URL: url });
}

/** The cells of a table: of its head and of each line, which are two spaces or more apart. */
export function cells(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
}
