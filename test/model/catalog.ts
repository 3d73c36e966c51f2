/** The models with the bounds that the script explores: the right ones, and every wrong variant. */
import { type Exploration, explore, type Limits, type Model } from "./explore.js";
import { generations } from "./generations.js";
import { type HandOnOptions, handOn } from "./hand-on.js";
import { type ParityOptions, parity } from "./parity.js";
import { type QueueOptions, queue, type Waiter } from "./queue.js";
import { readmission } from "./readmission.js";
import type { ReadmissionOptions } from "./readmission-world.js";
import { registerTransactions } from "./register-transactions.js";
import { registers } from "./registers.js";
import type { RegistersOptions } from "./registers-world.js";
import { repair } from "./repair.js";
import type { RepairOptions } from "./repair-world.js";
import { semaphore } from "./semaphore.js";
import { type NamesOptions, severalNames } from "./several-names.js";
import { type SharedLeaseOptions, sharedLease } from "./shared-lease.js";
import { type TokenRuleOptions, tokenRule } from "./token-rule.js";
import { type WakingOptions, waking } from "./waking.js";
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
  reconcilers: 1,
  agreement: "by ballots",
  ballots: 1,
  wipes: 1,
  marksLost: false,
  drops: 0,
  reading: "at once",
  clocks: "wrong",
};
const reconcilers: ReadmissionOptions = { ...one, clients: 0, reconcilers: 2, marksLost: true };

const names: NamesOptions = {
  variant: "right",
  wants: ["ab", "b"],
  counterMax: 1,
  holds: "end at any moment",
};
const modes: ParityOptions = {
  variant: "right",
  modes: ["writer", "reader"],
  floorMax: 0,
  lifts: 2,
  ends: "any",
  releases: false,
};
const renewed: RepairOptions = {
  variant: "right",
  modes: ["writer", "writer"],
  second: "none",
  renewals: 1,
  othersRenewals: 0,
  ending: "none",
  wipes: 0,
  clocks: "right",
  from: "nothing",
};
const late: RepairOptions = { ...renewed, from: "acquired late" };
const writer: Waiter = { mode: "writer", wants: "a", who: "stays" };
const reader: Waiter = { ...writer, mode: "reader" };
const again: Waiter = { ...reader, who: "comes again" };
const severally: Waiter[] = [
  { ...writer, wants: "ab" },
  { ...writer, wants: "b" },
  { ...writer, wants: "a" },
];
const waiting: QueueOptions = {
  variant: "right",
  waiters: [writer, writer],
  up: 2,
  losses: 0,
  served: "all",
  order: "kept",
};

const woken: WakingOptions["requests"] = [
  { mode: "writer" },
  { mode: "reader", mayLeave: true },
  { mode: "writer", mayLeave: true },
  { mode: "reader" },
  { mode: "writer" },
];

const handed: HandOnOptions = { variant: "right", waiters: ["stays", "stays", "stays"], up: 2 };

const register: RegistersOptions = {
  variant: "right",
  clients: ["append", "append", "read"],
  from: "nothing",
  restarts: 0,
  restartsWith: "nothing",
  removals: false,
};
const removed: RegistersOptions = {
  ...register,
  clients: ["append", "delete", "read"],
  from: "a deleted one",
  removals: true,
};
const kept: RegistersOptions = { ...removed, restarts: 1, restartsWith: "nothing or a state of before" };

