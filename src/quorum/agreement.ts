import { fullJitterMs } from "../algorithms/backoff.js";
import { type Ballot, ballotAbove, higherBallot, latestAccepted } from "../algorithms/ballot.js";
import type { Clock, Random } from "../clock.js";
import type { Ids } from "../ids.js";
import type { Primary } from "../redis/primary.js";
import { accept, prepare } from "../scripts/configuration-calls.js";
import type { Call } from "../scripts/scripts.js";
import { answerOf, Votes } from "./answers.js";

/** A primary that takes part, as it was observed: its memory only counts while it still is in these epochs. */
export interface Acceptor {
  readonly primary: Primary;
  readonly connectionEpoch: number;
  readonly configurationEpoch: string;
}

/**
 * Changes the value of `register` by prepare and accept, and gives the new one: `fn` of the value accepted under the
 * highest ballot, or of null. `fn` must be pure; it may be called several times, and may meet a value of its own that an
 * earlier attempt left on some acceptors, so applying it to that must not change it again.
 *
 * Any proposer carries on what another began. It is settled by a quorum and waits for no other acceptor. Null: no quorum
 * could be won now; the change may still come into force later. Any two quorums that are used for one register must have
 * an acceptor in common. Source: Rystsov, "CASPaxos".
 */
export async function change(
  register: string,
  fn: (value: string | null) => string,
  acceptors: readonly Acceptor[],
  quorum: number,
  dependencies: {
    readonly clock: Clock;
    readonly random: Random;
    readonly ids: Pick<Ids, "hexNonce">;
  },
): Promise<string | null> {
  const { clock, random, ids } = dependencies;
  let highest: Ballot | null = null;
  /** The replies of a quorum in favour, as soon as they are there; null: it cannot be won any more. */
  const win = async <T>(call: Call<T>, refusedFor: (reply: T) => Ballot | null) => {
    const votes = new Votes<T>(acceptors.length);
    acceptors.forEach(async ({ primary, connectionEpoch, configurationEpoch }, index) => {
      const answer = await answerOf(primary, () => primary.runAs(connectionEpoch, configurationEpoch, call));
      // Late refusals count as well: the next ballot should be above all that are in the way.
      if (answer.ok) highest = higherBallot(highest, refusedFor(answer.value));
      votes.note(index, answer);
    });
    return votes.until(({ values, pending }) => {
      const inFavour = values.filter((reply) => refusedFor(reply) === null);
      if (inFavour.length >= quorum) return inFavour;
      return inFavour.length + pending < quorum ? null : undefined;
    });
  };
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (attempt > 0) await clock.sleep(fullJitterMs(attempt, 5, 80, random()));
    const ballot = ballotAbove(highest, ids.hexNonce());
    const promises = await win(prepare(register, ballot), (reply) =>
      reply.kind === "refused" ? reply.promised : null,
    );
    if (!promises) continue;
    const value = fn(latestAccepted(promises));
    if (await win(accept(register, ballot, value), (promised) => promised)) return value;
  }
  return null;
}

const ATTEMPTS_MAX = 6;
