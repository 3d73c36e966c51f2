/**
 * Who is woken: one name on one primary, whose word is enough here. A request that was refused sleeps until a message wakes
 * it, and asks again then; messages take their time, and all arrive. Nobody polls: so what is shown is that the messages
 * suffice, though none is sent where nothing became free.
 */
import type { Done, Model } from "./explore.js";
import type { Mode } from "./parity.js";
import { at, Layout, type World } from "./world.js";

export type WakingVariant =
  | "right"
  /** Of the readers that may enter, as if each would let the next in. */
  | "only the first reader is woken"
  | "one that leaves wakes nobody"
  /** And not the first writer, behind readers that are being let in. */
  | "only the first in line matters when it leaves"
  | "a reader's release wakes nobody"
  /** While the answer to the attempt is under way. */
  | "a wake that comes while it asks is lost";

export interface WakingOptions {
  readonly variant: WakingVariant;
  /** In the order of their tickets. The first holds the name to begin with. */
  readonly requests: readonly { readonly mode: Mode; readonly mayLeave?: boolean }[];
}

const fields = {
  primary: [],
  link: [
    "waits",
    "holds",
    // Messages under way.
    "acquire",
    "heard",
    "wake",
    /** 1: it was not granted; 2: it was. */
    "leave",
    "release",
  ],
  client: ["phase", "woken"],
  shared: [],
  naming: [],
  alike: 0,
} as const;

type WakingShape = typeof fields & { primaries: 1; clients: number };
type WakingWorld = World<WakingShape>;

const ASKING = 1;
const ASLEEP = 2;
const HOLDING = 3;
const GONE = 4;

const GRANTED = 1;
const REFUSED = 2;

export function waking(options: WakingOptions): Model<WakingShape> {
  const { requests, variant } = options;
  const told = requests.map(({ mode, mayLeave }) => `${mode}${mayLeave ? " that may leave" : ""}`).join(", ");
  const name = new Name(options);
  return {
    name: `waking (${variant}), ${told}`,
    layout: new Layout<WakingShape>({ ...fields, primaries: 1, clients: requests.length }),
    initial(world, done) {
      const { links } = at(world.primaries, 0);
      world.clients.forEach((client, i) => {
        client.phase = i === 0 ? HOLDING : ASKING;
        at(links, i).holds = i === 0 ? 1 : 0;
        at(links, i).acquire = i === 0 ? 0 : 1;
      });
      done();
    },
    steps(now, fork, done) {
      for (let i = 0; i < requests.length; i++) {
        name.act(now, fork, done, i);
        name.deliver(now, fork, done, i);
      }
    },
    violation: ({ primaries }) => {
      const holding = at(primaries, 0).links.flatMap(({ holds }, i) => (holds ? [at(requests, i).mode] : []));
      return holding.includes("writer") && holding.length > 1 ? "two hold what is for one" : null;
    },
    show: ({ primaries, clients }) =>
      at(primaries, 0)
        .links.map((link, i) => {
          const said = Object.entries({ waits: link.waits, holds: link.holds, wake: link.wake });
          return `${PHASES[at(clients, i).phase]} ${said.flatMap(([what, is]) => (is ? [what] : [])).join(" ")}`;
        })
        .join(" | "),
    progress: {
      goal: ({ clients }) => clients.every(({ phase }) => phase === GONE),
      mayNeverCome: (text) => /leaves/.test(text),
      noWay: "somebody sleeps for ever",
      forEver: "somebody is woken for ever",
    },
    landmarks: {
      "somebody sleeps": ({ clients }) => clients.some(({ phase }) => phase === ASLEEP),
      "one is woken while it asks": ({ clients }) => clients.some(({ woken }) => woken === 1),
    },
  };
}

const PHASES = ["", "asking", "asleep", "holding", "gone"];

class Name {
  constructor(private readonly options: WakingOptions) {}

  act(now: WakingWorld, fork: () => WakingWorld, done: Done, i: number): void {
    const { phase } = at(now.clients, i);
    const link = at(at(now.primaries, 0).links, i);
    const end = (text: string, message: "leave" | "release") => {
      const next = fork();
      at(next.clients, i).phase = GONE;
      at(at(next.primaries, 0).links, i)[message] = 1;
      done(text, 0, i);
    };
    if (phase === HOLDING) end("{client} releases", "release");
    // It says so behind the answer to its attempt.
    const isAnswered = !link.acquire && !link.heard;
    if (at(this.options.requests, i).mayLeave && phase === ASLEEP && isAnswered)
      end("{client} leaves", "leave");
  }

