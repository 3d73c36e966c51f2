/**
 * Handing on: a primary where a name becomes free grants it to who is first in line, by what that one's last attempt
 * left there, and tells it. Who has heard it of a majority holds the name. Writers of one name, whose tickets are in
 * the order of their letters; what travels on the connection of requests arrives, what a primary tells by itself may be
 * lost. (Of counters the model knows nothing: any majority counts, which is more than the code takes for a grant.)
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { clientName, type Done, type Model } from "./explore.js";
import { at, Layout, type LinkOf, type PrimaryOf, type World } from "./world.js";

export type HandOnVariant =
  | "right"
  /** What was heard before an attempt still counts after it, and what was told before it when it comes. */
  | "what was handed on outlives its turn"
  /** Clean-up of an attempt frees what was handed on after it as well. */
  | "clean-up takes what was handed on"
  | "who leaves leaves what was handed on"
  /** To whom it came last, and not to who is first. */
  | "handed on past the line"
  /** An attempt that finds what was handed on leaves it as it is: then its clean-up does not free it. */
  | "an attempt takes nothing over";

export interface HandOnOptions {
  readonly variant: HandOnVariant;
  readonly waiters: readonly ("stays" | "may leave")[];
  /** How many of three primaries answer. */
  readonly up: 2 | 3;
}

const MAJORITY = majorityOf(3);

const fields = {
  primary: [],
  link: [
    "waits",
    /** What its attempts left to be handed it: NONE, OF_NOW, or OF_BEFORE where a later attempt has begun since. */
    "offer",
    "holds",
    // Messages under way.
    "acquire",
    "cleanUp",
    "leave",
    "release",
    /** It was handed on, which the client does not know yet. */
    "told",
    /** The answer to its present attempt. */
    "heard",
    /** It has heard that it was handed on. */
    "vote",
  ],
  client: [
    "phase",
    "tried",
    /** Those, as bits, who were before it in the lines of a majority when its attempt began. */
    "behind",
  ],
  shared: [],
  naming: [],
  alike: 0,
} as const;

type HandOnShape = typeof fields & { primaries: number; clients: number };
type HandOnWorld = World<HandOnShape>;
type Primary = PrimaryOf<HandOnShape>;
type Link = LinkOf<HandOnShape>;
type Fork = () => HandOnWorld;

const RESTING = 0;
const ASKING = 1;
const HOLDING = 2;
const GONE = 3;

const NONE = 0;
const OF_NOW = 1;
const OF_BEFORE = 2;

/** What a hold came from: the present attempt, an offer of now, or anything before. */
const ASKED = 1;
const HANDED = 2;
const OLD = 3;

const GRANTED = 1;
const REFUSED = 2;

const AFTER_GRANT = 1;
const IN_VAIN = 2;

export function handOn(options: HandOnOptions): Model<HandOnShape> {
  const { waiters, up } = options;
  const line = new Line(options);
  return {
    name: `handing on (${options.variant}), waiters: ${waiters.join(", ")}, ${up} of 3 primaries`,
    layout: new Layout<HandOnShape>({ ...fields, primaries: up, clients: waiters.length }),
    initial: (_, done) => done(),
    steps(now, fork, done) {
      for (let i = 0; i < waiters.length; i++) {
        line.attempt(now, fork, done, i);
        line.depart(now, fork, done, i);
        for (let j = 0; j < up; j++) line.deliver(now, fork, done, i, j);
      }
    },
    violation: (world) => line.violation(world),
    show: (world) => line.show(world),
    progress: {
      goal: ({ clients }) => clients.every(({ phase }) => phase === GONE),
      mayNeverCome: (text) => /is lost|leaves the line/.test(text),
      noWay: "somebody waits for ever, whatever comes",
      forEver: "somebody waits for ever",
    },
    landmarks: {
      "a majority hand it on": ({ primaries, clients }) =>
        clients.some(
          ({ phase }, i) =>
            phase === HOLDING && primaries.filter(({ links }) => at(links, i).holds === HANDED).length > 1,
        ),
      "one primary hands it on, and an attempt begins": ({ primaries }) =>
        primaries.some(({ links }) => links.some(({ holds, acquire }) => holds === OLD && acquire)),
      ...(waiters.length > 2 && {
        "two are handed it by different primaries": ({ primaries }: HandOnWorld) =>
          new Set(
            primaries.flatMap(({ links }) => links.flatMap(({ holds }, i) => (holds === HANDED ? [i] : []))),
          ).size > 1,
      }),
    },
  };
}

