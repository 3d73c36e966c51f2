import type { Ballot } from "../algorithms/ballot.js";
import type { Copy } from "../algorithms/register.js";

/** What a primary has stored of a register, as lua/lib/registers.lua describes it. `nowMs`: its clock, ms since 1970. */
export function copyIn(stored: string, nowMs: number): Copy {
  const ends = stored.slice(111, HEAD - 2);
  return {
    promised: stored.slice(0, BALLOT) as Ballot,
    accepted: stored.slice(BALLOT, 2 * BALLOT) as Ballot,
    etag: stored.slice(2 * BALLOT, 3 * BALLOT) as Ballot,
    leftMs: ends === NEVER ? null : Number(ends) - nowMs,
    isLive: stored[HEAD - 2] === "1",
    isCopied: stored[HEAD - 1] === "1",
    text: stored.slice(HEAD),
  };
}

/** Characters of a ballot. */
export const BALLOT = 37;
const HEAD = 128;
const NEVER = "000000000000000";
