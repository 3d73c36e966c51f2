/**
 * Counters in two generations: a primary drops its older one at any moment, keeping a floor above all that was in it.
 * One name is modelled; others show in that they may lift the floor further.
 */
import { attemptClient, attemptLink, begin, IDLE, REFUSED, showAttempt, tokenViolation } from "./attempt.js";
import { clientName, type Model } from "./explore.js";
import { messageSteps, type Voting } from "./messages.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export type GenerationsVariant =
  | "right"
  /** Wrong: `counter = max(counter ?? 0, t)`. */
  | "a raise takes a missing counter for 0"
  /** Wrong: `counter = max(current ?? floor, t)`. */
  | "a raise overlooks the older generation"
  /** Wrong: the older generation goes, and the floor stays as it was. */
  | "a rotation leaves the floor"
  /** Wrong: the floor follows the older generation alone, and falls when that was empty. */
  | "a rotation lets the floor fall";

/**
 * Two right ways to count. `in the hold`: a hold notes its counter, which is what its primary replies, and a floor is
 * a bound for every counter. `in the generations`: the reply is the name's counter, or the floor where that is missing.
 */
export type Counting = "in the hold" | "in the generations";

export interface GenerationsOptions {
  readonly counting: Counting;
  readonly clients: number;
  readonly variant: GenerationsVariant;
  /** Rotations, of all primaries together. */
  readonly rotations: number;
  /** How often other names lift a floor by a further step. */
  readonly lifts: number;
}

const PRIMARIES = 3;
/** What a floor is rounded up to a multiple of: 2^20 in the service. */
const FLOOR_STEP = 2;

const fields = {
  primaries: PRIMARIES,
  // A counter of 0 is one that is missing; `noted` is the hold's.
  primary: ["held", "noted", "current", "older", "floor"],
  link: attemptLink,
  client: attemptClient,
  shared: ["repeats", "rotations", "lifts"],
  naming: ["held"],
} as const;

type GenerationsShape = typeof fields & { clients: number; alike: number };
type Primary = PrimaryOf<GenerationsShape>;

export function generations(options: GenerationsOptions): Model<GenerationsShape> {
  const { clients, variant } = options;
  const voting = votingOf(options);
  return {
    name: `counters in two generations (${variant}), counted ${options.counting}, ${clients} clients, ${options.rotations} rotations, ${options.lifts} lifts`,
    layout: new Layout<GenerationsShape>({ ...fields, clients, alike: clients }),
    initial(world, done) {
      world.shared.rotations = options.rotations;
      world.shared.lifts = options.lifts;
      done();
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++)
        if (at(now.clients, i).phase === IDLE) {
          begin(fork(), i);
          done("{client} asks all primaries", 0, i);
        } else messageSteps(now, fork, done, i, voting);
      for (let j = 0; j < PRIMARIES; j++) {
        if (at(now.primaries, j).held !== 0) {
          const primary = at(fork().primaries, j);
          primary.held = primary.noted = 0;
          done("the hold on {primary} ends", j);
        }
        if (now.shared.rotations === 0) continue;
        for (let lift = 0; lift <= Math.min(1, now.shared.lifts); lift++) {
          const next = fork();
          rotate(at(next.primaries, j), lift, variant);
          next.shared.rotations--;
          next.shared.lifts -= lift;
          done(`{primary} rotates${lift ? ", other names lift its floor" : ""}`, j);
        }
      }
    },
    violation: (world) => tokenViolation(world.clients),
    show: (world) =>
      [
        ...world.primaries.map(
          ({ held, current, older, floor }) =>
            `[${held ? clientName(held - 1) : "-"} ${current || "-"} ${older || "-"} ${floor}]`,
        ),
        ...world.clients.map((client, i) => showAttempt(clientName(i), client)),
      ].join("  "),
    landmarks: {
      "every client has a token": (world) => world.clients.every((client) => client.token > 0),
      "a hold whose counter is gone": ({ primaries }) =>
        primaries.some(({ held, current, older }) => held !== 0 && current === 0 && older === 0),
      ...(options.lifts > 0 && {
        "an older counter below the floor": ({ primaries }: World<GenerationsShape>) =>
          primaries.some(({ older, floor }) => older > 0 && older < floor),
      }),
    },
  };
}

/** Never falls; every write starts from it. */
function eff({ current, older, floor }: Primary, counting: Counting): number {
  const counter = current || older;
  return counting === "in the hold" ? Math.max(counter, floor) : counter || floor;
}

function rotate(primary: Primary, lift: number, variant: GenerationsVariant): void {
  const above = Math.ceil(primary.older / FLOOR_STEP) * FLOOR_STEP;
  if (variant === "a rotation lets the floor fall") primary.floor = above;
  else if (variant !== "a rotation leaves the floor")
    primary.floor = Math.max(primary.floor, above) + lift * FLOOR_STEP;
  primary.older = primary.current;
  primary.current = 0;
}

function votingOf({ variant, counting }: GenerationsOptions): Voting<World<GenerationsShape>> {
  const write = (primary: Primary, counter: number) => {
    primary.current = counter;
    if (counting === "in the hold") primary.noted = counter;
  };
  return {
    rule: "exactly",
    replies: "at once",
    acquire(primary, client) {
      if (primary.held !== 0 && primary.held !== client + 1) return REFUSED;
      if (primary.held === 0) {
        primary.held = client + 1;
        write(primary, eff(primary, counting) + 1);
      }
      return primary.noted || eff(primary, counting);
    },
    raise(primary, client, target) {
      if (primary.held !== client + 1) return REFUSED;
      const { current, older, floor } = primary;
      let from = eff(primary, counting);
      if (variant === "a raise takes a missing counter for 0") from = current || older;
      if (variant === "a raise overlooks the older generation") from = Math.max(current, floor);
      write(primary, Math.max(from, target));
      return primary.current;
    },
  };
}
