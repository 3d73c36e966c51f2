/**
 * Waiting in line: each waiter has one ticket, the same on all primaries and for all its names, from its first attempt
 * until it is granted or leaves. A primary grants only to who is first among those that it could not stand beside; an
 * attempt that fails gives its holds back, and is tried again. Messages take their time and all arrive.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { clientName, type Done, type Model } from "./explore.js";
import type { Mode } from "./parity.js";
import { at, Layout, type LinkOf, type PrimaryOf, type World } from "./world.js";

export type QueueVariant =
  | "right"
  | "the ticket goes with a grant"
  | "the ticket goes in clean-up"
  /** Behind each other in two lines, none of two is first. */
  | "a ticket for each name"
  | "readers ignore the line"
  | "who does not wait ignores the line"
  /** Only the first attempt takes a place. */
  | "a retry takes no place again"
  /** Nobody takes away the ticket of a waiter that is gone without a word. */
  | "a place is kept for ever"
  /** Of two tickets that two requests took for one lease, the last to arrive counts, and not the lower. */
  | "the last ticket counts";

export interface Waiter {
  readonly mode: Mode;
  readonly wants: "a" | "b" | "ab";
  /** `stays` until it is granted; `comes again` for another grant; the others go at any time, or at once when refused. */
  readonly who: "stays" | "comes again" | "may leave" | "may die" | "does not wait";
  /** It repeats this other request: both ask for one lease, which has one place. */
  readonly repeats?: number;
}

export interface QueueOptions {
  readonly variant: QueueVariant;
  /** In the order of their tickets. */
  readonly waiters: readonly Waiter[];
  /** How many of three primaries answer. */
  readonly up: 2 | 3;
  /** How often a primary forgets who waits there. */
  readonly losses: number;
  /** Whose turn has to come: the first, or all of them. */
  readonly served: "the first" | "all";
  /** Whether only that turns come is looked at, and not their order. */
  readonly order: "kept" | "overlooked";
}

const MAJORITY = majorityOf(3);

const fields = {
  primary: [],
  link: [
    /** The ticket of its lease + 1, 0 for no place. Of the first request of a lease. */
    "waits",
    "holds",
    // Messages under way.
    "acquire",
    "cleanUp",
    "leave",
    "release",
    /** Of its present attempt. */
    "heard",
  ],
  client: [
    "phase",
    /** It has tried before. */
    "tried",
    /** Those, as bits, who were before it in the lines of a majority when its attempt began. */
    "behind",
  ],
  shared: ["losses"],
  naming: [],
  alike: 0,
} as const;

type QueueShape = typeof fields & { primaries: number; clients: number };
type QueueWorld = World<QueueShape>;
type Primary = PrimaryOf<QueueShape>;
type Link = LinkOf<QueueShape>;
type Fork = () => QueueWorld;

const RESTING = 0;
const ASKING = 1;
const HOLDING = 2;
const GONE = 3;

const GRANTED = 1;
const REFUSED = 2;

export function queue(options: QueueOptions): Model<QueueShape> {
  const { waiters, up, losses, served } = options;
  const line = new Line(options);
  return {
    name: nameOf(options),
    layout: new Layout<QueueShape>({ ...fields, primaries: up, clients: waiters.length }),
    initial(world, done) {
      world.shared.losses = losses;
      done();
    },
    steps(now, fork, done) {
      for (let i = 0; i < waiters.length; i++) {
        line.attempt(now, fork, done, i);
        line.depart(now, fork, done, i);
        for (let j = 0; j < up; j++) line.deliver(now, fork, done, i, j);
      }
      if (now.shared.losses === 0) return;
      for (let j = 0; j < up; j++) {
        const next = fork();
        next.shared.losses--;
        for (const link of at(next.primaries, j).links) link.waits = 0;
        done("{primary} FORGETS who waits", j);
      }
    },
    violation: (world) => line.violation(world),
    show: (world) => line.show(world),
    progress: {
      goal: ({ clients }) =>
        clients.every(
          ({ phase }, i) => phase === GONE || (served === "the first" && (i > 0 || phase === HOLDING)),
        ),
      mayNeverCome: (text) => /FORGETS|comes again|leaves the line|DIES/.test(text),
      noWay: "somebody waits for ever, whatever comes",
      forEver: "somebody waits for ever",
    },
    landmarks: {
      "everybody waits": ({ primaries }) =>
        primaries.some(({ links }) =>
          links.every(
            ({ waits }, i) =>
              waits || at(waiters, i).repeats !== undefined || at(waiters, i).who === "does not wait",
          ),
        ),
      "an attempt fails": ({ primaries }) =>
        primaries.some(({ links }) => links.some(({ cleanUp, holds }) => cleanUp && holds)),
    },
  };
}

