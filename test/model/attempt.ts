/**
 * The caller's side of an attempt to take a lock: ask all primaries, then let the replies decide by the rule that the
 * service itself uses. Shared by all models; what a primary does with a message is theirs.
 *
 * Messages and replies may be late, lost or repeated. A message under way may be delivered at any time or never, so
 * losing one needs no step of its own.
 */
import {
  exactMajority,
  majorityOf,
  raisedMajority,
  sharedMajority,
  type Verdict,
} from "../../src/algorithms/tally.js";
import { at } from "./world.js";

/** Between a client and a primary: messages and replies under way (sets as bits), and what the client heard. */
export const attemptLink = ["acquires", "raises", "replies", "heard"] as const;
/** `after`: the highest token committed when the attempt began. `target`: what it last raised to. */
export const attemptClient = ["phase", "token", "after", "target"] as const;

export interface AttemptLink {
  acquires: number;
  raises: number;
  /** For targets from 8 on, where a model has them. */
  raisesHigh?: number;
  replies: number;
  heard: number;
}
export interface AttemptClient {
  phase: number;
  token: number;
  after: number;
  target: number;
}
export interface AttemptWorld {
  readonly words: Uint32Array;
  readonly primaries: readonly { readonly links: readonly AttemptLink[] }[];
  readonly clients: readonly AttemptClient[];
  /** How many messages may still be delivered a second time. */
  readonly shared: { repeats: number };
}

export const IDLE = 0;
export const ASKING = 1;
export const COMMITTED = 2;
export const GAVE_UP = 3;

/** A primary's refusal. In `heard`, and as a counter, 0 says that there is none yet. */
export const REFUSED = 0;

/**
 * `exactly` is the rule in use, and `shared` that for readers. Wrong: `at least` counts a raised counter that went
 * beyond its target as well, and `the highest` takes the highest reply of a majority at once.
 */
export type CommitRule = "exactly" | "at least" | "shared" | "the highest";

/** Which lease a client asks for: two requests may ask for one. */
export type LeaseOf = (client: number) => number;
const oneEach: LeaseOf = (client) => client;

export function begin(world: AttemptWorld, client: number, leaseOf: LeaseOf = oneEach): void {
  const attempt = at(world.clients, client);
  attempt.phase = ASKING;
  world.clients.forEach((other, i) => {
    if (leaseOf(i) !== leaseOf(client)) attempt.after = Math.max(attempt.after, other.token);
  });
  for (const primary of world.primaries) at(primary.links, client).acquires = 1;
}

/** The counter that a primary replied reaches the client, which draws its conclusion. */
export function hear(
  world: AttemptWorld,
  client: number,
  link: AttemptLink,
  counter: number,
  rule: CommitRule = "exactly",
): void {
  if (at(world.clients, client).phase !== ASKING) return;
  link.heard = counter;
  conclude(world, client, undefined, rule);
}

/**
 * Whether the client would raise if it waited for missing replies no longer. Only then is its deadline a step of its
 * own: a client that refuses, or that never hears enough, does what one does whose replies are all lost. For the same
 * reason a refusal need not be heard.
 */
export function raisesAtDeadline(world: AttemptWorld, client: number, rule: CommitRule = "exactly"): boolean {
  return at(world.clients, client).phase === ASKING && verdictOf(world, client, null, rule).kind === "raise";
}

export function deadline(world: AttemptWorld, client: number, rule: CommitRule = "exactly"): void {
  conclude(world, client, null, rule);
}

function conclude(world: AttemptWorld, client: number, missing: null | undefined, rule: CommitRule): void {
  const attempt = at(world.clients, client);
  const verdict = verdictOf(world, client, missing, rule);
  if (verdict.kind === "raise") {
    attempt.target = verdict.to;
    for (const primary of world.primaries) {
      const link = at(primary.links, client);
      setRaises(link, raisesOf(link) | (1 << verdict.to));
      link.heard = 0;
    }
  } else if (verdict.kind === "token") {
    attempt.token = verdict.token;
    end(world, client, COMMITTED);
  }
}

