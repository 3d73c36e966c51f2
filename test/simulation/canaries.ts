import { exactMajority } from "../../src/algorithms/tally.js";
import { LeaseVotes } from "../../src/quorum/lease-votes.js";
import { Primaries } from "../../src/quorum/primaries.js";
import { Keys } from "../../src/scripts/keys.js";
import { CANARIES_ON_REGISTERS } from "./canaries-on-registers.js";
import { countingVotes } from "./counting-votes.js";
import { MEMBER_CANARIES } from "./member-canaries.js";
import { OFFICE_CANARIES } from "./office-canaries.js";
import { LAST_FIRST, patched } from "./patched.js";
import { plainRedlock } from "./plain-redlock.js";
import { crowded, undisturbed, withFirstStart } from "./plan.js";
import { REGISTER_CANARIES } from "./register-canaries.js";
import { REGRESSIONS } from "./regressions.js";
import { TRANSFER_CANARIES } from "./transfer-canaries.js";
import { leasesOf, PRODUCTION, type Variant } from "./variant.js";

/** A variant that is wrong, and what must be found broken in it. */
export interface Canary extends Variant {
  readonly name: string;
  /** The promises of which at least one must be found broken. */
  readonly breaks: readonly string[];
  /** A seed that caught it. A change of the code changes what a seed means: then it is caught soon after. */
  readonly from: number;
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
    from: 23,
    locks: plainRedlock,
  },
  {
    name: "tokens that a majority confirm at least",
    breaks: ["tokens"],
    from: 10,
    change: (core, { ids, settings }) => {
      leasesOf(core).votes = new LeaseVotes(core.primaries, new Keys("q:"), ids, settings, () => {}, atLeast);
    },
  },
  {
    name: "no fence: a wiped primary just goes on",
    breaks: ["tokens", "holds", "members"],
    from: 35,
    unnoticed: true,
  },
  {
    name: "readmission without the fence",
    breaks: ["tokens", "holds", "members"],
    from: 454,
    // One run in 200 catches it, one in 15 to 50 each of the others.
    // Whoever knows the primary by its id may go on, whatever the version of the configuration.
    substitute: patched(
      "prelude",
      "fence[1] ~= ARGV[1]",
      "string.match(fence[1] or '', '[^:]*$') ~= string.match(ARGV[1], '[^:]*$')",
    ),
  },
  {
    name: "a majority of one",
    breaks: ["tokens", "holds", "members"],
    from: 15,
    change: ({ primaries }) => void Object.defineProperty(primaries, "majority", { value: 1 }),
  },
  {
    name: "releases and clean-ups that are not retried",
    breaks: ["recovery"],
    from: 51,
    change: ({ primaries }) => {
      for (const primary of primaries.all) primary.compensateLater = () => {};
    },
  },
  {
    name: "what was handed on is trusted from when it is heard",
    breaks: ["holds"],
    from: 36,
    // Messages that an instance finds when it goes on, of which nobody can tell by themselves how late they are.
    replan: (one) => {
      const plan = crowded(one, "line");
      const faults = [0.1, 0.25, 0.4, 0.55, 0.7].map((share) => ({
        kind: "instance freezes" as const,
        atMs: share * plan.faultsMs,
        forMs: 200,
      }));
      return { ...plan, faults };
    },
    change: (core, { clock }) => {
      const { votes } = leasesOf(core);
      const handed = votes.judgeHandoff.bind(votes);
      votes.judgeHandoff = (all) => {
        const won = handed(all);
        return won && { ...won, sinceMs: clock.monotonicMs() };
      };
    },
  },
  {
    name: "a name is handed on to who came last",
    breaks: ["order"],
    from: 17,
    replan: (plan) => undisturbed(crowded(plan, "line")),
    substitute: patched("queues", ...LAST_FIRST),
  },
  {
    name: "who does not wait overtakes",
    breaks: ["order"],
    from: 240,
    replan: (plan) => undisturbed(crowded(plan, "line")),
    substitute: patched("acquire-lease", "if before > 0 then", "if before > 0 and ticket then"),
  },
  {
    name: "the leader is read from one primary",
    breaks: ["elections"],
    from: 15,
    replan: (plan) => crowded(plan, "election"),
    change: (core, { ids, settings }) => {
      const { primaries } = core;
      const { version, floor } = primaries;
      const one = new Primaries(primaries.all, {
        version,
        floor,
        deployment: null,
        outdated: null,
        catchUp: async () => false,
        fencedOut: () => 0,
        fenceOutAbsent: async () => {},
      });
      Object.assign(one, { majority: 1 });
      const votes = new LeaseVotes(one, new Keys("q:"), ids, settings);
      leasesOf(core).votes.inspect = (resource) => votes.inspect(resource);
    },
  },
  {
    name: "a proclaim that ignores revisions",
    breaks: ["elections"],
    from: 89,
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
    from: 41,
    // What three ask for at once arrives in another order everywhere.
    replan: (plan) => ({ ...crowded(plan, "permits"), weather: { ...plan.weather, delayMs: [0.1, 15] } }),
    ...countingVotes,
  },
  ...REGISTER_CANARIES,
  ...TRANSFER_CANARIES,
  ...OFFICE_CANARIES,
  ...CANARIES_ON_REGISTERS,
  ...MEMBER_CANARIES,
];

/** A majority that says "at least t" is taken for one that says "exactly t". */
function atLeast(...[replies, majority]: Parameters<typeof exactMajority>): ReturnType<typeof exactMajority> {
  const grants = replies.filter((reply) => typeof reply === "number").sort((a, b) => b - a);
  const token = grants[majority - 1];
  return token === undefined ? exactMajority(replies, majority) : { kind: "token", token };
}