/** Smallest first: what these do not use of the time is left for the others. */
export const RIGHT: readonly Entry[] = [
  entry(waking({ variant: "right", requests: woken })),
  entry(semaphore({ rule: "slots", permits: 2, clients: 3, tries: 1 })),
  entry(handOn({ ...handed, waiters: ["may leave", "stays"] })),
  entry(queue({ ...waiting, losses: 1 })),
  entry(queue({ ...waiting, waiters: [{ ...writer, who: "may leave" }, reader] })),
  entry(queue({ ...waiting, waiters: [{ ...writer, who: "may die" }, reader] })),
  entry(queue({ ...waiting, waiters: [writer, reader, { ...writer, who: "does not wait" }] })),
  entry(queue({ ...waiting, waiters: [writer, again, again], served: "the first" })),
  entry(queue({ ...waiting, waiters: [writer, writer, writer] })),
  entry(queue({ ...waiting, waiters: [reader, writer, reader] })),
  entry(queue({ ...waiting, waiters: [writer, writer, { ...writer, repeats: 0 }], order: "overlooked" })),
  entry(queue({ ...waiting, waiters: severally })),
  entry(queue({ ...waiting, waiters: [reader, writer], up: 3 })),
  entry(handOn(handed)),
  entry(handOn({ ...handed, waiters: ["stays", "stays"], up: 3 })),
  entry(handOn({ ...handed, waiters: ["stays", "may leave", "stays"] })),
  entry(queue({ ...waiting, waiters: [writer, writer, reader], losses: 1 })),
  entry(repair({ ...renewed, othersRenewals: 1, clocks: "wrong" })),
  entry(repair({ ...renewed, othersRenewals: 1 })),
  entry(repair({ ...renewed, othersRenewals: 1, modes: ["reader", "writer"] })),
  entry(repair({ ...renewed, wipes: 1 })),
  entry(repair({ ...late, ending: "break", clocks: "wrong" })),
  entry(registers({ ...register, clients: ["append", "append", "append"] })),
  entry(registers({ ...removed, clients: ["append", "delete", "append", "append"] })),
  entry(registers({ ...register, clients: ["append", "append"], restarts: 2 })),
  entry(registers(kept)),
  entry(
    registers({
      ...register,
      clients: ["append", "delete", "create", "read"],
      from: "a deletion under way",
    }),
  ),
  entry(registers({ ...removed, from: "nothing" })),
  entry(registers({ ...removed, clients: ["append", "delete", "append", "read"], restarts: 1 })),
  entry(registers({ ...register, restarts: 1 })),
  entry(readmission(reconcilers)),
  entry(readmission({ ...reconcilers, ballots: 2 })),
  entry(readmission({ ...reconcilers, wipes: 2 })),
  entry(tokenRule(rule)),
  entry(readmission({ ...one, clocks: "right" })),
  entry(readmission({ ...one, wipes: 2, agreement: "in one step", clocks: "right" })),
  entry(readmission(one)),
  entry(sharedLease(shared)),
  entry(readmission({ ...one, clients: 1, reconcilers: 2, wipes: 2 })),
  entry(tokenRule({ ...rule, replies: "late" })),
  entry(readmission({ ...one, reconcilers: 2, clocks: "right" })),
  entry(generations(counted)),
  entry(generations({ ...counted, counting: "in the generations" })),
  entry(tokenRule({ ...rule, repeats: 1 })),
  entry(readmission({ ...one, reconcilers: 2, agreement: "in one step" })),
  entry(readmission({ ...one, wipes: 2 })),
  entry(readmission({ ...one, reconcilers: 2 })),
  entry(readmission({ ...one, drops: 1, reading: "counters, then floors" })),
  entry(generations({ ...counted, rotations: 3, lifts: 0 })),
  entry(sharedLease({ ...shared, holds: "end at any moment", counterMax: 0 })),
  entry(semaphore({ rule: "slots", permits: 2, clients: 3, tries: 2 })),
  entry(parity({ ...modes, floorMax: 1, lifts: 1, releases: true })),
  entry(parity({ ...modes, modes: ["writer", "writer"] })),
  entry(parity({ ...modes, modes: ["reader", "reader", "writer"], lifts: 0 })),
  entry(parity({ ...modes, modes: ["writer", "writer", "reader"], lifts: 0 })),
  entry(severalNames({ ...names, wants: ["ab", "ab"] })),
  entry(severalNames(names)),
  entry(severalNames({ ...names, wants: ["ab", "a", "b"], counterMax: 0 })),
  entry(repair({ ...late, ending: "release", renewals: 2, clocks: "wrong" })),
  entry(repair({ ...late, ending: "release", renewals: 2 })),
  entry(repair({ ...late, ending: "release", modes: ["reader", "writer"], wipes: 1 })),
  entry(repair({ ...renewed, from: "acquired", second: "gives up at once" })),
  entry(repair({ ...renewed, from: "acquired", ending: "release", wipes: 1 })),
  entry(repair({ ...late, ending: "break", renewals: 2 })),
  entry(repair({ ...renewed, othersRenewals: 1, wipes: 1 })),
  entry(repair({ ...renewed, from: "acquired", ending: "break", wipes: 1 })),
  entry(repair({ ...renewed, from: "acquired", second: "gives up at once", ending: "release" })),
  entry(repair({ ...renewed, from: "acquired", second: "asks" })),
  entry(registers({ ...register, clients: ["append", "append", "read", "read"] })),
  entry(registerTransactions({ variant: "right", clients: ["move", "move", "sum", "get"] })),
  entry(registerTransactions({ variant: "right", clients: ["left", "right", "put", "get"] })),
  entry(registers({ ...register, restarts: 1, restartsWith: "nothing or a state of before" })),
  entry(registers({ ...kept, clients: ["append", "delete", "append", "read"] })),
  entry(registers({ ...removed, clients: ["append", "delete", "append", "read"], from: "nothing" })),
  entry(registers({ ...removed, from: "nothing", restarts: 1 })),
  entry(tokenRule({ ...rule, clients: 3, counterMax: 0 })),
  entry(tokenRule({ ...rule, primaries: 5, counterMax: 0 })),
  entry(readmission({ ...one, reconcilers: 2, wipes: 2, marksLost: true })),
  entry(readmission({ ...one, reconcilers: 2, wipes: 2, agreement: "in one step", clocks: "right" })),
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
  entry(
    registerTransactions({
      variant: "an intent whose transaction is unknown taken for aborted",
      clients: ["move", "get"],
    }),
  ),
  entry(
    registerTransactions({
      variant: "a reader shows the new value of an active one",
      clients: ["move", "get"],
    }),
  ),
  entry(registerTransactions({ variant: "no intents on what is read", clients: ["left", "right"] })),
  entry(registerTransactions({ variant: "commit without comparing the creation", clients: ["move", "put"] })),
  entry(registers({ ...register, variant: "a ballot reused for another value" })),
  entry(registers({ ...register, variant: "accept without compare" })),
  entry(registers({ ...register, variant: "read from one primary" })),
  entry(registers({ ...register, variant: "a quorum of one" })),
  entry(registers({ ...register, variant: "a TTL in Redis" })),
  entry(registers({ ...removed, variant: "a key deleted without raising the floor" })),
  entry(
    registers({
      ...removed,
      clients: ["append", "delete", "append", "append"],
      variant: "a key deleted below a promise",
    }),
  ),
  entry(registers({ ...removed, variant: "a key deleted that only a majority know as deleted" })),
  entry(
    registers({
      ...register,
      removals: true,
      variant: "a promise without a value dropped without raising the floor",
    }),
  ),
  entry(registers({ ...register, restarts: 1, variant: "a primary that forgot goes on" })),
  entry(registers({ ...register, restarts: 1, variant: "no fence" })),
  entry(registers({ ...register, restarts: 1, variant: "an accept that goes on in the next configuration" })),
  entry(registers({ ...kept, variant: "readmission that keeps its own registers" })),
  entry(registers({ ...kept, variant: "copying by the highest ballot alone" })),
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
  entry(readmission({ ...reconcilers, variant: "each writes its own configuration" })),
  entry(readmission({ ...reconcilers, variant: "a ballot used twice" })),
  entry(readmission({ ...reconcilers, wipes: 2, variant: "an empty primary votes" })),
  entry(readmission({ ...reconcilers, wipes: 2, variant: "the fence waits for the mark" })),
  entry(severalNames({ ...names, variant: "each name counts for itself" })),
  entry(severalNames({ ...names, variant: "a raise of one name alone" })),
  entry(severalNames({ ...names, variant: "a raise where only some are held" })),
  entry(severalNames({ ...names, holds: "stay", variant: "a grant where only some are free" })),
  entry(semaphore({ rule: "counting votes", permits: 2, clients: 3, tries: 1 })),
  entry(parity({ ...modes, variant: "readers do without the raise" })),
  entry(parity({ ...modes, variant: "a raise ignores parity" })),
  entry(parity({ ...modes, variant: "writers count by one" })),
  entry(repair({ ...renewed, clocks: "wrong", variant: "renewed whatever was granted since" })),
  entry(repair({ ...late, renewals: 2, clocks: "wrong", variant: "repaired whoever had it since" })),
  entry(repair({ ...late, ending: "release", variant: "a release leaves the counter" })),
  entry(repair({ ...late, ending: "release", variant: "a release leaves nothing where it finds nothing" })),
  entry(repair({ ...late, ending: "release", variant: "a release trusts a repaired hold" })),
  entry(
    repair({
      ...late,
      ending: "release",
      modes: ["reader", "writer"],
      variant: "a reader's release leaves no tombstone",
    }),
  ),
  entry(repair({ ...late, ending: "break", variant: "a break leaves nothing where it finds nothing" })),
  entry(repair({ ...renewed, from: "acquired", ending: "break", variant: "a break ends whoever holds" })),
  entry(
    repair({
      ...renewed,
      from: "acquired",
      second: "gives up at once",
      variant: "a renewal leaves no nonce",
    }),
  ),
  entry(repair({ ...renewed, from: "acquired", second: "gives up at once", variant: "a repair is a vote" })),
  entry(repair({ ...renewed, wipes: 1, variant: "no fence" })),
  entry(repair({ ...renewed, from: "acquired", wipes: 1, variant: "no quarantine" })),
  entry(queue({ ...waiting, order: "overlooked", variant: "the ticket goes with a grant" })),
  entry(queue({ ...waiting, order: "overlooked", variant: "the ticket goes in clean-up" })),
  entry(
    queue({
      ...waiting,
      waiters: [
        { ...writer, wants: "ab" },
        { ...writer, wants: "ab" },
      ],
      variant: "a ticket for each name",
    }),
  ),
  entry(
    queue({
      ...waiting,
      waiters: [writer, again],
      served: "the first",
      order: "overlooked",
      variant: "readers ignore the line",
    }),
  ),
  entry(
    queue({
      ...waiting,
      waiters: [writer, writer, { ...writer, who: "does not wait" }],
      variant: "who does not wait ignores the line",
    }),
  ),
  entry(queue({ ...waiting, losses: 1, order: "overlooked", variant: "a retry takes no place again" })),
  entry(
    queue({
      ...waiting,
      waiters: [{ ...writer, who: "may die" }, writer],
      variant: "a place is kept for ever",
    }),
  ),
  entry(
    queue({
      ...waiting,
      waiters: [writer, writer, { ...writer, repeats: 0 }],
      order: "overlooked",
      variant: "the last ticket counts",
    }),
  ),
  entry(handOn({ ...handed, variant: "clean-up takes what was handed on" })),
  entry(handOn({ ...handed, variant: "handed on past the line" })),
  entry(handOn({ ...handed, variant: "what was handed on outlives its turn" })),
  entry(handOn({ ...handed, variant: "an attempt takes nothing over" })),
  entry(
    handOn({
      ...handed,
      waiters: ["may leave", "stays"],
      variant: "who leaves leaves what was handed on",
    }),
  ),
  entry(waking({ variant: "only the first reader is woken", requests: woken })),
  entry(waking({ variant: "one that leaves wakes nobody", requests: woken })),
  entry(waking({ variant: "only the first in line matters when it leaves", requests: woken })),
  entry(waking({ variant: "a reader's release wakes nobody", requests: woken })),
  entry(waking({ variant: "a wake that comes while it asks is lost", requests: woken })),
];

function entry<S extends Shape>(model: Model<S>): Entry {
  const run = (limits: Limits) => explore(model, limits);
  return { name: model.name, stateBytes: model.layout.words * 4, run };
}
