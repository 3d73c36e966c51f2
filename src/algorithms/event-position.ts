import { createHash } from "node:crypto";
import type { Position } from "./event-window.js";

/**
 * A position in the streams of all primaries as text, for whoever comes back, to any instance: per primary a digest of what it
 * was then, and a place. At most 140 characters of `A-Z a-z 0-9 - _ . ~` for seven primaries.
 */
export function positionText(position: Position): string | null {
  const parts = position.flatMap((one) =>
    one === null
      ? []
      : [`${digestOf(one.incarnation)}${one.place.ms.toString(RADIX)}.${one.place.seq.toString(RADIX)}`],
  );
  return parts.length === 0 ? null : parts.join(SEPARATOR);
}

/** The position that a text stands for, on primaries that are these now, in their order. What does not fit is left out. */
export function parsePosition(text: string, incarnations: readonly (string | null)[]): Position {
  const places = new Map(
    [...text.matchAll(PART)].map(([, digest = "", ms = "", seq = ""]) => [
      digest,
      { ms: Number.parseInt(ms, RADIX), seq: Number.parseInt(seq, RADIX) },
    ]),
  );
  return incarnations.map((incarnation) => {
    const place = incarnation === null ? undefined : places.get(digestOf(incarnation));
    return incarnation === null || !place ? null : { incarnation, place };
  });
}

function digestOf(incarnation: string): string {
  return createHash("sha256").update(incarnation).digest("base64url").slice(0, DIGEST_LENGTH);
}

const RADIX = 36;
const DIGEST_LENGTH = 8;
const SEPARATOR = "~";
const PART = /([A-Za-z0-9_-]{8})([0-9a-z]{1,11})\.([0-9a-z]{1,8})(?:~|$)/g;
