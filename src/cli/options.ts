import { hostname } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { lostNumberIn } from "../algorithms/lost-numbers.js";
import { duration } from "./duration.js";

/** An option whose value is a duration; `fallback` is one as well. */
export const durationOption = (flags: string, description: string, fallback?: string): Option => {
  const option = new Option(flags, description).argParser(duration);
  return fallback === undefined ? option : option.default(duration(fallback), fallback);
};

/** Of an option: a whole number from `min` on. */
export const whole =
  (min: number) =>
  (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} on.`);
  };

/** Of an option: a number that is not negative. */
export function number(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number, not below 0.");
}

/** Of an option that may be repeated: all that were given. */
export const repeated = (text: string, all: readonly string[] = []): string[] => [...all, text];

/** Of an option: any JSON. */
export function json(text: string): unknown {
  const lost = lostNumberIn(text);
  if (lost)
    throw new InvalidArgumentError(
      `${lost.token.slice(0, 100)} cannot be represented exactly: put it in quotes.`,
    );
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError(`It must be JSON, such as '{"build": "7f3a"}'.`);
  }
}

/** An option that says what others see of this process. Unless given, no other is called so. */
export const nameOption = (flags: string, description: string): Option =>
  new Option(flags, description).default(`${hostname()}:${process.pid}`, "host:pid");
