/**
 * One lease for several names: a primary grants all of them or none, and sets all their counters to one above the
 * highest, so that one token orders the lease among the leases of each name.
 */
import { attemptClient, attemptLink, begin, IDLE, REFUSED, showAttempt } from "./attempt.js";
import { clientName, type Model } from "./explore.js";
import { messageSteps, type Voting } from "./messages.js";
import { at, Layout, type PrimaryOf, type World } from "./world.js";

export type NamesVariant =
  | "right"
  /** Wrong: each counter goes up by one, and the reply is the highest. */
  | "each name counts for itself"
  /** Wrong: the raise lifts the first name alone. */
  | "a raise of one name alone"
  /** Wrong: it suffices that one of the names is still held. */
  | "a raise where only some are held"
  /** Wrong: with one of the names held, the others are taken under the old counter. */
  | "a grant that counts up for no name"
  /** Wrong: what is free is taken. */
  | "a grant where only some are free";

export interface NamesOptions {
  readonly variant: NamesVariant;
  /** What each client wants: "a", "b" or "ab". */
  readonly wants: readonly ("a" | "b" | "ab")[];
  /** Counters to begin with: every combination of 0 to this. */
  readonly counterMax: number;
  /** Holds end name by name at any moment: that tries the tokens. Or they stay: that tries who holds. */
  readonly holds: "end at any moment" | "stay";
}

const PRIMARIES = 3;

const fields = {
  primaries: PRIMARIES,
  primary: ["heldA", "heldB", "counterA", "counterB"],
  link: attemptLink,
  client: attemptClient,
  shared: ["repeats"],
  naming: ["heldA", "heldB"],
} as const;

type NamesShape = typeof fields & { clients: number; alike: number };
type NamesWorld = World<NamesShape>;
type Primary = PrimaryOf<NamesShape>;

interface Name {
  readonly name: string;
  readonly held: "heldA" | "heldB";
  readonly counter: "counterA" | "counterB";
}
const A: Name = { name: "a", held: "heldA", counter: "counterA" };
const B: Name = { name: "b", held: "heldB", counter: "counterB" };
const NAMES = { a: [A], b: [B], ab: [A, B] } as const satisfies Record<string, readonly Name[]>;

export function severalNames(options: NamesOptions): Model<NamesShape> {
  const { variant, wants, counterMax, holds } = options;
  const clients = wants.length;
  const voting = votingOf(options);
  const alike = wants.findIndex((one) => one !== wants[0]);
  return {
    name: `several names (${variant}), ${wants.join(", ")}, counters to ${counterMax}, holds ${holds}`,
    layout: new Layout<NamesShape>({ ...fields, clients, alike: alike < 0 ? clients : alike }),
    initial(world, done) {
      const counters = counterMax + 1;
      for (let combination = 0; combination < counters ** (2 * PRIMARIES); combination++) {
        world.primaries.forEach((primary, j) => {
          primary.counterA = Math.floor(combination / counters ** (2 * j)) % counters;
          primary.counterB = Math.floor(combination / counters ** (2 * j + 1)) % counters;
        });
        done();
      }
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++)
        if (at(now.clients, i).phase === IDLE) {
          begin(fork(), i, (other) => (other !== i && meet(wants, i, other) ? 1 : 0));
          done("{client} asks all primaries", 0, i);
        } else messageSteps(now, fork, done, i, voting);
      if (holds === "stay") return;
      for (let j = 0; j < PRIMARIES; j++)
        for (const { name, held } of NAMES.ab) {
          if (at(now.primaries, j)[held] === 0) continue;
          at(fork().primaries, j)[held] = 0;
          done(`the hold of ${name} on {primary} ends`, j);
        }
    },
    violation: (world) => violationOf(world, options),
    show: (world) =>
      [
        ...world.primaries.map((primary) => `[${NAMES.ab.map((name) => showName(primary, name)).join(" ")}]`),
        ...world.clients.map((client, i) => `${showAttempt(clientName(i), client)} (${wants[i]})`),
      ].join("  "),
    landmarks: {
      "a token after a raise": (world) => world.clients.some(({ target }) => target > 0),
      ...(holds === "stay"
        ? { "a token": (world: NamesWorld) => world.clients.some(({ token }) => token > 0) }
        : { "everybody has a token": (world: NamesWorld) => world.clients.every(({ token }) => token > 0) }),
    },
  };
}

function meet(wants: NamesOptions["wants"], one: number, other: number): boolean {
  return [...at(wants, one)].some((name) => at(wants, other).includes(name));
}

function votingOf({ variant, wants }: NamesOptions): Voting<NamesWorld> {
  const wanted = (client: number): readonly Name[] => NAMES[at(wants, client)];
  const highest = (primary: Primary, names: readonly Name[]) =>
    Math.max(...names.map(({ counter }) => primary[counter]));
  return {
    rule: "exactly",
    replies: "at once",
    acquire(primary, client) {
      const names = wanted(client);
      const mine = names.filter(({ held }) => primary[held] === client + 1);
      const free = names.filter(({ held }) => primary[held] === 0);
      if (mine.length === names.length) return highest(primary, names);
      const some = variant === "a grant where only some are free" ? [...mine, ...free] : names;
      if (mine.length + free.length < some.length || some.length === 0) return REFUSED;
      const top = highest(primary, some);
      for (const { held, counter } of some) {
        primary[held] = client + 1;
        if (variant === "each name counts for itself") primary[counter]++;
        else if (variant === "a grant that counts up for no name" && mine.length > 0) primary[counter] = top;
        else primary[counter] = top + 1;
      }
      return highest(primary, some);
    },
    raise(primary, client, target) {
      const names = wanted(client);
      const mine = names.filter(({ held }) => primary[held] === client + 1);
      const enough = variant === "a raise where only some are held" ? 1 : names.length;
      if (mine.length < enough) return REFUSED;
      const top = Math.max(highest(primary, names), target);
      for (const { counter } of variant === "a raise of one name alone" ? names.slice(0, 1) : names)
        primary[counter] = top;
      return top;
    },
  };
}

function violationOf({ clients }: NamesWorld, { wants, holds }: NamesOptions): string | null {
  for (let i = 0; i < clients.length; i++) {
    const { token, after } = at(clients, i);
    if (token === 0) continue;
    if (token <= after) return `token ${token} does not follow ${after}, committed before it began`;
    for (let k = 0; k < i; k++) {
      const other = at(clients, k).token;
      if (other === 0 || !meet(wants, i, k)) continue;
      if (other === token) return `two leases of a name have token ${token}`;
      if (holds === "stay") return "two leases hold a name";
    }
  }
  return null;
}

function showName(primary: Primary, { name, held, counter }: Name): string {
  return `${name}: ${primary[held] ? clientName(primary[held] - 1) : "-"} ${primary[counter]}`;
}