function nameOf({ variant, waiters, up, losses, served }: QueueOptions): string {
  const told = waiters.map(
    ({ mode, wants, who, repeats }) =>
      `${mode} of ${wants}${who === "stays" ? "" : ` that ${who}`}${repeats === undefined ? "" : ` (repeats ${clientName(repeats)})`}`,
  );
  return `waiting in line (${variant}), ${told.join(", ")}, ${up} of 3 primaries, ${losses} losses, turns of ${served}`;
}

class Line {
  constructor(private readonly options: QueueOptions) {}

  /** An attempt begins, and ends when it is known how. */
  attempt(now: QueueWorld, fork: Fork, done: Done, i: number): void {
    const { phase, tried } = at(now.clients, i);
    const links = now.primaries.map((primary) => at(primary.links, i));
    const isQuiet = links.every((link) => !(link.acquire || link.cleanUp || link.leave || link.release));
    if (phase === RESTING && isQuiet) {
      const next = fork();
      const client = at(next.clients, i);
      client.phase = ASKING;
      client.behind = this.#linedUpBefore(next, i);
      for (const primary of next.primaries) at(primary.links, i).acquire = 1;
      done(tried ? "{client} asks again" : "{client} asks", 0, i);
    }
    const refusals = links.filter(({ heard }) => heard === REFUSED).length;
    const heard = links.filter((link) => link.heard > 0).length;
    // Of three, one may not have answered yet; of two, the third never will.
    if (phase === ASKING && (refusals >= MAJORITY || heard === links.length)) {
      const next = fork();
      const once = at(this.options.waiters, i).who === "does not wait";
      this.#stop(next, i, once ? GONE : RESTING, false);
      done("{client} has failed, and cleans up", 0, i);
    }
  }

  /** A waiter that goes, or a holder. */
  depart(now: QueueWorld, fork: Fork, done: Done, i: number): void {
    const { phase, tried } = at(now.clients, i);
    const { who } = at(this.options.waiters, i);
    const waits = phase === ASKING || (phase === RESTING && tried > 0);
    if (waits && who === "may leave") {
      this.#stop(fork(), i, GONE, true);
      done("{client} leaves the line", 0, i);
    }
    if (waits && who === "may die") {
      const next = fork();
      at(next.clients, i).phase = GONE;
      // What it has sent may still arrive, or never: an acquire that does is what harms. Holds end in their time.
      for (const primary of next.primaries) at(primary.links, i).cleanUp = 1;
      done("{client} DIES", 0, i);
    }
    if (phase === HOLDING) {
      const next = fork();
      at(next.clients, i).phase = GONE;
      for (const primary of next.primaries) at(primary.links, i).release = 1;
      done("{client} releases", 0, i);
    }
    const links = now.primaries.map((primary) => at(primary.links, i));
    const isQuiet = links.every(
      (link) => !(link.acquire || link.cleanUp || link.leave || link.release || link.holds || link.waits),
    );
    if (phase === GONE && who === "comes again" && isQuiet) {
      const next = fork();
      Object.assign(at(next.clients, i), { phase: RESTING, tried: 0 });
      done("{client} comes again", 0, i);
    }
  }

  deliver(now: QueueWorld, fork: Fork, done: Done, i: number, j: number): void {
    const { variant } = this.options;
    const link = at(at(now.primaries, j).links, i);
    const reach = (text: string, change: (link: Link, place: Link) => void) => {
      const next = fork();
      const { links } = at(next.primaries, j);
      change(at(links, i), at(links, this.leaseOf(i)));
      done(text, j, i);
    };
    if (link.acquire) {
      const next = fork();
      this.#acquire(next, i, j);
      done("acquire of {client} reaches {primary}", j, i);
    }
    // The attempt is refused from then on.
    if (link.cleanUp)
      reach("clean-up of {client} reaches {primary}", (one, place) => {
        one.cleanUp = one.acquire = one.holds = 0;
        if (variant === "the ticket goes in clean-up") place.waits = 0;
      });
    if (link.leave)
      reach("{primary} hears that {client} waits no more", (one, place) => {
        one.leave = place.waits = 0;
      });
    if (link.release)
      reach("release of {client} reaches {primary}", (one, place) => {
        one.release = one.acquire = one.holds = place.waits = 0;
      });
    const isLeft = link.waits && !link.release && !link.leave && this.#isGone(now, i);
    if (isLeft && variant !== "a place is kept for ever")
      reach("the place of {client} on {primary} is given up", (one) => {
        one.waits = 0;
      });
  }