class Line {
  constructor(private readonly options: HandOnOptions) {}

  /** An attempt begins, and ends when it is known how. */
  attempt(now: HandOnWorld, fork: Fork, done: Done, i: number): void {
    const { phase, tried } = at(now.clients, i);
    const links = now.primaries.map((primary) => at(primary.links, i));
    const isQuiet = links.every((link) => !(link.acquire || link.cleanUp || link.leave || link.release));
    if (phase === RESTING && isQuiet) {
      const next = fork();
      const client = at(next.clients, i);
      client.phase = ASKING;
      client.behind = this.#linedUpBefore(next, i);
      for (const primary of next.primaries) this.#begin(at(primary.links, i));
      done(tried ? "{client} asks again" : "{client} asks", 0, i);
    }
    const refusals = links.filter(({ heard }) => heard === REFUSED).length;
    const heard = links.filter((link) => link.heard > 0).length;
    // Of three, one may not have answered yet; of two, the third never will.
    if (phase === ASKING && (refusals >= MAJORITY || heard === links.length)) {
      const next = fork();
      Object.assign(at(next.clients, i), { phase: RESTING, tried: 1 });
      for (const primary of next.primaries) Object.assign(at(primary.links, i), { heard: 0, cleanUp: 1 });
      // What was handed on in the meantime.
      this.#count(next, i);
      done("{client} has failed, and cleans up", 0, i);
    }
  }

