import type { Leases } from "../../src/primitives/leases/leases.js";
import type { Locks } from "../../src/primitives/lock.js";
import { LeaseVotes } from "../../src/quorum/lease-votes.js";
import type { Core } from "../../src/service.js";
import type { Held } from "./asking.js";
import type { Dependencies } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Plan } from "./plan.js";

/** What clients and faults do. Returns what the clients still hold when the faults stop. */
export type Schedule = (dependencies: Dependencies) => Promise<Held[]>;

/** A way in which the code under test differs from the production code; all parts may be left out. */
export interface Variant {
  /** The text that primaries run in place of a script's. */
  readonly substitute?: (text: string) => string;
  /** Changes an instance that was just put together. */
  readonly change?: (core: Core, instance: Instance) => void;
  /** Changes what the seed decided. */
  readonly replan?: (plan: Plan) => Plan;
  /** A scripted schedule in place of the random load. */
  readonly schedule?: Schedule;
  /** Nobody can tell that a primary started again or lost its data: it keeps what it is known by, and nothing else. */
  readonly unnoticed?: boolean;
  /** What clients ask in place of the instance's locks. It has no tokens: what is recorded for one counts up. */
  readonly locks?: (instance: Instance) => Pick<Locks, "acquire" | "renew" | "release">;
}

/** The production code as it is. */
export const PRODUCTION: Variant = {};

/** What all leases of an instance, and the votes on them, go through. A variant may replace methods of both. */
export function leasesOf(core: Core): Pick<Leases, "acquire"> & { votes: LeaseVotes } {
  const { leases } = core.locks as unknown as { leases: Pick<Leases, "acquire"> & { votes: LeaseVotes } };
  if (!(leases.votes instanceof LeaseVotes))
    throw new Error("the variant does not find where votes are told");
  return leases;
}
