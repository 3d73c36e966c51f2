/**
 * The token rule on primaries that forget nothing: an acquire counts up, a raise lifts, and a token is committed when
 * a majority say "you own it and my counter is exactly t". Holds end at any moment: no clock is in the argument.
 */
import {
  ASKING,
  attemptClient,
  attemptLink,
  begin,
  type CommitRule,
  deadline,
  hear,
  IDLE,
  raisesAtDeadline,
  REFUSED,
  showAttempt,
  tokenViolation,
} from "./attempt.js";
import { clientName, type Model } from "./explore.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export interface TokenRuleOptions {
  readonly primaries: number;
  readonly clients: number;
  /** Counters to begin with: every combination of 0 to this. */
  readonly counterMax: number;
  readonly rule: CommitRule;
  /** How many messages may be delivered once more. */
  readonly repeats: number;
  /** `late`: a reply is under way for as long as it likes; `at once`: with the message's effect, or lost. */
  readonly replies: "at once" | "late";
}

const fields = {
  primary: ["held", "counter"],
  link: attemptLink,
  client: attemptClient,
  shared: ["repeats"],
  naming: ["held"],
} as const;

type TokenShape = typeof fields & { primaries: number; clients: number; alike: number };
type TokenWorld = World<TokenShape>;

export function tokenRule(options: TokenRuleOptions): Model<TokenShape> {
  const { primaries, clients, rule } = options;
  const layout = new Layout<TokenShape>({ ...fields, primaries, clients, alike: clients });

  return {
    name: `token rule, ${rule}, N=${primaries}, ${clients} clients, ${options.repeats} repeats, replies ${options.replies}`,
    layout,
    initial(world, done) {
      world.shared.repeats = options.repeats;
      const choose = (place: number) => {
        const primary = world.primaries[place];
        if (!primary) return done();
        for (primary.counter = 0; ; primary.counter++) {
          choose(place + 1);
          if (primary.counter === options.counterMax) break;
        }
      };
      choose(0);
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++) {
        const client = at(now.clients, i);
        if (client.phase === IDLE) {
          begin(fork(), i);
          done("{client} asks all primaries", 0, i);
          continue;
        }
        for (let j = 0; j < primaries; j++) {
          const link = at(at(now.primaries, j).links, i);
          if (link.acquires > 0) deliver(i, j, 0);
          for (let t = 1; 1 << t <= link.raises; t++) if (link.raises & (1 << t)) deliver(i, j, t);
          if (client.phase !== ASKING) continue;
          for (let t = 1; 1 << t <= link.replies; t++)
            if (link.replies & (1 << t)) {
              const next = fork();
              const changed = at(at(next.primaries, j).links, i);
              changed.replies &= ~(1 << t);
              hear(next, i, changed, t, rule);
              done("{client} hears the late reply of {primary}", j, i);
            }
        }
        if (raisesAtDeadline(now, i)) {
          deadline(fork(), i);
          done("{client} waits no longer, and raises", 0, i);
        }
      }
      for (let j = 0; j < primaries; j++)
        if (at(now.primaries, j).held !== 0) {
          at(fork().primaries, j).held = 0;
          done("the hold on {primary} ends", j);
        }

      /** A message of client i reaches primary j: a raise to `target`, or an acquire when that is 0. */
      function deliver(i: number, j: number, target: number): void {
        const text = target > 0 ? `raise to ${target} of {client} reaches {primary}` : "acquire of {client} reaches {primary}";
        for (const again of now.shared.repeats > 0 ? [false, true] : [false])
          for (const heard of [true, false]) {
            const next = fork();
            const primary = at(next.primaries, j);
            const link = at(primary.links, i);
            const reply = target > 0 ? raise(primary, i, target) : acquire(primary, i);
            // What changes nothing and tells nothing is as good as not delivered.
            if (reply === REFUSED) return;
            if (!heard && now.primaries[j]?.held === primary.held && now.primaries[j]?.counter === primary.counter) return;
            if (heard && (at(now.clients, i).phase !== ASKING || link.heard === reply)) continue;
            if (again) next.shared.repeats--;
            else if (target > 0) link.raises &= ~(1 << target);
            else link.acquires = 0;
            if (heard && options.replies === "late") link.replies |= 1 << reply;
            else if (heard) hear(next, i, link, reply, rule);
            done(`${text}${again ? ", to be repeated" : ""}${heard ? "" : ", unheard"}`, j, i);
          }
      }
    },
    violation: (world) => tokenViolation(world.clients),
    show: (world) =>
      [
        ...world.primaries.map(({ held, counter }) => `[${held ? clientName(held - 1) : "-"} ${counter}]`),
        ...world.clients.map((client, i) => showAttempt(clientName(i), client)),
      ].join("  "),
    landmarks: {
      "every client committed": (world) => world.clients.every((client) => client.token > 0),
      "a token committed after a raise beside another commit": (world) =>
        world.clients.some((client) => client.target > 0) && world.clients.some((client) => client.token > 0),
    },
  };
}

function acquire(primary: PrimaryOf<TokenShape>, client: number): number {
  if (primary.held !== 0 && primary.held !== client + 1) return REFUSED;
  if (primary.held === 0) {
    primary.held = client + 1;
    primary.counter++;
  }
  return primary.counter;
}

function raise(primary: PrimaryOf<TokenShape>, client: number, target: number): number {
  if (primary.held !== client + 1) return REFUSED;
  primary.counter = Math.max(primary.counter, target);
  return primary.counter;
}
