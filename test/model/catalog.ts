/** The models with the bounds that the script explores: the right ones, and every wrong variant. */
import { type Exploration, explore, type Limits, type Model } from "./explore.js";
import { generations } from "./generations.js";
import { readmission } from "./readmission.js";
import type { ReadmissionOptions } from "./readmission-world.js";
import { type SharedLeaseOptions, sharedLease } from "./shared-lease.js";
import { type TokenRuleOptions, tokenRule } from "./token-rule.js";
import type { Shape } from "./world.js";

export interface Entry {
  readonly name: string;
  readonly stateBytes: number;
  run(limits: Limits): Exploration;
}

const rule: TokenRuleOptions = {
  primaries: 3,
  clients: 2,
  counterMax: 1,
  rule: "exactly",
  replies: "at once",
  repeats: 0,
};
const shared: SharedLeaseOptions = { nonces: true, tombstones: true, holds: "stay", counterMax: 1 };
const counted = {
  counting: "in the hold",
  clients: 2,
  rotations: 2,
  lifts: 1,
  variant: "right",
} as const;
const one: ReadmissionOptions = {
  variant: "right",
  primaries: 3,
  clients: 2,
  keepers: 1,
  agreement: "by ballots",
  ballots: 1,
  wipes: 1,
  marksLost: false,
  drops: 0,
  reading: "at once",
  clocks: "wrong",
};
const keepers: ReadmissionOptions = { ...one, clients: 0, keepers: 2, marksLost: true };

/** Smallest first: what these do not use of the time is left for the others. */
export const RIGHT: readonly Entry[] = [
  entry(readmission(keepers)),
  entry(readmission({ ...keepers, ballots: 2 })),
  entry(readmission({ ...keepers, wipes: 2 })),
  entry(tokenRule(rule)),
  entry(readmission({ ...one, clocks: "right" })),
  entry(readmission({ ...one, wipes: 2, agreement: "in one step", clocks: "right" })),
  entry(readmission(one)),
  entry(sharedLease(shared)),
  entry(readmission({ ...one, clients: 1, keepers: 2, wipes: 2 })),
  entry(tokenRule({ ...rule, replies: "late" })),
  entry(readmission({ ...one, keepers: 2, clocks: "right" })),
  entry(generations(counted)),
  entry(generations({ ...counted, counting: "in the generations" })),
  entry(tokenRule({ ...rule, repeats: 1 })),
  entry(readmission({ ...one, keepers: 2, agreement: "in one step" })),
  entry(readmission({ ...one, wipes: 2 })),
  entry(readmission({ ...one, keepers: 2 })),
  entry(readmission({ ...one, drops: 1, reading: "counters, then floors" })),
  entry(generations({ ...counted, rotations: 3, lifts: 0 })),
  entry(sharedLease({ ...shared, holds: "end at any moment", counterMax: 0 })),
  entry(tokenRule({ ...rule, clients: 3, counterMax: 0 })),
  entry(tokenRule({ ...rule, primaries: 5, counterMax: 0 })),
  entry(readmission({ ...one, keepers: 2, wipes: 2, marksLost: true })),
  entry(readmission({ ...one, keepers: 2, wipes: 2, agreement: "in one step", clocks: "right" })),
  entry(readmission({ ...one, primaries: 5, agreement: "in one step" })),
];

export const WRONG: readonly Entry[] = [
  entry(tokenRule({ ...rule, rule: "at least" })),
  entry(sharedLease({ ...shared, nonces: false })),
  entry(sharedLease({ ...shared, tombstones: false })),
  entry(generations({ ...counted, lifts: 0, variant: "a raise takes a missing counter for 0" })),
  entry(generations({ ...counted, lifts: 0, variant: "a raise overlooks the older generation" })),
  entry(generations({ ...counted, lifts: 0, variant: "a rotation leaves the floor" })),
  entry(generations({ ...counted, rotations: 3, lifts: 0, variant: "a rotation lets the floor fall" })),
  entry(readmission({ ...one, variant: "a wiped primary just goes on" })),
  entry(readmission({ ...one, variant: "no fence" })),
  entry(readmission({ ...one, variant: "copied before the fence" })),
  entry(readmission({ ...one, variant: "the wiped primary counts towards the fence" })),
  entry(readmission({ ...one, variant: "an attempt changes its configuration" })),
  entry(readmission({ ...one, wipes: 2, variant: "a primary is known by its process" })),
  entry(readmission({ ...one, drops: 1, variant: "counters copied without floors" })),
  entry(
    readmission({
      ...one,
      drops: 1,
      reading: "counters, then floors",
      variant: "floors read before counters",
    }),
  ),
  entry(readmission({ ...one, clocks: "right", variant: "no quarantine" })),
  entry(
    readmission({
      ...one,
      wipes: 2,
      agreement: "in one step",
      clocks: "right",
      variant: "the quarantine is not handed on",
    }),
  ),
  entry(readmission({ ...keepers, variant: "each writes its own configuration" })),
  entry(readmission({ ...keepers, variant: "a ballot used twice" })),
  entry(readmission({ ...keepers, wipes: 2, variant: "an empty primary votes" })),
  entry(readmission({ ...keepers, wipes: 2, variant: "the fence waits for the mark" })),
];

function entry<S extends Shape>(model: Model<S>): Entry {
  const run = (limits: Limits) => explore(model, limits);
  return { name: model.name, stateBytes: model.layout.words * 4, run };
}
