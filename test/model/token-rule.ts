/**
 * The token rule on primaries that forget nothing: an acquire counts up, a raise lifts, and a token is committed when
 * a majority say "you own it and my counter is exactly t". Holds end at any moment: no clock is in the argument.
 */
import { attemptClient, attemptLink, begin, IDLE, REFUSED, showAttempt, tokenViolation } from "./attempt.js";
import { clientName, type Model } from "./explore.js";
import { messageSteps, type Voting } from "./messages.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export interface TokenRuleOptions extends Pick<Voting<TokenWorld>, "rule" | "replies"> {
  readonly primaries: number;
  readonly clients: number;
  /** Counters to begin with: every combination of 0 to this. */
  readonly counterMax: number;
  /** How many messages may be delivered once more. */
  readonly repeats: number;
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
type Primary = PrimaryOf<TokenShape>;

export function tokenRule(options: TokenRuleOptions): Model<TokenShape> {
  const { primaries, clients, rule, replies } = options;
  const voting = { acquire, raise, rule, replies };
  return {
    name: `token rule (${rule}), N=${primaries}, ${clients} clients, ${options.repeats} repeats, replies ${replies}`,
    layout: new Layout<TokenShape>({ ...fields, primaries, clients, alike: clients }),
    initial(world, done) {
      world.shared.repeats = options.repeats;
      const counters = options.counterMax + 1;
      for (let combination = 0; combination < counters ** primaries; combination++) {
        world.primaries.forEach((primary, j) => {
          primary.counter = Math.floor(combination / counters ** j) % counters;
        });
        done();
      }
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++)
        if (at(now.clients, i).phase === IDLE) {
          begin(fork(), i);
          done("{client} asks all primaries", 0, i);
        } else messageSteps(now, fork, done, i, voting);
      for (let j = 0; j < primaries; j++)
        if (at(now.primaries, j).held !== 0) {
          at(fork().primaries, j).held = 0;
          done("the hold on {primary} ends", j);
        }
    },
    violation: (world) => tokenViolation(world.clients),
    show: (world) =>
      [
        ...world.primaries.map(({ held, counter }) => `[${held ? clientName(held - 1) : "-"} ${counter}]`),
        ...world.clients.map((client, i) => showAttempt(clientName(i), client)),
      ].join("  "),
    landmarks: {
      "every client has a token": (world) => world.clients.every((client) => client.token > 0),
      "a raise beside another's token": (world) =>
        world.clients.some((client) => client.target > 0) && world.clients.some((client) => client.token > 0),
    },
  };
}

function acquire(primary: Primary, client: number): number {
  if (primary.held !== 0 && primary.held !== client + 1) return REFUSED;
  if (primary.held === 0) {
    primary.held = client + 1;
    primary.counter++;
  }
  return primary.counter;
}

function raise(primary: Primary, client: number, target: number): number {
  if (primary.held !== client + 1) return REFUSED;
  primary.counter = Math.max(primary.counter, target);
  return primary.counter;
}
