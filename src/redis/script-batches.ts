import type { Clock } from "../clock.js";
import { BATCHES, type Call, type Script } from "../scripts/scripts.js";
import type { Answer } from "./answer.js";

/**
 * Joins the calls of one script to one primary that are made in one tick of the event loop: they are sent as one script
 * that runs it for each, so that a crowd that is notified at once costs a bounded number of scripts. A failure fails them all.
 */
export class ScriptBatches {
  readonly #waiting = new Map<Script, Waiting[]>();

  constructor(
    private readonly ask: <T>(call: Call<T>, answered: (answer: Answer<T>) => void) => void,
    private readonly clock: Clock,
  ) {}

  /** Answers as `ask` would for this call alone. */
  add<T>(call: Call<T>, answered: (answer: Answer<T>) => void): void {
    const waiting = this.#waiting.get(call.script);
    const own = { call, answered: answered as Waiting["answered"] };
    if (waiting) waiting.push(own);
    else {
      this.#waiting.set(call.script, [own]);
      this.clock.soon(() => this.#send(call.script));
    }
  }

  #send(script: Script): void {
    const waiting = this.#waiting.get(script) ?? [];
    this.#waiting.delete(script);
    for (let at = 0; at < waiting.length; at += BATCH_MAX) {
      const some = waiting.slice(at, at + BATCH_MAX);
      const [first] = some;
      // A single call needs no batch.
      if (some.length === 1 && first) this.ask(first.call, first.answered);
      else {
        this.ask(all(some.map(({ call }) => call)), (answer) => {
          for (const [index, { answered }] of some.entries())
            answered(answer.ok ? { ok: true, value: answer.value[index] } : answer);
        });
      }
    }
  }
}

interface Waiting {
  readonly call: Call<unknown>;
  readonly answered: (answer: Answer<unknown>) => void;
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
