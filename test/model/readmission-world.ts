/** What the readmission model is made of: its variants, its bounds and its state. */
import { attemptClient, attemptLink } from "./attempt.js";
import type { PrimaryOf, World } from "./world.js";

/** The right protocol, and what it would be without one of its rules. */
export type ReadmissionVariant =
  | "right"
  /** A primary keeps its configuration when it loses its data, and takes part as if nothing had been. */
  | "a wiped primary just goes on"
  /** It is given what the others have, and the configuration stays. */
  | "no fence"
  | "copied before the fence"
  /** No prepare and accept; and versions are compared, not nonces. */
  | "each writes its own configuration"
  | "a ballot used twice"
  /** Where the mark is refused, nobody goes on. */
  | "the fence waits for the mark"
  /** Whoever has no configuration votes on the successor of any. */
  | "an empty primary votes"
  /** One less than a majority of N among the others is fenced and read. */
  | "the wiped primary counts towards the fence"
  | "counters copied without floors"
  | "floors read before counters"
  /** A primary that loses its data, but not its process, passes for the same. */
  | "a primary is known by its process"
  /** Replies from one configuration count in the next. */
  | "an attempt changes its configuration"
  | "no quarantine"
  /** The leases that a primary waits for do not count towards its own high-water mark. */
  | "the quarantine is not handed on";

export interface ReadmissionOptions {
  readonly variant: ReadmissionVariant;
  readonly primaries: number;
  readonly clients: number;
  readonly reconcilers: number;
  /**
   * `in one step` begins with what is agreed on. Clients can neither see nor hinder an agreement, and without clients it
   * is explored by ballots: so what this leaves out is only that a primary is wiped in the middle of one.
   */
  readonly agreement: "by ballots" | "in one step";
  /** How many ballots each reconciler has for a version. */
  readonly ballots: number;
  readonly wipes: number;
  /** Whether a reconciler may go on without knowing that its mark arrived. Costs a version at worst, and many states. */
  readonly marksLost: boolean;
  /** How often a primary drops a counter into its floor. */
  readonly drops: number;
  readonly reading: "at once" | "counters, then floors";
  /** `wrong`: holds end at any moment. `right`: only when their lease is over for its client, too. */
  readonly clocks: "wrong" | "right";
}

export const fields = {
  primary: [
    "held",
    /** The hold's counter: what the primary replies. */
    "noted",
    /** The name's counter. 0: missing. */
    "counter",
    "floor",
    "configuration",
    /** Counts how often it was wiped. */
    "incarnation",
    /** The configuration in which an empty primary is to be readmitted. */
    "marked",
    /** Which of its incarnations each configuration means. */
    "listed",
    /** The acceptor's part for the successor of its configuration: two ballots and a configuration. */
    "promised",
    "accepted",
    "value",
  ],
  link: [
    ...attemptLink,
    /** The primary has granted this client's lease: it counts towards the high-water mark. */
    "granted",
    /** The primary's quarantine lasts until this client's lease is over. */
    "waits",
  ],
  client: [
    ...attemptClient,
    "configuration",
    /** The time of its lease is over. */
    "over",
    /** Reconcilers that know of its lease, as bits. */
    "seenBy",
  ],
  visit: [
    /** This is the primary that the reconciler readmits. */
    "target",
    /** How many requests of its present stage the primary answered. */
    "reached",
  ],
  reconciler: [
    "stage",
    /** The configuration whose successor it seeks, and how many of its ballots for that it has used. */
    "base",
    "used",
    /** The highest ballot under which somebody accepted something. */
    "best",
    /** What it proposes, or what was agreed. */
    "configuration",
    /** Identity of its target. */
    "seen",
    /** What it read. */
    "counter",
    "floor",
  ],
  /** `second`, `third`: the configuration of that version that was agreed on or came into force. `split`: two did. */
  shared: ["repeats", "wipes", "drops", "second", "third", "split"],
  naming: ["held"],
} as const;

export type ReadmissionShape = typeof fields & {
  primaries: number;
  clients: number;
  reconcilers: number;
  alike: number;
};
export type ReadmissionWorld = World<ReadmissionShape>;
export type Reconciler = ReadmissionWorld["reconcilers"][number];
export type Primary = PrimaryOf<ReadmissionShape>;

/** Never falls; every write starts from it. */
export function eff({ counter, floor }: Primary): number {
  return Math.max(counter, floor);
}
