/**
 * What can happen to the messages of an attempt: each may be delivered at any time or never, its reply heard or not,
 * at once or late, and some are delivered twice. How a primary answers is the model's.
 */
import {
  ASKING,
  type AttemptWorld,
  type CommitRule,
  deadline,
  hear,
  REFUSED,
  raisesAtDeadline,
  raisesOf,
  setRaises,
} from "./attempt.js";
import type { Done } from "./explore.js";
import { at } from "./world.js";

/** A primary's part. Both return its counter, or `REFUSED`, and then they change nothing. */
export interface Voting<W extends AttemptWorld> {
  acquire(primary: W["primaries"][number], client: number, world: W): number;
  raise(primary: W["primaries"][number], client: number, target: number, world: W): number;
  /** One for all, or by client. */
  readonly rule: CommitRule | ((client: number) => CommitRule);
  /** `late`: a reply is under way for as long as it likes; `at once`: it comes with the message's effect, or never. */
  readonly replies: "at once" | "late";
}

export function messageSteps<W extends AttemptWorld>(
  now: W,
  fork: () => W,
  done: Done,
  client: number,
  voting: Voting<W>,
): void {
  const { phase } = at(now.clients, client);
  const rule = ruleFor(voting, client);
  for (let j = 0; j < now.primaries.length; j++) {
    const link = at(at(now.primaries, j).links, client);
    const { acquires, replies } = link;
    const raises = raisesOf(link);
    if (acquires > 0) deliver(now, fork, done, client, j, 0, voting);
    for (let target = 1; 1 << target <= raises; target++)
      if (raises & (1 << target)) deliver(now, fork, done, client, j, target, voting);
    if (phase !== ASKING) continue;
    for (let counter = 1; 1 << counter <= replies; counter++) {
      if (!(replies & (1 << counter))) continue;
      const next = fork();
      const nextLink = at(at(next.primaries, j).links, client);
      nextLink.replies &= ~(1 << counter);
      hear(next, client, nextLink, counter, rule);
      done(`{client} hears from {primary}: ${counter}`, j, client);
    }
  }
  if (phase === ASKING && raisesAtDeadline(now, client, rule)) {
    deadline(fork(), client, rule);
    done("{client} waits no longer, and raises", 0, client);
  }
}

function ruleFor<W extends AttemptWorld>({ rule }: Voting<W>, client: number): CommitRule {
  return typeof rule === "function" ? rule(client) : rule;
}

/** A message reaches a primary: a raise to `target`, or an acquire when that is 0. */
function deliver<W extends AttemptWorld>(
  now: W,
  fork: () => W,
  done: Done,
  client: number,
  place: number,
  target: number,
  voting: Voting<W>,
): void {
  const listening = at(now.clients, client).phase === ASKING;
  for (let twice = 0; twice <= (now.shared.repeats > 0 ? 1 : 0); twice++)
    for (let heard = listening ? 1 : 0; heard >= 0; heard--) {
      const next = fork();
      const primary = at(next.primaries, place);
      const link = at(primary.links, client);
      const reply =
        target > 0 ? voting.raise(primary, client, target, next) : voting.acquire(primary, client, next);
      // What changes nothing and tells nothing new is as good as not delivered.
      if (reply === REFUSED) return;
      if (heard && link.heard === reply) continue;
      if (!heard && same(now.words, next.words)) continue;
      if (twice) next.shared.repeats--;
      else if (target > 0) setRaises(link, raisesOf(link) & ~(1 << target));
      else link.acquires = 0;
      if (heard && voting.replies === "late") link.replies |= 1 << reply;
      else if (heard) hear(next, client, link, reply, ruleFor(voting, client));
      done(textOf(target, twice, heard), place, client);
    }
}

/** Made once each: a text is asked for with every step, and read with hardly any. */
const texts = new Map<number, string>();

function textOf(target: number, twice: number, heard: number): string {
  const key = target * 4 + twice * 2 + heard;
  let text = texts.get(key);
  if (text === undefined) {
    const what = target > 0 ? `raise to ${target}` : "acquire";
    text = `${what} of {client} reaches {primary}${twice ? ", a first time" : ""}${heard ? "" : ", unheard"}`;
    texts.set(key, text);
  }
  return text;
}

function same(one: Uint32Array, other: Uint32Array): boolean {
  for (let k = 0; k < one.length; k++) if (one[k] !== other[k]) return false;
  return true;
}
