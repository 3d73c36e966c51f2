import { exactMajority } from "../../src/algorithms/tally.js";
import { inspectResource } from "../../src/quorum/inspection.js";
import { Primaries } from "../../src/quorum/primaries.js";
import { Keys } from "../../src/scripts/keys.js";
import { countingVotes } from "./counting-votes.js";
import { LAST_FIRST, patched } from "./patched.js";
import { plainRedlock } from "./plain-redlock.js";
import { crowded, undisturbed, withFirstStart } from "./plan.js";
import { REGRESSIONS } from "./regressions.js";
import { leasesOf, PRODUCTION, type Variant } from "./variant.js";

/** A variant that is wrong, and what must be found broken in it. */
export interface Canary extends Variant {
  readonly name: string;
  /** The promises of which at least one must be found broken. */
  readonly breaks: readonly string[];
  /** A seed from which on it is caught soon; 1 where any will do. */
  readonly from?: number;
}

/** What to run. */
export interface Chosen {
  /** Name of a canary or a regression, in place of the production code. */
  readonly canary?: string | undefined;
  /** Every run begins with a first start. */
  readonly firstStart?: boolean | undefined;
}

export function variantOf({ canary, firstStart = false }: Chosen): Variant {
  const variant =
    canary === undefined ? PRODUCTION : [...CANARIES, ...REGRESSIONS].find(({ name }) => name === canary);
  if (!variant) throw new Error(`there is no canary "${canary}"`);
  if (!firstStart) return variant;
  const { replan = (plan) => plan } = variant;
  return { ...variant, replan: (plan) => withFirstStart(replan(plan)) };
}

/** Every canary that the simulation must catch. */
export const CANARIES: readonly Canary[] = [
  {
    name: "plain redlock as published",
    breaks: ["holds"],
    locks: plainRedlock,
  },
  {
    name: "tokens that a majority confirm at least",
    breaks: ["tokens"],
    change: (core) => {
      const { primaries } = core;
      const { version, floor } = primaries;
      const one = new Primaries(primaries.all, { version, floor, catchUp: async () => false });
      Object.assign(one, { majority: 1 });
      leasesOf(core).votes.inspect = (resource) =>
        inspectResource(one, new Keys("q:"), resource, exactMajority);
    },
  },
  {
    name: "a proclaim that ignores revisions",
    breaks: ["elections"],
    replan: (plan) => crowded(plan, "election"),
    // Whatever comes last counts, on each primary, and is seen where it is read first.
    substitute: patched("proclaim", "(redis.call('HGET', own(i), 'revision') or '') < revision", "true"),
    change: (core) => {
      const { votes } = leasesOf(core);
      const proclaim = votes.proclaim.bind(votes);
      votes.proclaim = (lease, _revision, metadata) => proclaim(lease, "1", metadata);
    },
  },
  {
    name: "semaphore by counting votes",
    breaks: ["holds"],
    // What three ask for at once arrives in another order everywhere.
    replan: (plan) => ({ ...crowded(plan, "permits"), weather: { ...plan.weather, delayMs: [0.1, 15] } }),
    ...countingVotes,
  },
];

/** A majority that says "at least t" is taken for one that says "exactly t". */
function atLeast(...[replies, majority]: Parameters<typeof exactMajority>): ReturnType<typeof exactMajority> {
  const grants = replies.filter((reply) => typeof reply === "number").sort((a, b) => b - a);
  const token = grants[majority - 1];
  return token === undefined ? exactMajority(replies, majority) : { kind: "token", token };
}
