import { CoordinationError } from "../../src/errors.js";
import { Operation } from "../../src/redis/operation.js";
import type { Primary } from "../../src/redis/primary.js";
import type { Canary } from "./canaries.js";
import { patched } from "./patched.js";
import { CALM, crowded, type Fault, type FaultKind, type Plan } from "./plan.js";
import {
  asksWhileAllForget,
  grantedTooLate,
  handedOnThenAsked,
  leavesUnseen,
  readmittedAfterLeave,
} from "./stories.js";
import { leasesOf } from "./variant.js";

/**
 * A bug that the simulation once found in the product. The variant puts it back: that must fail on exactly this seed, and
 * the production code must not. What changes plans, clients or the code under test changes what a seed means: then
 * `npm run simulate -- --canary "{name}" --runs 2000` tells others. `replan` makes the circumstances of the bug frequent,
 * so that few runs are needed.
 */
export interface Regression extends Canary {
  readonly seed: number;
}

export const REGRESSIONS: readonly Regression[] = [
  {
    name: "an attempt that was sent again, as text, joins the queue once more",
    seed: 44,
    breaks: ["recovery"],
    replan: (plan) => often(crowded(plan, "line"), ["primary forgets its scripts"], 12),
    // The message with which a request leaves the queue does not wait for attempts that are still under way.
    change: ({ waiting }) => {
      const enter = waiting.enter.bind(waiting);
      waiting.enter = async (claim) => {
        const entry = await enter(claim);
        entry.answered = async () => undefined;
        return entry;
      };
    },
  },
  {
    name: "a request waits for a cold start",
    seed: 1,
    breaks: ["deadlines"],
    // Messages are so slow that a cold start, which takes many of them one after the other, lasts for seconds.
    replan: (plan) => {
      const { settings, ...rest } = scripted(plan);
      return {
        ...rest,
        settings: { ...settings, commandTimeoutMs: 200 },
        weather: { ...CALM, delayMs: [85, 95] },
      };
    },
    story: asksWhileAllForget,
    change: ({ primaries }) => {
      const { configuration } = primaries as unknown as {
        configuration: { refresh(): Promise<void>; catchUp(): Promise<boolean> };
      };
      configuration.catchUp = () => configuration.refresh().then(() => true);
    },
  },
  {
    name: "an attempt that comes after the release takes the name once more",
    seed: 1,
    breaks: ["recovery"],
    replan: scripted,
    story: (surroundings) => handedOnThenAsked(surroundings, { attemptLateMs: 150, releaseReaches: "one" }),
    change: ({ primaries }) => void refusingNothingLate.add(primaries.all),
  },
  {
    name: "the granted attempt comes after the release, which ended what was handed on",
    seed: 1,
    breaks: ["recovery"],
    replan: scripted,
    story: (surroundings) => handedOnThenAsked(surroundings, { attemptLateMs: 50, releaseReaches: "all" }),
    // No primary tells which attempt the release ended, so they never differ.
    substitute: patched("release-lock", "{ 1, attempt }", "{ 1, '' }"),
  },
  {
    name: "a leave that finds nothing on a majority leaves nothing behind",
    seed: 1,
    breaks: ["members"],
    replan: scripted,
    story: leavesUnseen,
    change: ({ membership }) => {
      const leave = membership.leave.bind(membership);
      membership.leave = async (service, id) => {
        const known = await membership.get(service, id).catch((error: unknown) => {
          if (error instanceof CoordinationError && error.code === "unknown_member") return null;
          throw error;
        });
        return known !== null && leave(service, id);
      };
    },
  },
  {
    name: "a request that is granted too late ends the lease that another request for it was granted",
    seed: 1,
    breaks: ["holds"],
    replan: scripted,
    story: grantedTooLate,
    change: (core) => {
      const leases = leasesOf(core);
      const acquire = leases.acquire.bind(leases);
      leases.acquire = async (request, want) => {
        const { leaseId } = request;
        try {
          return await acquire(request, want);
        } catch (error) {
          const isTooLate = String(error).includes("so late that nothing was left");
          if (leaseId !== undefined && isTooLate)
            await leases.votes.release({ ...(await want(leaseId)), leaseId }, true);
          throw error;
        }
      };
    },
  },
  {
    name: "a primary is readmitted without the tombstone of a service's last member",
    seed: 1,
    breaks: ["members"],
    replan: scripted,
    story: readmittedAfterLeave,
    substitute: patched(
      "put-member",
      "redis.call('ZADD', KEYS[4], 'GT', int(time + life), ARGV[2])",
      "if ARGV[6] == '0' then redis.call('ZADD', KEYS[4], 'GT', int(time + life), ARGV[2]) end",
    ),
  },
];

/** As many of these faults, spread evenly over the time for faults. */
function often(plan: Plan, kinds: readonly FaultKind[], count: number): Plan {
  const faults = Array.from({ length: count }, (_, place): Fault => {
    const { forMs } = plan.faults[place % Math.max(1, plan.faults.length)] ?? { forMs: 50 };
    const kind = kinds[(plan.seed + place) % kinds.length] as FaultKind;
    return { kind, atMs: ((place + 0.5) / count) * plan.faultsMs, forMs: Math.min(forMs, 200) };
  });
  return { ...plan, faults };
}

/** Three instances, three primaries and a calm network, for a story. */
function scripted(plan: Plan): Plan {
  const settings = { ...plan.settings, commandTimeoutMs: 100, ttlMaxMs: 5_000 };
  return { ...plan, primaries: 3, instances: 3, settings, weather: { ...CALM }, faults: [], start: "warm" };
}

/** The primaries of instances whose granted attempts refuse nothing that reaches a primary late. */
const refusingNothingLate = new WeakSet<readonly Primary[]>();

const { refuseLate } = Operation.prototype;
Operation.prototype.refuseLate = function (this: Operation<unknown>, primaries) {
  return refusingNothingLate.has(primaries) ? Promise.resolve() : refuseLate.call(this, primaries);
};
