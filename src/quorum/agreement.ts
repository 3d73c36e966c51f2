import { fullJitterMs } from "../algorithms/backoff.js";
import { type Ballot, ballotAbove, valueToKeep } from "../algorithms/ballot.js";
import type { Clock, Random } from "../clock.js";
import type { Primary } from "../redis/primary.js";
import { accept, prepare } from "../scripts/configuration-calls.js";
import type { Call } from "../scripts/scripts.js";

/** A primary that takes part in an agreement, as it was seen: its memory is only asked while it still is that. */
export interface Acceptor {
  readonly primary: Primary;
  readonly connectionEpoch: number;
  readonly configurationEpoch: string;
}

/**
 * Agrees on one value for `register` by prepare and accept: everybody who ever gets a value from here, for the same
 * register, gets the same. Null: no quorum of the acceptors could be won now; the proposal may still be agreed on
 * later. Any two quorums that are used on one register must have an acceptor in common.
 */
export async function agree(
  register: string,
  proposal: string,
  acceptors: readonly Acceptor[],
  quorum: number,
  world: { readonly clock: Clock; readonly random: Random; readonly ballotNonce: () => string },
): Promise<string | null> {
  let above: Ballot | null = null;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (attempt > 0) await world.clock.sleep(fullJitterMs(attempt, 5, 80, world.random()));
    const ballot = ballotAbove(above, world.ballotNonce());
    const promises = await askAll(acceptors, prepare(register, ballot));
    for (const promise of promises) if (promise.kind === "refused") above = higher(above, promise.promised);
    if (promises.filter((promise) => promise.kind === "promised").length < quorum) continue;

    const value = valueToKeep(promises) ?? proposal;
    const replies = await askAll(acceptors, accept(register, ballot, value));
    if (replies.filter((promised) => promised === null).length >= quorum) return value;
    for (const promised of replies) above = higher(above, promised);
  }
  return null;
}

/** The values of those that answered. */
async function askAll<T>(acceptors: readonly Acceptor[], call: Call<T>): Promise<T[]> {
  const replies = await Promise.all(
    acceptors.map(({ primary, connectionEpoch, configurationEpoch }) =>
      primary.runAs(connectionEpoch, configurationEpoch, call).then(
        (value) => [value],
        () => [],
      ),
    ),
  );
  return replies.flat(1) as T[];
}

function higher(a: Ballot | null, b: Ballot | null): Ballot | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

const ATTEMPTS_MAX = 6;
