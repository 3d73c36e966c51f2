/**
 * Shared mode by parity: a writer's grant moves the counter to the next even number, a reader's to the next odd one,
 * so that readers share the token between two writers'. Holds end at any moment: no clock is in the argument. Floors
 * may rise at any moment, too, and to any parity.
 */
import {
  type AttemptClient,
  attemptClient,
  attemptLink,
  begin,
  COMMITTED,
  IDLE,
  type LeaseOf,
  REFUSED,
  showAttempt,
} from "./attempt.js";
import { clientName, type Model } from "./explore.js";
import { messageSteps, type Voting } from "./messages.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export type Mode = "writer" | "reader";

export type ParityVariant =
  | "right"
  /** Wrong: a reader takes the highest reply of a majority at once. */
  | "readers do without the raise"
  /** Wrong: `counter = max(eff, t)`, whatever a floor may have become. */
  | "a raise ignores parity"
  /** Wrong: `counter = eff + 1` for a writer. */
  | "writers count by one";

export interface ParityOptions {
  readonly variant: ParityVariant;
  readonly modes: readonly Mode[];
  /** Floors to begin with: every combination of 0 to this. */
  readonly floorMax: number;
  /** How often a floor rises by one. */
  readonly lifts: number;
  /** How many holds end of themselves; `any` is not counted. */
  readonly ends: number | "any";
  /** Writers may release, which leaves an odd counter behind, above theirs. */
  readonly releases: boolean;
}

const PRIMARIES = 3;

const fields = {
  primaries: PRIMARIES,
  primary: ["counter", "floor"],
  // `noted`: the counter of the hold, which is what its primary replies. 0: no hold.
  link: [...attemptLink, "raisesHigh", "noted", "release"],
  client: [...attemptClient, "released"],
  shared: ["repeats", "lifts", "ends"],
  naming: [],
} as const;

type ParityShape = typeof fields & { clients: number; alike: number };
type ParityWorld = World<ParityShape>;
type Primary = PrimaryOf<ParityShape>;

export function parity(options: ParityOptions): Model<ParityShape> {
  const { variant, modes, floorMax, lifts, ends, releases } = options;
  const clients = modes.length;
  const voting = votingOf(options);
  const otherMode = modes.findIndex((mode) => mode !== modes[0]);
  return {
    name: `shared mode (${variant}), ${modes.join(", ")}, floors to ${floorMax}, ${lifts} lifts, ${ends} ends${releases ? ", releases" : ""}`,
    layout: new Layout<ParityShape>({ ...fields, clients, alike: otherMode < 0 ? clients : otherMode }),
    initial(world, done) {
      world.shared.lifts = lifts;
      world.shared.ends = ends === "any" ? 1 : ends;
      const floors = floorMax + 1;
      for (let combination = 0; combination < floors ** PRIMARIES; combination++) {
        world.primaries.forEach((primary, j) => {
          primary.floor = Math.floor(combination / floors ** j) % floors;
        });
        done();
      }
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++) {
        const { phase, released } = at(now.clients, i);
        if (phase === IDLE) {
          begin(fork(), i);
          done("{client} asks all primaries", 0, i);
          continue;
        }
        messageSteps(now, fork, done, i, voting);
        if (releases && phase === COMMITTED && !released && modes[i] === "writer") {
          const next = fork();
          at(next.clients, i).released = 1;
          for (const { links } of next.primaries) at(links, i).release = 1;
          done("{client} releases", 0, i);
        }
        for (let j = 0; j < PRIMARIES; j++) {
          const { noted, release } = at(at(now.primaries, j).links, i);
          if (noted === 0) continue;
          if (now.shared.ends > 0) {
            const next = fork();
            at(at(next.primaries, j).links, i).noted = 0;
            if (ends !== "any") next.shared.ends--;
            done("the hold of {client} on {primary} ends", j, i);
          }
          if (!release) continue;
          const primary = at(fork().primaries, j);
          const link = at(primary.links, i);
          primary.counter = Math.max(eff(primary), noted) + 1;
          link.noted = link.release = 0;
          done("release of {client} reaches {primary}", j, i);
        }
      }
      if (now.shared.lifts === 0) return;
      for (let j = 0; j < PRIMARIES; j++) {
        const next = fork();
        at(next.primaries, j).floor = eff(at(next.primaries, j)) + 1;
        next.shared.lifts--;
        done("the floor of {primary} rises", j);
      }
    },
    violation: (world) => orderViolation(world.clients, modes),
    show: (world) =>
      [
        ...world.primaries.map((primary) => showPrimary(primary)),
        ...world.clients.map((client, i) => `${showAttempt(clientName(i), client)} (${modes[i]})`),
      ].join("  "),
    landmarks: {
      "everybody has a token": (world) => world.clients.every((client) => client.token > 0),
      ...(modes.filter((mode) => mode === "reader").length > 1 && {
        "two readers share a token": ({ clients: all }: ParityWorld) =>
          all.some(({ token }, i) => token > 0 && all.some((other, k) => k < i && other.token === token)),
      }),
      ...(modes.includes("reader") && {
        "a reader raises": (world: ParityWorld) =>
          world.clients.some(({ target }, i) => target > 0 && modes[i] === "reader"),
      }),
    },
  };
}

