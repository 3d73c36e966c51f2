import type { LeaseRequest, Wanted } from "../../src/primitives/lease-terms.js";
import { Operation } from "../../src/redis/operation.js";
import type { Primary } from "../../src/redis/primary.js";
import type { Canary } from "./canaries.js";
import { patched } from "./patched.js";
import { crowded, type Fault, type FaultKind, type Plan } from "./plan.js";
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
    seed: 1,
    breaks: ["recovery", "holds", "order"],
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
    replan: (plan) => often(plan, ["all primaries restart", "primary pauses"], 4),
    change: ({ primaries }) => {
      const { configuration } = primaries as unknown as {
        configuration: { refresh(): Promise<void>; catchUp(): Promise<boolean> };
      };
      configuration.catchUp = () => configuration.refresh().then(() => true);
    },
  },
  {
    name: "an attempt that comes after the release joins the queue once more",
    seed: 1,
    breaks: ["recovery", "holds", "order"],
    replan: (plan) =>
      often(crowded(plan, "line"), ["connection breaks", "primary pauses", "no way there"], 6),
    change: ({ primaries }) => void refusingNothingLate.add(primaries.all),
  },
  {
    name: "a leave that finds nothing on a majority leaves nothing behind",
    seed: 1,
    breaks: ["members"],
    replan: (plan) => ({ ...often(plan, ["primary pauses", "no way back", "no way there"], 6), members: 3 }),
    change: ({ membership }) => {
      const leave = membership.leave.bind(membership);
      membership.leave = async (service, id) => {
        const known = await membership.get(service, id).catch((error: unknown) => {
          if ((error as { code?: string }).code === "unknown_member") return null;
          throw error;
        });
        return known !== null && leave(service, id);
      };
    },
  },
  {
    name: "a request that is granted too late ends the lease that another request for it was granted",
    seed: 1,
    breaks: ["holds", "tokens"],
    replan: (plan) => often(crowded(plan, "line"), ["primary pauses", "instance freezes"], 6),
    change: (core) => {
      const leases = leasesOf(core);
      const acquire = leases.acquire.bind(leases);
      leases.acquire = async (request: LeaseRequest & { metadata: string }, want) => {
        const { leaseId } = request;
        try {
          return await acquire(request, want);
        } catch (error) {
          const wasSlow = /so late that nothing was left/.test(String(error));
          if (leaseId !== undefined && wasSlow)
            await leases.votes.release({ ...((await want(leaseId)) as Wanted), leaseId }, true);
          throw error;
        }
      };
    },
  },
  {
    name: "a primary is readmitted without the tombstone of a service's last member",
    seed: 1,
    breaks: ["members"],
    replan: (plan) => ({
      ...often(plan, ["primary restarts empty", "primary pauses", "no way there"], 6),
      members: 1,
    }),
    substitute: patched(
      "put-member",
      "redis.call('ZADD', KEYS[4], 'GT', int(time + life), ARGV[2])",
      "if ARGV[6] == '0' then redis.call('ZADD', KEYS[4], 'GT', int(time + life), ARGV[2]) end",
    ),
  },
  {
    name: "the granted attempt comes after the release, which ended an earlier attempt",
    seed: 1,
    breaks: ["recovery"],
    replan: (plan) =>
      often(crowded(plan, "line"), ["connection breaks", "no way there", "primary pauses"], 8),
    // No primary tells which attempt the release ended, so they never differ.
    substitute: patched("release-lock", "{ 1, attempt }", "{ 1, '' }"),
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

/** The primaries of instances whose granted attempts refuse nothing that reaches a primary late. */
const refusingNothingLate = new WeakSet<readonly Primary[]>();

const { refuseLate } = Operation.prototype;
Operation.prototype.refuseLate = function (this: Operation<unknown>, primaries) {
  return refusingNothingLate.has(primaries) ? Promise.resolve() : refuseLate.call(this, primaries);
};
