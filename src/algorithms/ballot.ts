/**
 * The round number of one attempt to change a register: totally ordered, and never used twice. It has a fixed width, so
 * that comparing the texts compares the ballots. This holds in Lua as well: there the order of texts depends on the
 * locale, but it is the same in every locale for digits and lower-case hex of equal length. Source: Lamport, "Paxos
 * Made Simple"; Rystsov, "CASPaxos".
 */
export type Ballot = string;

const ROUND_DIGITS = 12;

/** A ballot above `above`. `nonce`: 24 lower-case hex digits that no other ballot uses. */
export function ballotAbove(above: Ballot | null, nonce: string): Ballot {
  if (!/^[0-9a-f]{24}$/.test(nonce)) throw new TypeError("a nonce of 24 lower-case hex digits");
  const round = above === null ? 1 : Number.parseInt(above.slice(0, ROUND_DIGITS), 16) + 1;
  return `${round.toString(16).padStart(ROUND_DIGITS, "0")}:${nonce}`;
}

/** The round of a ballot. */
export function roundOf(ballot: Ballot): number {
  return Number.parseInt(ballot.slice(0, ROUND_DIGITS), 16);
}

/** The first ballot of a round: below all that are made in it, since no nonce is zero. */
export function floorOf(round: number): Ballot {
  return `${round.toString(16).padStart(ROUND_DIGITS, "0")}:${"0".repeat(24)}`;
}

/** Below all ballots. */
export const NO_BALLOT: Ballot = floorOf(0);

/** One acceptor's reply to `prepare`. */
export type PromiseReply =
  /** The acceptor will accept nothing below the ballot. `accepted`: the value that it accepted last, if any. */
  | {
      readonly kind: "promised";
      readonly accepted: { readonly ballot: Ballot; readonly value: string } | null;
    }
  /** The acceptor has promised a ballot as high or higher. */
  | { readonly kind: "refused"; readonly promised: Ballot };

/** The value accepted under the highest ballot: a change must start from it. Null: none was accepted. */
export function latestAccepted(promises: readonly PromiseReply[]): string | null {
  let best: { readonly ballot: Ballot; readonly value: string } | null = null;
  for (const promise of promises) {
    if (promise.kind !== "promised" || promise.accepted === null) continue;
    if (best === null || promise.accepted.ballot > best.ballot) best = promise.accepted;
  }
  return best?.value ?? null;
}

/** The higher of two ballots. */
export function higherBallot(one: Ballot | null, other: Ballot | null): Ballot | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}
