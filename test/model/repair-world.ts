/** What the model of renewing with repair is made of: its variants, its bounds and its state. */
import { majorityOf } from "../../src/algorithms/tally.js";
import { attemptClient, attemptLink } from "./attempt.js";
import type { Mode } from "./parity.js";
import type { ClientOf, LinkOf, PrimaryOf, World } from "./world.js";

/** The right rules, and what they would be without one of them. */
export type RepairVariant =
  | "right"
  /** A renewal extends a hold whatever its counter at the grant. */
  | "renewed whatever was granted since"
  /** A primary is repaired though its counter went beyond the token: somebody had the name. */
  | "repaired whoever had it since"
  /** A renewal takes the hold again where it is missing, and counts that. Harmless if it left a nonce, as it does not. */
  | "a repair is a vote"
  | "a release leaves the counter"
  /** No tombstone where a release finds no hold. */
  | "a release leaves nothing where it finds nothing"
  /** No tombstone where it finds a hold that no attempt has asked for yet, but a repair made. */
  | "a release trusts a repaired hold"
  | "a reader's release leaves no tombstone"
  /** Tombstones only on primaries where the broken lease has a hold. */
  | "a break leaves nothing where it finds nothing"
  /** A break ends what it finds on each primary, not the leases that were seen before. */
  | "a break ends whoever holds"
  /** Clean-up of a request frees a hold that a renewal has counted: of its lease, but granted to another request. */
  | "a renewal leaves no nonce"
  | "no fence"
  | "no quarantine";

export interface RepairOptions {
  readonly variant: RepairVariant;
  /** Of the lease that renews (A, or A and B) and of the other. */
  readonly modes: readonly [Mode, Mode];
  /** Whether a second request asks for the lease that renews: it may give up at any time, and cleans up then. */
  readonly second: "none" | "gives up at once" | "asks";
  /** How often each request renews, and how often the other lease's does. */
  readonly renewals: number;
  readonly othersRenewals: number;
  /** How the lease that renews may be ended from outside, too. */
  readonly ending: "none" | "release" | "break";
  /** How many primaries are wiped and readmitted. */
  readonly wipes: 0 | 1;
  /** `wrong`: holds end at any moment. `right`: only when all that was sent before their last extension is over. */
  readonly clocks: "wrong" | "right";
  /** `acquired`: the lease that renews has been granted by two of three primaries; `late`: and the third may follow. */
  readonly from: "nothing" | "acquired" | "acquired late";
}

export const PRIMARIES = 3;
export const MAJORITY = majorityOf(PRIMARIES);

/** Of a message, and of what it brings about. */
export const UNDER_WAY = 1;
export const DONE = 2;

export const fields = {
  primaries: PRIMARIES,
  primary: [
    "counter",
    /** 0: none, as it was wiped. 2: the one in which the wiped primary is readmitted. */
    "configuration",
    "quarantine",
    /** A break: 1 under way, 2 done. */
    "breakage",
  ],
  link: [
    ...attemptLink,
    "raisesHigh",
    // The hold, of the first request of a lease: its counter (0: none), that at its grant, and how many operations of
    // its lease had begun when it was last extended.
    "noted",
    "granted",
    "extendedAt",
    /** A nonce of the request is in the hold. */
    "nonce",
    /** A renewal has counted the hold: no clean-up frees it. */
    "kept",
    "buried",
    // Messages: 1 under way.
    "cleanUp",
    "renewal",
    /** 2: done. */
    "release",
    /** 1: the primary said that it lacks the hold, 2: its repair is under way. */
    "repair",
    /** The primary is a vote of the last renewal. */
    "extended",
  ],
  client: [
    ...attemptClient,
    "configuration",
    // Of the first request of a lease: how many operations began, and of how many the time to live is over.
    "begun",
    "over",
    /** Which of them was the request, its last renewal, and its last renewal that was acknowledged. */
    "asked",
    "renewing",
    "renewed",
    "renewals",
    "renewingIn",
    /** The highest token of others when the last renewal began. */
    "newer",
    /** 1: being ended, 2: a majority acknowledged the end, in this configuration. */
    "ended",
    "endedIn",
    /** Its last renewal began after that. */
    "late",
    /** It began after a break was acknowledged. */
    "spared",
    /** How many operations have to be over before the quarantine ends. */
    "awaited",
  ],
  shared: [
    "repeats",
    "wipes",
    "breaks",
    /** The leases that were seen, as bits. */
    "broken",
    "breakDone",
    "breakIn",
    "mistaken",
    "copied",
    "copiedBuried",
  ],
  naming: [],
} as const;

export type RepairShape = typeof fields & { clients: number; alike: number };
export type RepairWorld = World<RepairShape>;
export type Primary = PrimaryOf<RepairShape>;
export type Link = LinkOf<RepairShape>;
export type Client = ClientOf<RepairShape>;
export type Fork = () => RepairWorld;