  deliver(now: WakingWorld, fork: () => WakingWorld, done: Done, i: number): void {
    const link = at(at(now.primaries, 0).links, i);
    const on = (
      message: "acquire" | "heard" | "wake" | "leave" | "release",
      text: string,
      change: Change,
    ) => {
      if (!link[message]) return;
      const next = fork();
      const here = at(at(next.primaries, 0).links, i);
      const value = here[message];
      here[message] = 0;
      change(next, value);
      done(text, 0, i);
    };
    on("acquire", "acquire of {client} arrives", (next) => this.#acquire(next, i));
    on("heard", "{client} hears of its attempt", (next, heard) => this.#hear(next, i, heard));
    on("wake", "{client} is woken", (next) => this.#wake(next, i));
    on("leave", "the primary hears that {client} has left the line", (next, how) =>
      this.#leave(next, i, how === 2),
    );
    on("release", "release of {client} arrives", (next) => {
      Object.assign(this.#link(next, i), { holds: 0, waits: 0 });
      const isReader = this.#isReader(i);
      if (!isReader || this.options.variant !== "a reader's release wakes nobody")
        this.#wakeFirst(next, !isReader);
    });
  }

  #acquire(next: WakingWorld, i: number): void {
    const link = this.#link(next, i);
    link.waits = 1;
    const isBlocked = at(next.primaries, 0).links.some(
      ({ holds, waits }, k) =>
        k !== i && !(this.#isReader(i) && this.#isReader(k)) && (holds || (waits && k < i)),
    );
    if (!isBlocked) link.holds = 1;
    link.heard = isBlocked ? REFUSED : GRANTED;
  }

  #hear(next: WakingWorld, i: number, heard: number): void {
    const client = at(next.clients, i);
    const link = this.#link(next, i);
    if (heard === GRANTED) {
      client.phase = HOLDING;
      link.leave = 2;
    } else if (client.woken) link.acquire = 1;
    else client.phase = ASLEEP;
    client.woken = 0;
  }

  #wake(next: WakingWorld, i: number): void {
    const client = at(next.clients, i);
    if (client.phase === ASLEEP) {
      client.phase = ASKING;
      this.#link(next, i).acquire = 1;
    } else if (client.phase === ASKING && this.options.variant !== "a wake that comes while it asks is lost")
      client.woken = 1;
  }

  #leave(next: WakingWorld, i: number, granted: boolean): void {
    const { variant } = this.options;
    const before = this.#line(next);
    const isFirst = before[0] === i;
    const isFirstWriter = before.find((k) => !this.#isReader(k)) === i;
    this.#link(next, i).waits = 0;
    if (granted || variant === "one that leaves wakes nobody") return;
    const matters = isFirst || (isFirstWriter && variant !== "only the first in line matters when it leaves");
    if (matters) this.#wakeFirst(next, !this.#isReader(i));
  }

  /** As `wake_first` of queues.lua. */
  #wakeFirst(next: WakingWorld, readersToo: boolean): void {
    const { links } = at(next.primaries, 0);
    const line = this.#line(next);
    const [head] = line;
    const held = links.flatMap(({ holds }, k) => (holds ? [k] : []));
    if (head === undefined || held.some((k) => !this.#isReader(k))) return;
    if (!this.#isReader(head)) {
      if (held.length === 0) at(links, head).wake = 1;
      return;
    }
    if (!readersToo) return;
    for (const k of line) {
      if (!this.#isReader(k)) return;
      at(links, k).wake = 1;
      if (this.options.variant === "only the first reader is woken") return;
    }
  }

  readonly #isReader = (i: number): boolean => at(this.options.requests, i).mode === "reader";
  readonly #link = (world: WakingWorld, i: number) => at(at(world.primaries, 0).links, i);
  readonly #line = (world: WakingWorld): number[] =>
    at(world.primaries, 0).links.flatMap(({ waits }, i) => (waits ? [i] : []));
}

type Change = (next: WakingWorld, value: number) => void;
