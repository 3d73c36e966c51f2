/**
 * The outcome of one round of votes on a fencing token.
 *
 * - `token`: a majority replied "you own it and my counter is exactly this"; it is committed.
 * - `raise`: a majority granted it, but no counter value is on a majority; raise all to `to` and ask again.
 * - `refused`: a majority can no longer be reached.
 * - `open`: outstanding replies may still decide it.
 */
export type Verdict =
  | { readonly kind: "token"; readonly token: number }
  | { readonly kind: "raise"; readonly to: number }
  | { readonly kind: "refused" }
  | { readonly kind: "open" };

/**
 * The exact-majority rule. A reply is the counter of a primary that grants, `null` when it refused or failed,
 * `undefined` while it has not answered. Any value that a majority replied is the token, not only the highest. With "at
 * least t" in place of "exactly t" two holders could get the same token.
 */
export function exactMajority(replies: readonly (number | null | undefined)[], majority: number): Verdict {
  const grants = replies.filter((reply) => typeof reply === "number");
  const token = repliedByMajority(grants, majority);
  if (token !== undefined) return { kind: "token", token };
  const pending = replies.filter((reply) => reply === undefined).length;
  if (grants.length + pending < majority) return { kind: "refused" };
  // While the missing replies could still make one counter exact on a majority, a raise could waste a round trip.
  const best = Math.max(0, ...grants.map((value) => grants.filter((other) => other === value).length));
  if (pending > 0 && best + pending >= majority) return { kind: "open" };
  return grants.length >= majority ? { kind: "raise", to: Math.max(...grants) } : { kind: "open" };
}

/**
 * The rule for readers, which share the odd counter between two writers: the token is the highest counter, if a
 * majority replied it; otherwise all are raised to it once (`raisedMajority`).
 */
export function sharedMajority(replies: readonly (number | null | undefined)[], majority: number): Verdict {
  const grants = replies.filter((reply) => typeof reply === "number");
  const pending = replies.filter((reply) => reply === undefined).length;
  if (grants.length + pending < majority) return { kind: "refused" };
  const highest = Math.max(...grants);
  const votes = grants.filter((reply) => reply === highest).length;
  if (votes >= majority) return { kind: "token", token: highest };
  if (grants.length < majority || votes + pending >= majority) return { kind: "open" };
  return { kind: "raise", to: highest };
}

/** The rule after readers were raised to `to`: that is the token once a majority has reached or passed it. */
export function raisedMajority(
  replies: readonly (number | null | undefined)[],
  majority: number,
  to: number,
): Verdict {
  const there = replies.filter((reply) => typeof reply === "number" && reply >= to).length;
  const pending = replies.filter((reply) => reply === undefined).length;
  if (there >= majority) return { kind: "token", token: to };
  return { kind: there + pending >= majority ? "open" : "refused" };
}

/** The value that a majority replied; undefined: none yet. */
export function repliedByMajority<T extends string | number | boolean>(
  replies: readonly T[],
  majority: number,
): T | undefined {
  for (const value of replies) {
    let votes = 0;
    for (const other of replies) if (other === value) votes += 1;
    if (votes >= majority) return value;
  }
  return undefined;
}

/** How many primaries it takes for any two decisions to have one in common. */
export function majorityOf(primaries: number): number {
  return Math.floor(primaries / 2) + 1;
}
