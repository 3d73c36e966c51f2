import type { Clock } from "../clock.js";
import { BATCHES, type Call, type Script } from "../scripts/scripts.js";

/**
 * Joins the calls of one script to one primary that are made in one tick of the event loop: they are sent as one script
 * that runs it for each, so that a crowd that is notified at once costs a bounded number of scripts. A failure fails them all.
 */
export class ScriptBatches {
  readonly #waiting = new Map<Script, Waiting[]>();

  constructor(
    private readonly run: <T>(call: Call<T>) => Promise<T>,
    private readonly clock: Clock,
  ) {}

  /** Settles as `run` would for this call alone. */
  add<T>(call: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(call.script);
      const own = { call, resolve: resolve as (value: unknown) => void, reject };
      if (waiting) waiting.push(own);
      else {
        this.#waiting.set(call.script, [own]);
        this.clock.soon(() => this.#send(call.script));
      }
    });
  }

  #send(script: Script): void {
    const waiting = this.#waiting.get(script) ?? [];
    this.#waiting.delete(script);
    for (let at = 0; at < waiting.length; at += BATCH_MAX) {
      const some = waiting.slice(at, at + BATCH_MAX);
      const calls = some.map(({ call }) => call);
      const [first] = calls;
      // A single call needs no batch.
      const sent =
        calls.length === 1 && first ? this.run(first).then((value) => [value]) : this.run(all(calls));
      sent.then(
        (values) => some.forEach(({ resolve }, index) => void resolve(values[index])),
        (error) => some.forEach(({ reject }) => void reject(error)),
      );
    }
  }
}

interface Waiting {
  readonly call: Call<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Several calls of one script as one call. */
export function all(calls: readonly Call<unknown>[]): Call<unknown[]> {
  const script = BATCHES.get(calls[0]?.script.name ?? "");
  if (!script) throw new Error(`${calls[0]?.script.name} is not for several calls`);
  return {
    script,
    keys: calls.flatMap(({ keys }) => keys),
    args: [calls.length, ...calls.flatMap(({ keys, args }) => [keys.length, args.length, ...args])],
    parse: (reply) => (reply as unknown[]).map((one, index) => calls[index]?.parse(one)),
  };
}

/** Calls in one script: some 3 ms of a primary's time for the most expensive ones, grants to readers (bench/studies/scripts.ts). */
const BATCH_MAX = 32;
