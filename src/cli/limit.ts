import { InvalidArgumentError } from "commander";

/** Of an option: a whole number from 1. Throws commander's error where it is anything else. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}

/** The same for `--limit` of what is printed. */
export const LIMIT = ["--limit <n>", "print at most so many", count] as const;
