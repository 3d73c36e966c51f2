/**
 * One leaseId in two requests: A and B repeat each other, as a client does that lost a response, and C wants the lock
 * for a lease of its own. A and B may give up at any moment and then clean up; their lease may be released.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import {
  ASKING,
  attemptClient,
  attemptLink,
  begin,
  COMMITTED,
  end,
  GAVE_UP,
  IDLE,
  REFUSED,
  showAttempt,
  tokenViolation,
} from "./attempt.js";
import { clientName, type Done, type Model } from "./explore.js";
import { messageSteps, type Voting } from "./messages.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export interface SharedLeaseOptions {
  /** Clean-up by nonce frees a hold when no other attempt of its lease is left in it; without, at once. */
  readonly nonces: boolean;
  /** A release leaves a tombstone of the id on every primary, and acquire refuses it. */
  readonly tombstones: boolean;
  /**
   * Holds that stay until clean-up or release try that there is one holder at a time. Holds that end at any moment try
   * the tokens; clean-up and release would add nothing there that an early end and a lost message do not.
   */
  readonly holds: "end at any moment" | "stay";
  readonly counterMax: number;
}

const CLIENTS = 3;
const PRIMARIES = 3;
const leaseOf = (client: number) => (client < 2 ? 0 : 1);

/** Phases beyond those of an attempt. */
const RELEASING = 4;
const RELEASED = 5;

const shape = {
  primaries: PRIMARIES,
  clients: CLIENTS,
  // `held` is a lease + 1. `buried`: a tombstone of the lease of A and B.
  primary: ["held", "counter", "buried"],
  link: [...attemptLink, "nonce", "cleanUp", "release", "released"],
  // `barred`: began after a release of its id was acknowledged.
  client: [...attemptClient, "barred"],
  shared: ["repeats"],
  naming: [],
  alike: 2,
} as const;

type SharedShape = typeof shape;
type SharedWorld = World<SharedShape>;
type Primary = PrimaryOf<SharedShape>;

export function sharedLease(options: SharedLeaseOptions): Model<SharedShape> {
  const voting = votingOf(options);
  return {
    name: `one leaseId in two requests${options.nonces ? "" : ", without nonces"}${
      options.tombstones ? "" : ", without tombstones"
    }, holds ${options.holds}, counters to ${options.counterMax}`,
    layout: new Layout(shape),
    initial(world, done) {
      for (let highest = 0; highest <= options.counterMax; highest++) {
        at(world.primaries, 0).counter = highest;
        done();
      }
    },
    steps(now, fork, done) {
      for (let i = 0; i < CLIENTS; i++) {
        const { phase } = at(now.clients, i);
        if (phase === IDLE) {
          const next = fork();
          begin(next, i, leaseOf);
          if (next.clients.some((other, k) => leaseOf(k) === leaseOf(i) && other.phase === RELEASED))
            at(next.clients, i).barred = 1;
          done("{client} asks all primaries", 0, i);
          continue;
        }
        messageSteps(now, fork, done, i, voting);
        if (options.holds === "stay" && leaseOf(i) === 0) endings(now, fork, done, i, options);
      }
      if (options.holds === "stay") return;
      for (let j = 0; j < PRIMARIES; j++)
        if (at(now.primaries, j).held !== 0) {
          free(at(fork().primaries, j));
          done("the hold on {primary} ends", j);
        }
    },
    violation: (world) => tokenViolation(world.clients, leaseOf) ?? holderViolation(world, options),
    show: (world) =>
      [
        ...world.primaries.map((primary) => {
          const nonces = primary.links.map(({ nonce }, i) => (nonce ? clientName(i) : "")).join("");
          const holder =
            primary.held === 1 ? `AB${options.nonces ? `:${nonces}` : ""}` : primary.held === 2 ? "C" : "-";
          return `[${holder} ${primary.counter}${primary.buried ? " buried" : ""}]`;
        }),
        ...world.clients.map((client, i) => showAttempt(clientName(i), client)),
      ].join("  "),
    landmarks: {
      "two leases have tokens": ({ clients }) =>
        clients.some((c, i) => i < 2 && c.token > 0) && at(clients, 2).token > 0,
      ...(options.holds === "stay" && {
        "one request gives up beside the other's commit": ({ clients }: SharedWorld) =>
          clients.some((c, i) => i < 2 && c.phase === GAVE_UP && at(clients, 1 - i).token > 0),
        "a request that began after the release": ({ clients }: SharedWorld) =>
          clients.some((c) => c.barred === 1),
      }),
    },
  };
}