  #begin(link: Link): void {
    link.acquire = 1;
    if (link.offer) link.offer = OF_BEFORE;
    if (link.holds) link.holds = OLD;
    if (this.options.variant === "what was handed on outlives its turn") return;
    link.vote = link.told = 0;
  }

  /** A waiter that goes, or a holder. */
  depart(now: HandOnWorld, fork: Fork, done: Done, i: number): void {
    const { phase, tried } = at(now.clients, i);
    const waits = phase === ASKING || (phase === RESTING && tried > 0);
    if (waits && at(this.options.waiters, i) === "may leave") {
      const next = fork();
      Object.assign(at(next.clients, i), { phase: GONE, behind: 0 });
      for (const primary of next.primaries)
        Object.assign(at(primary.links, i), { heard: 0, vote: 0, told: 0, cleanUp: 1, leave: IN_VAIN });
      done("{client} leaves the line", 0, i);
    }
    if (phase === HOLDING) {
      const next = fork();
      Object.assign(at(next.clients, i), { phase: GONE, behind: 0 });
      for (const primary of next.primaries) at(primary.links, i).release = 1;
      done("{client} releases", 0, i);
    }
  }

  deliver(now: HandOnWorld, fork: Fork, done: Done, i: number, j: number): void {
    const { variant } = this.options;
    const link = at(at(now.primaries, j).links, i);
    const reach = (text: string, change: (link: Link, primary: Primary, next: HandOnWorld) => void) => {
      const next = fork();
      const primary = at(next.primaries, j);
      change(at(primary.links, i), primary, next);
      done(text, j, i);
    };
    if (link.acquire)
      reach("acquire of {client} reaches {primary}", (one, primary, next) =>
        this.#acquire(next, one, primary, i),
      );
    // The attempt is refused from then on.
    if (link.cleanUp)
      reach("clean-up of {client} reaches {primary}", (one, primary) => {
        one.cleanUp = one.acquire = 0;
        const takes = one.holds === ASKED || (one.holds && variant === "clean-up takes what was handed on");
        if (!takes) return;
        one.holds = 0;
        this.#handOn(primary, i);
      });
    // Behind the acquire, on one connection.
    if (link.leave && !link.acquire)
      reach("{primary} hears that {client} waits no more", (one, primary) => {
        const inVain = one.leave === IN_VAIN;
        one.leave = one.waits = one.offer = 0;
        if (!inVain) return;
        if (variant !== "who leaves leaves what was handed on") one.holds = 0;
        this.#handOn(primary, i);
      });
    if (link.release)
      reach("release of {client} reaches {primary}", (one, primary) => {
        one.release = one.acquire = one.holds = one.waits = one.offer = 0;
        this.#handOn(primary, i);
      });
    if (link.told) {
      reach("{client} hears that {primary} has handed it on", (one, _, next) => {
        one.told = 0;
        one.vote = 1;
        this.#count(next, i);
      });
      reach("what {primary} tells {client} is lost", (one) => {
        one.told = 0;
      });
    }
  }

  #acquire(next: HandOnWorld, link: Link, primary: Primary, i: number): void {
    link.acquire = 0;
    link.waits = 1;
    link.offer = OF_NOW;
    const isMine = link.holds > 0;
    const isFree = primary.links.every(({ holds }) => !holds);
    const granted = isMine || (isFree && primary.links.findIndex(({ waits }) => waits) === i);
    if (granted && !(isMine && this.options.variant === "an attempt takes nothing over")) link.holds = ASKED;
    if (at(next.clients, i).phase !== ASKING) return;
    link.heard = granted ? GRANTED : REFUSED;
    if (next.primaries.filter(({ links }) => at(links, i).heard === GRANTED).length >= MAJORITY)
      this.#hold(next, i);
  }

  /** The name has become free, or somebody before others in line has gone. */
  #handOn(primary: Primary, from: number): void {
    const { links } = primary;
    if (links.some(({ holds }) => holds)) return;
    const waiting = links.flatMap(({ waits }, i) => (waits ? [i] : []));
    const first = this.options.variant === "handed on past the line" ? waiting.at(-1) : waiting[0];
    if (first === undefined || first === from) return;
    const link = at(links, first);
    if (link.offer === NONE) return;
    link.holds = link.offer === OF_NOW ? HANDED : OLD;
    // What an attempt that has begun since will find.
    if (link.offer === OF_NOW) link.told = 1;
  }

  #count(next: HandOnWorld, i: number): void {
    const votes = next.primaries.filter(({ links }) => at(links, i).vote).length;
    if (at(next.clients, i).phase === RESTING && votes >= MAJORITY) this.#hold(next, i);
  }

  #hold(next: HandOnWorld, i: number): void {
    at(next.clients, i).phase = HOLDING;
    for (const { links } of next.primaries)
      Object.assign(at(links, i), { heard: 0, vote: 0, told: 0, leave: AFTER_GRANT });
  }

  #linedUpBefore({ primaries, clients }: HandOnWorld, i: number): number {
    return clients.reduce((bits, { phase }, k) => {
      // Where it holds the name already, those who come after it there come after it.
      const places = primaries.filter(({ links }) => at(links, k).waits && !at(links, i).holds).length;
      return k < i && phase < HOLDING && places >= MAJORITY ? bits | (1 << k) : bits;
    }, 0);
  }

  violation({ clients }: HandOnWorld): string | null {
    const holders = clients.flatMap(({ phase }, i) => (phase === HOLDING ? [i] : []));
    if (holders.length > 1) return "two hold what is for one";
    for (const i of holders)
      for (let k = 0; k < i; k++)
        if (at(clients, i).behind & (1 << k) && at(clients, k).phase < HOLDING)
          return `${clientName(i)} overtakes ${clientName(k)}`;
    return null;
  }

  show({ primaries, clients }: HandOnWorld): string {
    const holder = ({ links }: Primary) =>
      links.map(({ holds }, i) => (holds ? clientName(i) + ["", "", "*", "'"][holds] : "")).join("");
    const waiting = ({ links }: Primary) =>
      links.map(({ waits }, i) => (waits ? clientName(i) : "")).join("");
    return [
      ...primaries.map((primary) => `[${holder(primary) || "-"} | ${waiting(primary)}]`),
      ...clients.map(({ phase }, i) => `${clientName(i)}: ${PHASES[phase]}`),
    ].join("  ");
  }
}

const PHASES = ["resting", "asking", "holds", "gone"];
