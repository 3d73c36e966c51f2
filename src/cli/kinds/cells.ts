import { inWords } from "../duration.js";
import type { Cell } from "../output.js";

/** What all holders have, as cells. */
export const HOLDING = ["held for", "expires in"] as const;

export function holding({ heldForMs, expiresInMs }: { heldForMs: number; expiresInMs: number }): Cell[] {
  return [inWords(heldForMs), inWords(expiresInMs)];
}

/** A holder without a label. */
export const NO_LABEL = "(no label)";

/** JSON that others publish, cut where it would make the table too wide. */
export function json(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > JSON_LENGTH_MAX ? `${text.slice(0, JSON_LENGTH_MAX - 1)}…` : text;
}

const JSON_LENGTH_MAX = 60;