function votingOf(options: SharedLeaseOptions): Voting<SharedWorld> {
  return {
    rule: "exactly",
    replies: "at once",
    acquire(primary, client) {
      const lease = leaseOf(client) + 1;
      if (lease === 1 && primary.buried) return REFUSED;
      if (primary.held !== 0 && primary.held !== lease) return REFUSED;
      if (primary.held === 0) {
        primary.held = lease;
        primary.counter++;
      }
      if (options.nonces) at(primary.links, client).nonce = 1;
      return primary.counter;
    },
    raise(primary, client, target) {
      if (primary.held !== leaseOf(client) + 1) return REFUSED;
      if (options.nonces && !at(primary.links, client).nonce) return REFUSED;
      primary.counter = Math.max(primary.counter, target);
      return primary.counter;
    },
  };
}

/** A request gives up or releases, and its clean-up or release reaches a primary, at any time after it was sent. */
function endings(
  now: SharedWorld,
  fork: () => SharedWorld,
  done: Done,
  i: number,
  options: SharedLeaseOptions,
): void {
  const { phase } = at(now.clients, i);
  if (phase === ASKING) {
    const next = fork();
    end(next, i, GAVE_UP);
    for (const primary of next.primaries) at(primary.links, i).cleanUp = 1;
    done("{client} gives up, and cleans up", 0, i);
  }
  if (phase === COMMITTED) {
    const next = fork();
    at(next.clients, i).phase = RELEASING;
    for (const primary of next.primaries) at(primary.links, i).release = 1;
    done("{client} releases the lease", 0, i);
  }
  for (let j = 0; j < PRIMARIES; j++) {
    const before = at(now.primaries, j);
    const { cleanUp, release, nonce } = at(before.links, i);
    // Without its nonce there a clean-up changes nothing, and so is as good as not delivered yet.
    if (cleanUp && (nonce || !options.nonces) && before.held === 1) {
      const primary = at(fork().primaries, j);
      const link = at(primary.links, i);
      link.cleanUp = 0;
      link.nonce = 0;
      if (primary.links.every((other) => other.nonce === 0)) free(primary);
      done("clean-up of {client} reaches {primary}", j, i);
    }
    if (release) {
      const next = fork();
      const primary = at(next.primaries, j);
      const link = at(primary.links, i);
      link.release = 0;
      link.released = 1;
      if (options.tombstones) primary.buried = 1;
      if (primary.held === 1) free(primary);
      const acknowledged = next.primaries.filter(({ links }) => at(links, i).released).length;
      if (acknowledged >= majorityOf(PRIMARIES)) at(next.clients, i).phase = RELEASED;
      done("release of {client} reaches {primary}", j, i);
    }
  }
}

function free(primary: Primary): void {
  primary.held = 0;
  for (const link of primary.links) link.nonce = 0;
}

function holderViolation(world: SharedWorld, options: SharedLeaseOptions): string | null {
  if (world.clients.some((client) => client.barred && client.token > 0))
    return "a released id holds the lock again";
  if (options.holds !== "stay") return null;
  const released = world.clients.some(({ phase }) => phase >= RELEASING);
  const holders = new Set(world.clients.flatMap((client, i) => (client.token > 0 ? [leaseOf(i)] : [])));
  return !released && holders.size > 1 ? "two leases hold the lock" : null;
}
