import { InvalidArgumentError } from "commander";

/** Of an option: `500ms`, `3s`, `5m` or `1h`, as ms. Throws commander's error where it is anything else. */
export function duration(text: string): number {
  const [, digits, unit = "ms"] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  if (digits === undefined && text !== "0")
    throw new InvalidArgumentError("A duration is a whole number and its unit: 500ms, 3s, 5m or 1h.");
  return Number(digits ?? 0) * (MS[unit] as number);
}

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** For people: `850 ms`, `12 s`, `4 min 5 s`, `2 h 3 min`, `5 d 2 h`. */
export function inWords(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const s = Math.floor(ms / 1_000);
  for (const [longMs, long, shortMs, short] of UNITS) {
    if (s * 1_000 < longMs) continue;
    const rest = Math.floor((s * 1_000 - Math.floor((s * 1_000) / longMs) * longMs) / shortMs);
    return `${Math.floor((s * 1_000) / longMs)} ${long}${rest > 0 ? ` ${rest} ${short}` : ""}`;
  }
  return `${s} s`;
}

const UNITS = [
  [86_400_000, "d", 3_600_000, "h"],
  [3_600_000, "h", 60_000, "min"],
  [60_000, "min", 1_000, "s"],
] as const;
