import type { History, Operation, Outcome, Request, WorldEvent } from "./operation.js";

/** Who asks whom, and until when an answer is due. */
export interface Asking {
  readonly client: string;
  readonly instance: string;
  /** How long the answer may take, ms. */
  readonly withinMs: number;
  readonly mustSucceed?: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Writes a history down.
 *
 * @example
 * const recorder = new Recorder(() => performance.now());
 * const answered = recorder.asks({ client: "c1", instance: "i1", withinMs: 2_000 }, { kind: "acquire", name, ttlMs });
 * const lease = await acquire(name, ttlMs);
 * answered({ kind: "granted", leaseId, token, validUntilMs: answered.startMs + waitedMs + validForMs });
 * const violations = check(recorder.history());
 */
export class Recorder {
  readonly #operations: Mutable<Operation>[] = [];
  readonly #events: WorldEvent[] = [];

  constructor(private readonly nowMs: () => number) {}

  /** To be called before the request is sent; what it returns, once, with what came of it. */
  asks(asking: Asking, request: Request): Answered {
    const startMs = this.nowMs();
    const operation: Mutable<Operation> = {
      id: this.#operations.length + 1,
      client: asking.client,
      instance: asking.instance,
      startMs,
      endMs: null,
      deadlineMs: startMs + asking.withinMs,
      mustSucceed: asking.mustSucceed ?? false,
      request,
      outcome: null,
    };
    this.#operations.push(operation);
    return Object.assign(
      (outcome: Outcome) => {
        if (operation.outcome) throw new Error(`operation ${operation.id} was answered before`);
        operation.endMs = this.nowMs();
        operation.outcome = outcome;
      },
      { startMs },
    );
  }

  /** Something that happened to the service, or to the world around it. */
  happened(event: WorldEvent): void {
    this.#events.push(event);
  }

  /** A line for readers. */
  note(text: string): void {
    this.happened({ kind: "note", atMs: this.nowMs(), text });
  }

  history(): History {
    return { operations: [...this.#operations], events: [...this.#events], endMs: this.nowMs() };
  }
}

export interface Answered {
  (outcome: Outcome): void;
  readonly startMs: number;
}