  #acquire(next: QueueWorld, i: number, j: number): void {
    const { variant, waiters } = this.options;
    const primary = at(next.primaries, j);
    const link = at(primary.links, i);
    const client = at(next.clients, i);
    link.acquire = 0;
    const takesPlace = variant !== "a retry takes no place again" || !client.tried;
    const place = at(primary.links, this.leaseOf(i));
    if (at(waiters, i).who !== "does not wait" && takesPlace)
      place.waits = variant === "the last ticket counts" ? i + 1 : Math.min(place.waits || i + 1, i + 1);
    const granted = this.#isFree(primary, i) && !this.#waitsBehind(primary, i);
    if (granted) link.holds = 1;
    if (granted && variant === "the ticket goes with a grant") place.waits = 0;
    if (client.phase !== ASKING) return;
    link.heard = granted ? GRANTED : REFUSED;
    const grants = next.primaries.filter(({ links }) => at(links, i).heard === GRANTED).length;
    if (grants < MAJORITY) return;
    client.phase = HOLDING;
    for (const { links } of next.primaries) {
      at(links, i).heard = 0;
      at(links, i).leave = 1;
    }
    next.clients.forEach((other, k) => {
      if (k !== i && this.leaseOf(k) === this.leaseOf(i) && other.phase < HOLDING)
        this.#stop(next, k, GONE, false);
    });
  }

  /** The present attempt is over, and what it has is given back. */
  #stop(next: QueueWorld, i: number, phase: number, leaves: boolean): void {
    Object.assign(at(next.clients, i), { phase, tried: 1, behind: 0 });
    for (const { links } of next.primaries) {
      const link = at(links, i);
      link.heard = 0;
      link.cleanUp = 1;
      if (leaves) link.leave = 1;
    }
  }

  #isFree(primary: Primary, i: number): boolean {
    return primary.links.every(({ holds }, k) => !holds || k === i || !this.#meet(i, k));
  }

  #waitsBehind({ links }: Primary, i: number): boolean {
    const { variant, waiters } = this.options;
    const { mode, who } = at(waiters, i);
    if (variant === "readers ignore the line" && mode === "reader") return false;
    if (variant === "who does not wait ignores the line" && who === "does not wait") return false;
    const mine = at(links, this.leaseOf(i)).waits || i + 1;
    return links.some(({ waits }, k) => waits > 0 && this.#meet(i, k) && this.#isBefore(waits, mine, k, i));
  }

  /** Whether a ticket comes before another in a line of both. Who does not wait is behind all. */
  #isBefore(ticket: number, mine: number, other: number, i: number): boolean {
    const { variant, waiters } = this.options;
    if (at(waiters, i).who === "does not wait") return true;
    if (variant !== "a ticket for each name") return ticket < mine;
    // In the line of b the order is the other way round.
    const both = [...at(waiters, i).wants].filter((name) => at(waiters, other).wants.includes(name));
    return both.some((name) => (name === "b" ? ticket > mine : ticket < mine));
  }

  readonly leaseOf = (client: number): number => at(this.options.waiters, client).repeats ?? client;

  #isGone({ clients }: QueueWorld, lease: number): boolean {
    return clients.every(({ phase }, i) => phase === GONE || this.leaseOf(i) !== lease);
  }

  /** Whether they cannot hold beside each other. */
  #meet(one: number, other: number): boolean {
    if (this.leaseOf(one) === this.leaseOf(other)) return false;
    const { waiters } = this.options;
    const [left, right] = [at(waiters, one), at(waiters, other)];
    if (left.mode === "reader" && right.mode === "reader") return false;
    return [...left.wants].some((name) => right.wants.includes(name));
  }

  #linedUpBefore({ primaries, clients }: QueueWorld, i: number): number {
    return clients.reduce((bits, { phase }, k) => {
      const places = primaries.filter(({ links }) => at(links, k).waits).length;
      const before =
        phase < HOLDING && this.#meet(i, k) && this.#isBefore(k + 1, i + 1, k, i) && places >= MAJORITY;
      return before ? bits | (1 << k) : bits;
    }, 0);
  }

  violation({ clients, shared }: QueueWorld): string | null {
    const { losses, order } = this.options;
    const holders = clients.flatMap(({ phase }, i) => (phase === HOLDING ? [i] : []));
    if (holders.some((i) => holders.some((k) => k < i && this.#meet(i, k))))
      return "two hold what is for one";
    // Who was forgotten somewhere may be overtaken.
    if (order === "overlooked" || shared.losses < losses) return null;
    for (const i of holders)
      for (let k = 0; k < clients.length; k++)
        if (at(clients, i).behind & (1 << k) && at(clients, k).phase < HOLDING)
          return `${clientName(i)} overtakes ${clientName(k)}`;
    return null;
  }

  show({ primaries, clients }: QueueWorld): string {
    const names = (one: "holds" | "waits", { links }: Primary) =>
      links.map((link, i) => (link[one] ? clientName(one === "waits" ? link.waits - 1 : i) : "")).join("");
    return [
      ...primaries.map((primary) => `[${names("holds", primary) || "-"} | ${names("waits", primary)}]`),
      ...clients.map(({ phase }, i) => `${clientName(i)}: ${PHASES[phase]}`),
    ].join("  ");
  }
}

const PHASES = ["resting", "asking", "holds", "gone"];
