import type { Access } from "../../access/access.js";
import type { Clock } from "../../clock.js";
import { INVALID_CREDENTIAL } from "../failures.js";
import { lacks, type Permitted } from "./authorization.js";

/** Ends event streams and blocking reads within a second after the right to them has ended. */
export class Revocations {
  readonly #underWay = new Set<UnderWay>();
  #checking = false;

  constructor(
    private readonly access: Pick<Access, "current" | "isOpen">,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs `wait` with a signal that aborts when the client disconnects or its right ends. Throws `unauthenticated` or
   * `forbidden` if it has ended by then.
   */
  async during<T>(
    permitted: Permitted,
    client: AbortSignal,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.access.isOpen) return wait(client);
    const { signal, end } = this.#begin(permitted, client);
    try {
      const waited = await wait(signal);
      this.#assert(permitted);
      return waited;
    } finally {
      end();
    }
  }

  /** What `chunks` yields, until the right to it ends. */
  async *stream<T>(
    permitted: Permitted,
    client: AbortSignal,
    chunks: (signal: AbortSignal) => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    if (this.access.isOpen) return yield* chunks(client);
    const { signal, end } = this.#begin(permitted, client);
    try {
      yield* chunks(signal);
    } finally {
      end();
    }
  }

  #begin(permitted: Permitted, client: AbortSignal): { signal: AbortSignal; end: () => void } {
    const ending = new AbortController();
    const one = { permitted, abort: () => ending.abort() };
    // Where the client has gone, nobody may pull what ends the stream.
    const end = () => {
      this.#underWay.delete(one);
      client.removeEventListener("abort", abort);
    };
    const abort = () => {
      end();
      ending.abort();
    };
    client.addEventListener("abort", abort);
    this.#underWay.add(one);
    if (client.aborted) abort();
    this.#check();
    return { signal: ending.signal, end };
  }

  /** Looks every second at all that is under way, as long as anything is. */
  #check(): void {
    if (this.#checking) return;
    this.#checking = true;
    this.clock.after(CHECK_MS, () => {
      this.#checking = false;
      for (const { permitted, abort } of this.#underWay) if (this.#whyNot(permitted)) abort();
      if (this.#underWay.size > 0) this.#check();
    });
  }

  #assert(permitted: Permitted): void {
    const failure = this.#whyNot(permitted);
    if (failure) throw failure;
  }

  #whyNot(permitted: Permitted) {
    const principal = this.access.current(permitted.principal);
    if (!principal) return INVALID_CREDENTIAL;
    const missing = principal.grants.missing(permitted);
    return missing && lacks(missing);
  }
}

interface UnderWay {
  readonly permitted: Permitted;
  abort(): void;
}

const CHECK_MS = 1_000;
