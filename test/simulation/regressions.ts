import { AcquireAttempt } from "../../src/quorum/acquire-attempt.js";
import type { Primary } from "../../src/redis/primary.js";
import type { Canary } from "./canaries.js";
import { patched } from "./patched.js";
import { CALM, type Plan } from "./plan.js";
import {
  asksWhileAllForget,
  grantedTooLate,
  handoffThenAttempt,
  readmittedAfterLeave,
  sentAgainAsText,
} from "./schedules.js";
import { leasesOf, type Schedule } from "./variant.js";

/** A bug that can be put back, and the schedule that leads to it. */
export interface Regression extends Omit<Canary, "from"> {
  readonly replan: (plan: Plan) => Plan;
  readonly schedule: Schedule;
}

/**
 * Bugs that the simulation once found in the product, each in one run of some 100,000. A seed means something else with
 * each change of the load or of the code under test, so none is held: a scripted schedule leads to the bug. The
 * variant puts the bug back: that must fail with one seed of a few, and the production code with none.
 */
export const REGRESSIONS: readonly Regression[] = [
  {
    name: "an attempt that was sent again, as text, joins the queue once more",
    breaks: ["recovery"],
    replan: scripted,
    schedule: sentAgainAsText,
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
    schedule: asksWhileAllForget,
    change: ({ primaries }) => {
      const { configuration } = primaries as unknown as {
        configuration: { refresh(): Promise<void>; catchUp(): Promise<boolean> };
      };
      configuration.catchUp = () => configuration.refresh().then(() => true);
    },
  },
  {
    name: "an attempt that comes after the release takes the name once more",
    breaks: ["recovery"],
    replan: scripted,
    schedule: (dependencies) =>
      handoffThenAttempt(dependencies, { attemptLateMs: 150, releaseReaches: "one" }),
    change: ({ primaries }) => void refusingNothingLate.add(primaries.all),
  },
  {
    name: "the granted attempt comes after the release, which ended a handoff",
    breaks: ["recovery"],
    replan: scripted,
    schedule: (dependencies) =>
      handoffThenAttempt(dependencies, { attemptLateMs: 50, releaseReaches: "all" }),
    // No primary tells which attempt the release ended, so they never differ.
    substitute: (text) => TELLS_NO_ATTEMPT.reduce((changed, change) => change(changed), text),
  },
  {
    name: "a request that is granted too late ends the lease that another request for it was granted",
    breaks: ["holds"],
    replan: scripted,
    schedule: grantedTooLate,
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
    breaks: ["members"],
    replan: scripted,
    schedule: readmittedAfterLeave,
    substitute: patched(
      "put-member",
      "redis.call('ZADD', KEYS[4], 'GT', deadline, ARGV[2])",
      "if ARGV[6] == '0' then redis.call('ZADD', KEYS[4], 'GT', deadline, ARGV[2]) end",
    ),
  },
];

const TELLS_NO_ATTEMPT = [
  patched("release-lease", "{ 1, attempt }", "{ 1, '' }"),
  patched("release-plain", "{ 1, mine[6] or '' }", "{ 1, '' }"),
];

/** Three instances, three primaries, a calm network and nothing that is not of the schedule, but for locks and members. */
function scripted(plan: Plan): Plan {
  const settings = { commandTimeoutMs: 100, ttlMaxMs: 5_000, rotateAfterMs: plan.settings.rotateAfterMs };
  const clients = {
    clients: Math.max(1, plan.clients),
    members: Math.max(1, plan.members),
    registers: 0,
    changing: 0,
  };
  const world = { primaries: 3, instances: 3, weather: { ...CALM }, faults: [], start: "warm" } as const;
  return { ...plan, ...world, ...clients, settings };
}

/** The primaries of instances whose granted attempts refuse nothing that reaches a primary late. */
const refusingNothingLate = new WeakSet<readonly Primary[]>();

const { refuseLate } = AcquireAttempt.prototype;
AcquireAttempt.prototype.refuseLate = function (this: AcquireAttempt) {
  const { primaries } = this as unknown as { primaries: readonly Primary[] };
  return refusingNothingLate.has(primaries) ? Promise.resolve() : refuseLate.call(this);
};