/** Targets of the raises under way, as bits. */
export function raisesOf(link: AttemptLink): number {
  return link.raises | ((link.raisesHigh ?? 0) << 8);
}

export function setRaises(link: AttemptLink, bits: number): void {
  if (link.raisesHigh === undefined) {
    link.raises = bits;
    return;
  }
  link.raises = bits & 255;
  link.raisesHigh = bits >> 8;
}

/** An attempt that is over listens no more; what it sent is still under way. */
export function end(world: AttemptWorld, client: number, phase: number): void {
  const attempt = at(world.clients, client);
  attempt.phase = phase;
  attempt.target = 0;
  for (const primary of world.primaries) {
    const link = at(primary.links, client);
    link.replies = 0;
    link.heard = 0;
  }
}

function verdictOf(
  world: AttemptWorld,
  client: number,
  missing: null | undefined,
  rule: CommitRule,
): Verdict {
  const { target } = at(world.clients, client);
  // Asked millions of times of the same few replies, so each answer is kept.
  let key = RULES.indexOf(rule) * 2 + (missing === null ? 1 : 2);
  key = key * 256 + (rule === "exactly" ? 0 : target);
  for (const primary of world.primaries) key = key * 256 + at(primary.links, client).heard;
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    const majority = majorityOf(world.primaries.length);
    verdict = judged(repliesTo(world, client, missing), majority, target, rule);
    verdicts.set(key, verdict);
  }
  return verdict;
}

const RULES: readonly CommitRule[] = ["exactly", "at least", "shared", "the highest"];
const verdicts = new Map<number, Verdict>();

type Replies = readonly (number | null | undefined)[];

function judged(replies: Replies, majority: number, target: number, rule: CommitRule): Verdict {
  switch (rule) {
    case "exactly":
      return exactMajority(replies, majority);
    case "at least":
      return atLeastMajority(replies, majority, target);
    case "shared":
      return target > 0 ? raisedMajority(replies, majority, target) : sharedMajority(replies, majority);
    case "the highest":
      return theHighest(replies, majority);
  }
}

function repliesTo(world: AttemptWorld, client: number, missing: null | undefined): Replies {
  return world.primaries.map((primary) => at(primary.links, client).heard || missing);
}

/** The tempting rule, which is wrong: after a raise to t, "my counter is t or more" counts for token t. */
function atLeastMajority(replies: Replies, majority: number, target: number): Verdict {
  const enough = replies.filter((reply) => typeof reply === "number" && reply >= target).length >= majority;
  return target > 0 && enough ? { kind: "token", token: target } : exactMajority(replies, majority);
}

/** Wrong as well, and for readers tempting: the highest of a majority's replies, though only one may have got there. */
function theHighest(replies: Replies, majority: number): Verdict {
  const grants = replies.filter((reply) => typeof reply === "number");
  return grants.length >= majority ? { kind: "token", token: Math.max(...grants) } : { kind: "open" };
}

/** Tokens are unique from one lease to another, and an attempt that starts after a commit gets a higher one. */
export function tokenViolation(clients: readonly AttemptClient[], leaseOf: LeaseOf = oneEach): string | null {
  for (let i = 0; i < clients.length; i++) {
    const one = at(clients, i);
    if (one.token === 0) continue;
    if (one.token <= one.after)
      return `token ${one.token} does not follow ${one.after}, committed before it began`;
    for (let j = 0; j < i; j++)
      if (at(clients, j).token === one.token && leaseOf(i) !== leaseOf(j))
        return `two leases have token ${one.token}`;
  }
  return null;
}

const PHASES = ["idle", "asking", "committed", "gave up"];

export function showAttempt(name: string, client: AttemptClient): string {
  if (client.token > 0) return `${name}: token ${client.token}`;
  const raising = client.target > 0 ? `, raising to ${client.target}` : "";
  return `${name}: ${PHASES[client.phase]}${raising}`;
}
