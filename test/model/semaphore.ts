/**
 * A semaphore of L permits is L slots, each a lock that a majority grant. Its tempting twin counts votes instead: a
 * primary grants while fewer than L leases hold there, and with a majority of grants one has a permit.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { clientName, type Done, type Model } from "./explore.js";
import { at, Layout, type LinkOf, type PrimaryOf, type World } from "./world.js";

export interface SemaphoreOptions {
  readonly rule: "slots" | "counting votes";
  readonly permits: number;
  readonly clients: number;
  /** How many slots a client asks for, one after the other. */
  readonly tries: number;
}

const PRIMARIES = 3;
const MAJORITY = majorityOf(PRIMARIES);

const fields = {
  primaries: PRIMARIES,
  primary: [],
  // Slots, as bits: asked for or given back by messages under way, held, and granted in the present attempt.
  link: ["asked", "returned", "held", "granted"],
  // `slot`: the one it asks for or has, counted from 1. `tried`: the slots that it asked for, as bits.
  client: ["slot", "tried", "phase"],
  naming: [],
} as const;

type SemaphoreShape = typeof fields & { clients: number; alike: number };
type SemaphoreWorld = World<SemaphoreShape>;
type Fork = () => SemaphoreWorld;

const IDLE = 0;
const ASKING = 1;
const HOLDING = 2;
const GONE = 3;

export function semaphore(options: SemaphoreOptions): Model<SemaphoreShape> {
  const { rule, permits, clients, tries } = options;
  const slots = rule === "slots" ? permits : 1;
  return {
    name: `semaphore of ${permits} (${rule}), ${clients} clients, ${tries} tries`,
    layout: new Layout<SemaphoreShape>({ ...fields, clients, alike: clients }),
    initial: (_, done) => done(),
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++) {
        clientSteps(now, fork, done, i, slots, tries);
        for (let j = 0; j < PRIMARIES; j++)
          for (let slot = 1; slot <= slots; slot++) deliver(now, fork, done, i, j, slot, options);
      }
    },
    violation: ({ clients: all }) => {
      const holders = all.filter(({ phase }) => phase === HOLDING).length;
      return holders > permits ? `${holders} hold ${permits} permits` : null;
    },
    show: (world) =>
      [
        ...world.primaries.map(({ links }) => `[${links.map(showHeld).join("") || "-"}]`),
        ...world.clients.map(({ phase, slot }, i) => {
          const of = slots > 1 && slot > 0 ? ` slot ${slot}` : "";
          return `${clientName(i)}: ${PHASES[phase]}${of}`;
        }),
      ].join("  "),
    landmarks: {
      "all permits are held": ({ clients: all }) =>
        all.filter(({ phase }) => phase === HOLDING).length === permits,
    },
  };
}

function clientSteps(
  now: SemaphoreWorld,
  fork: Fork,
  done: Done,
  i: number,
  slots: number,
  tries: number,
): void {
  const { phase, tried, slot } = at(now.clients, i);
  const isTried = (wanted: number) => (tried & (1 << wanted)) > 0;
  const left = tries - [1, 2, 3].filter(isTried).length;
  for (let wanted = 1; wanted <= slots && phase === IDLE && left > 0; wanted++) {
    if (isTried(wanted)) continue;
    const next = fork();
    Object.assign(at(next.clients, i), { phase: ASKING, slot: wanted, tried: tried | (1 << wanted) });
    for (const { links } of next.primaries) at(links, i).asked |= 1 << wanted;
    done(`{client} asks${slots > 1 ? ` for slot ${wanted}` : ""}`, 0, i);
  }
  if (phase !== ASKING && phase !== HOLDING) return;
  const next = fork();
  Object.assign(at(next.clients, i), { phase: phase === HOLDING ? GONE : IDLE, slot: 0 });
  for (const { links } of next.primaries) {
    const link = at(links, i);
    link.returned |= 1 << slot;
    link.granted = 0;
  }
  done(phase === HOLDING ? "{client} releases" : "{client} gives up, and cleans up", 0, i);
}

function deliver(
  now: SemaphoreWorld,
  fork: Fork,
  done: Done,
  i: number,
  j: number,
  slot: number,
  options: SemaphoreOptions,
): void {
  const bit = 1 << slot;
  const { asked, returned } = at(at(now.primaries, j).links, i);
  if (asked & bit && isFree(at(now.primaries, j), i, bit, options)) {
    const next = fork();
    const link = at(at(next.primaries, j).links, i);
    link.asked &= ~bit;
    link.held |= bit;
    const client = at(next.clients, i);
    if (client.phase === ASKING && client.slot === slot) link.granted = 1;
    if (next.primaries.filter(({ links }) => at(links, i).granted).length >= MAJORITY) {
      client.phase = HOLDING;
      for (const { links } of next.primaries) at(links, i).granted = 0;
    }
    done("{primary} grants to {client}", j, i);
  }
  if (returned & bit) {
    const link = at(at(fork().primaries, j).links, i);
    link.returned &= ~bit;
    // An acquire that comes later is refused.
    link.asked &= ~bit;
    link.held &= ~bit;
    done("{primary} hears that {client} gives it back", j, i);
  }
}

function isFree(
  { links }: PrimaryOf<SemaphoreShape>,
  i: number,
  bit: number,
  { rule, permits }: SemaphoreOptions,
): boolean {
  const holders = links.filter(({ held }, k) => k !== i && held & bit).length;
  return holders < (rule === "counting votes" ? permits : 1);
}

function showHeld({ held }: LinkOf<SemaphoreShape>, i: number): string {
  return [1, 2, 3].map((slot) => (held & (1 << slot) ? `${clientName(i)}${slot}` : "")).join("");
}

const PHASES = ["idle", "asking", "holds", "gone"];