function eff({ counter, floor }: Primary): number {
  return Math.max(counter, floor);
}

/** The smallest counter from this one on that a grant of this mode may have. */
export function lift(counter: number, mode: Mode): number {
  return counter % 2 === (mode === "reader" ? 1 : 0) ? counter : counter + 1;
}

function votingOf({ variant, modes }: ParityOptions): Voting<ParityWorld> {
  const modeOf = (client: number) => at(modes, client);
  const blocked = (primary: Primary, client: number) =>
    primary.links.some(
      ({ noted }, i) => noted > 0 && i !== client && (modeOf(i) === "writer" || modeOf(client) === "writer"),
    );
  return {
    rule: (client) => {
      if (modeOf(client) === "writer") return "exactly";
      return variant === "readers do without the raise" ? "the highest" : "shared";
    },
    replies: "at once",
    acquire(primary, client) {
      const link = at(primary.links, client);
      if (link.noted > 0) return link.noted;
      if (blocked(primary, client)) return REFUSED;
      const mode = modeOf(client);
      if (mode === "reader") primary.counter = lift(eff(primary), mode);
      else if (variant === "writers count by one") primary.counter = eff(primary) + 1;
      else primary.counter = lift(eff(primary) + 1, mode);
      link.noted = primary.counter;
      return link.noted;
    },
    raise(primary, client, target) {
      const link = at(primary.links, client);
      const mode = modeOf(client);
      if (link.noted === 0) return REFUSED;
      const ignored =
        variant === "a raise ignores parity" || (variant === "writers count by one" && mode === "writer");
      const top = Math.max(eff(primary), target);
      primary.counter = ignored ? top : lift(top, mode);
      link.noted = primary.counter;
      return link.noted;
    },
  };
}

/** Tokens of writers are unique and follow all that were given before; those of readers follow every writer's. */
export function orderViolation(
  clients: readonly AttemptClient[],
  modes: readonly Mode[],
  leaseOf: LeaseOf = (client) => client,
): string | null {
  for (let i = 0; i < clients.length; i++) {
    const { token, after } = at(clients, i);
    if (token === 0) continue;
    const reads = modes[i] === "reader";
    if (reads ? token < after : token <= after)
      return `token ${token} of a ${modes[i]} does not follow ${after}, committed before it began`;
    for (let k = 0; k < i; k++)
      if (at(clients, k).token === token && leaseOf(k) !== leaseOf(i) && !(reads && modes[k] === "reader"))
        return `two leases have token ${token}`;
  }
  return null;
}

function showPrimary(primary: Primary): string {
  const holders = primary.links.map(({ noted }, i) => (noted ? `${clientName(i)}${noted}` : "")).join("");
  return `[${holders || "-"} ${primary.counter}${primary.floor ? ` floor ${primary.floor}` : ""}]`;
}
