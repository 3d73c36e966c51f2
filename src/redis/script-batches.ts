import type { Clock } from "../clock.js";
import { BATCHES, type Call, GATHERED, RUNS_MAX } from "../scripts/scripts.js";
import { RedisReplyError } from "./connection.js";
import { failureOf } from "./failures.js";
import { Gathering } from "./gathering.js";
import type { Settle } from "./wire.js";

/**
 * Joins the calls of one script to one primary that are made in one tick of the event loop: they are sent as one command
 * that runs the script for each, which costs the primary and this process less than a command each. Nothing waits for it, since
 * commands leave when the tick is over in any case; only calls of scripts that are gathered wait a moment for others that are
 * under way. Each call has its own reply or error; only what befalls the whole command (no answer, a stale epoch) befalls all
 * its calls.
 */
export class ScriptBatches {
  #waiting: Waiting[] = [];
  readonly #gathered = new Map<string, Gathering<Waiting>>();

  constructor(
    private readonly send: (call: Call<unknown>, configurationEpoch: string, settle: Settle) => void,
    private readonly clock: Pick<Clock, "soon" | "after">,
  ) {}

  /** Sends the call when this tick is over, or once those that it waits for have their replies. */
  add(call: Call<unknown>, configurationEpoch: string, settle: Settle): void {
    const waiting: Waiting = { call, configurationEpoch, settle };
    const gathered = GATHERED.get(call.script.name);
    if (gathered !== undefined) this.#gathering(gathered).add(waiting);
    else {
      if (this.#waiting.length === 0) this.clock.soon(() => this.#flush());
      this.#waiting.push(waiting);
    }
  }

  #gathering(name: string): Gathering<Waiting> {
    const known = this.#gathered.get(name);
    if (known) return known;
    const gathering = new Gathering<Waiting>(
      (together, over) => this.#sendAll(inOrder(together), over),
      this.clock,
    );
    this.#gathered.set(name, gathering);
    return gathering;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#sendAll(waiting);
  }

  /** `over`: called once all have their replies. */
  #sendAll(waiting: readonly Waiting[], over?: () => void): void {
    const batches = waiting.length === 1 ? [waiting] : batchesOf(waiting);
    let open = batches.length;
    const replied = () => {
      open -= 1;
      if (open === 0) over?.();
    };
    for (const batch of batches) this.#send(batch, replied);
  }

  #send(batch: readonly Waiting[], replied: () => void): void {
    const [first] = batch;
    if (!first) return;
    const { call, configurationEpoch, settle } = first;
    // A single call needs no batch.
    if (batch.length === 1)
      this.send(call, configurationEpoch, (error, reply) => {
        replied();
        settle(error, reply);
      });
    else
      this.send(all(batch.map((one) => one.call)), configurationEpoch, (error, reply) => {
        replied();
        const replies = (error === null ? reply : []) as readonly unknown[];
        batch.forEach((one, run) => {
          const own = replies[run];
          if (own instanceof Error) one.settle(new RedisReplyError(own.message));
          else one.settle(error, own);
        });
      });
  }
}

interface Waiting {
  readonly call: Call<unknown>;
  readonly configurationEpoch: string;
  readonly settle: Settle;
}

/** By their scripts, as `GATHERED` has these. */
const inOrder = (together: readonly Waiting[]): readonly Waiting[] =>
  together.length === 1
    ? together
    : ORDER.flatMap((name) => together.filter(({ call }) => call.script.name === name));

const ORDER = [...GATHERED.keys()];

/** Which calls go together, in the order of the first of each. */
function batchesOf(waiting: readonly Waiting[]): readonly Waiting[][] {
  const batches: Waiting[][] = [];
  /** By script: the one that takes further calls. */
  const open = new Map<string, Waiting[]>();
  for (const one of waiting) {
    const { script } = one.call;
    const batch = open.get(script.name);
    if (batch?.[0] && isAlike(batch[0], one) && hasRoom(batch.length, one.call)) batch.push(one);
    else {
      const begun = [one];
      batches.push(begun);
      if (BATCHES.has(script.name)) open.set(script.name, begun);
    }
  }
  return batches;
}

/** Whether one batch can have both. */
const isAlike = (one: Waiting, other: Waiting) =>
  one.configurationEpoch === other.configurationEpoch &&
  one.call.keys.length === other.call.keys.length &&
  one.call.args.length === other.call.args.length;

const hasRoom = (calls: number, { keys, script }: Call<unknown>) =>
  (calls + 1) * keys.length <= KEYS_MAX && calls < (RUNS_MAX.get(script.name) ?? KEYS_MAX);

/**
 * Several calls of one script as one, which fails if any of them does; all have the same number of keys, and of arguments.
 * lua/lib/batch.lua describes it.
 */
export function all<T>(calls: readonly Call<T>[]): Call<T[]> {
  const script = BATCHES.get(calls[0]?.script.name ?? "");
  if (!script) throw new Error(`${calls[0]?.script.name} is not for several calls`);
  const [keyPlaces, keys] = merged(calls.map((call) => call.keys));
  const [argPlaces, args] = merged(calls.map((call) => call.args));
  return {
    script,
    keys,
    args: [calls.length, keyPlaces, argPlaces, ...args],
    parse: (reply) =>
      calls.map(({ parse }, run) => {
        const own = (reply as unknown[])[run];
        if (own instanceof Error) throw failureOf(new RedisReplyError(own.message));
        return parse(own);
      }),
  };
}

/** The first list, then of each other what stands at the places where any differs from the first; and these places, for Lua. */
function merged<V extends string | number>(lists: readonly (readonly V[])[]): [places: string, values: V[]] {
  const [first = [], ...others] = lists;
  const values = [...first];
  const places: number[] = [];
  for (let place = 0; place < first.length; place++)
    if (others.some((other) => other[place] !== first[place])) places.push(place);
  for (const other of others) for (const place of places) values.push(other[place] as V);
  // The primary puts one of its own in front, and Lua counts from 1.
  return [places.map((place) => place + 2).join(" "), values];
}

/**
 * Keys that the calls of one command may have together: 13 acquires of one name, or seven of four. So it takes less than
 * a millisecond of a primary's time, even for readers, the most expensive of them (bench/studies/scripts.ts).
 */
const KEYS_MAX = 96;
