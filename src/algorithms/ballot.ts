/**
 * The round number of one attempt to agree: totally ordered, and used once, ever. Written with a fixed width, so that
 * comparing the text compares the ballots, in Lua as well (whose order of texts goes by locale, but for digits and
 * lower-case hex of equal length it is the same everywhere).
 * Source: Lamport, "Paxos Made Simple"; Rystsov, "CASPaxos".
 */
export type Ballot = string;

/** A ballot above `above`. `nonce`: 24 lower-case hex digits that nobody else uses. */
export function ballotAbove(above: Ballot | null, nonce: string): Ballot {
  if (!/^[0-9a-f]{24}$/.test(nonce)) throw new TypeError("a nonce of 24 lower-case hex digits");
  const round = above === null ? 1 : Number.parseInt(above.slice(0, ROUND_DIGITS), 16) + 1;
  return `${round.toString(16).padStart(ROUND_DIGITS, "0")}:${nonce}`;
}

/** What one acceptor says to `prepare`. */
export type PromiseReply =
  /** It will accept nothing below the ballot; here is what it accepted last, if anything. */
  | {
      readonly kind: "promised";
      readonly accepted: { readonly ballot: Ballot; readonly value: string } | null;
    }
  /** It has promised a ballot as high or higher. */
  | { readonly kind: "refused"; readonly promised: Ballot };

/** The value that a proposer must take over: the one accepted under the highest ballot. Null: it is free to choose. */
export function valueToKeep(promises: readonly PromiseReply[]): string | null {
  let best: { readonly ballot: Ballot; readonly value: string } | null = null;
  for (const promise of promises) {
    if (promise.kind !== "promised" || promise.accepted === null) continue;
    if (best === null || promise.accepted.ballot > best.ballot) best = promise.accepted;
  }
  return best?.value ?? null;
}

const ROUND_DIGITS = 12;
