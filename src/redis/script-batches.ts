import type { Clock } from "../clock.js";
import { BATCHES, type Call, type Script } from "../scripts/scripts.js";

/**
 * Calls of one script that are made in one turn of the event loop, for one primary: they go as one script that runs it for
 * each, so that a crowd which was woken costs a bounded number of scripts. What fails fails for all of them.
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
      // One alone needs nothing around it.
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

/** Calls in one script: some 3 ms of a primary's time for the dearest of them, readers that are granted (bench/scripts.ts). */
const BATCH_MAX = 32;
