import type { Measured } from "../comparison/rounds.js";

/** A number with three significant digits, and with separators from a thousand on. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en");
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A figure with its unit: `0.57 x`, `611 bytes`. */
export function amount(value: number, unit: Measured["unit"]): string {
  return `${digits(value)} ${unit ?? "x"}`;
}

/** `at least 0.55`; empty without a goal. */
export function goalText(goal: Measured["goal"]): string {
  if (!goal) return "";
  return "atLeast" in goal ? `at least ${digits(goal.atLeast)}` : `at most ${digits(goal.atMost)}`;
}
