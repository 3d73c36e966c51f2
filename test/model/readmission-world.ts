/** What a readmission model is made of: its variants, its bounds and its state. */
import { attemptClient, attemptLink } from "./attempt.js";
import type { PrimaryOf, World } from "./world.js";

export type ReadmissionVariant =
  | "right"
  /** Wrong, each of them. */
  | "a wiped primary just goes on"
  | "no fence"
  | "copied before the fence"
  | "each writes its own configuration"
  | "a ballot used twice"
  | "the fence waits for the mark"
  | "an empty primary votes"
  | "the wiped primary counts towards the fence"
  | "counters copied without floors"
  | "counters copied for what they count"
  | "floors read before counters"
  | "a primary is known by its process"
  | "an attempt changes its configuration"
  | "no quarantine";

export interface ReadmissionOptions {
  readonly variant: ReadmissionVariant;
  readonly primaries: number;
  readonly clients: number;
  readonly keepers: number;
  /** How many ballots each keeper has for a version. */
  readonly ballots: number;
  readonly wipes: number;
  /** Whether a keeper may go on without knowing that its mark arrived: that costs a version at worst, and many states. */
  readonly marksLost: boolean;
  /** How often a primary drops a counter into its floor. */
  readonly drops: number;
  readonly reading: "at once" | "counters, then floors";
  /** `wrong`: holds end at any moment. `right`: only when their lease is over for its client, too. */
  readonly clocks: "wrong" | "right";
  /** Counters to begin with, one for each primary; 0 when left out. */
  readonly counters?: readonly number[];
}

export const fields = {
  // `promised`, `accepted` and `value` are the acceptor's part for the successor of `configuration`.
  // `marked`: the configuration in which an empty primary is to be readmitted.
  primary: [
    "held",
    "counter",
    "floor",
    "configuration",
    "incarnation",
    "marked",
    "listed",
    "promised",
    "accepted",
    "value",
  ],
  // `mark`: the lease of this client counts towards the primary's high-water mark. `waits`: its quarantine waits for it.
  link: [...attemptLink, "mark", "waits"],
  // `marked`: keepers that read a mark of this client's lease.
  client: [...attemptClient, "configuration", "over", "marked"],
  visit: ["target", "reached"],
  keeper: ["stage", "base", "used", "best", "configuration", "seen", "counter", "floor"],
  shared: ["repeats", "wipes", "drops", "second", "third", "split"],
  naming: ["held"],
} as const;

export type ReadmissionShape = typeof fields & { primaries: number; clients: number; keepers: number; alike: number };
export type ReadmissionWorld = World<ReadmissionShape>;
export type Keeper = ReadmissionWorld["keepers"][number];
export type Primary = PrimaryOf<ReadmissionShape>;

/** Never falls; every write starts from it. */
export function eff({ counter, floor }: Primary): number {
  return counter || floor;
}
