import type { Clock } from "../clock.js";
import type { Connection } from "./connection.js";

/** What a breaker protects: whatever is behind a connection. */
export interface Protected {
  /** Resolves when it can be used. */
  probe(): Promise<void>;
  /** It cannot be used from now on; or still cannot, for a newer reason. */
  opened(reason: string): void;
  /** It can be used again. `epoch` counts how often: what was known in an earlier epoch means nothing now. */
  closed(epoch: number): void;
}

/**
 * A circuit breaker: open from the first sign that its target cannot be used until a probe succeeds. It probes every
 * `PROBE_INTERVAL_MS`, for as long as the connection stands.
 */
export class Breaker {
  #state: "open" | "probing" | "closed" | "stopped" = "open";
  #epoch = 0;

  constructor(
    private readonly connection: Pick<Connection, "ready" | "onChange">,
    private readonly target: Protected,
    private readonly clock: Clock,
  ) {
    connection.onChange((ready, reason) => {
      if (ready) void this.#probe();
      else this.open(reason?.message ?? (this.#epoch === 0 ? NEVER_ANSWERED : "connection lost"));
    });
    if (connection.ready) void this.#probe();
  }

  open(reason: string): void {
    if (this.#state === "stopped") return;
    const wasClosed = this.#state === "closed";
    if (wasClosed) this.#state = "open";
    this.target.opened(reason);
    if (wasClosed) void this.#probe();
  }

  /** For good. */
  stop(): void {
    this.#state = "stopped";
  }

  async #probe(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "probing";
    while (this.#mayProbe()) {
      try {
        await this.target.probe();
        if (this.#mayProbe()) return this.#close();
      } catch (error) {
        // If the connection was lost, its own reason is better than that of the command that was under way.
        if (this.connection.ready) this.open(error instanceof Error ? error.message : String(error));
        await this.clock.sleep(PROBE_INTERVAL_MS);
      }
    }
    if (this.#state === "probing") this.#state = "open";
  }

  #mayProbe(): boolean {
    return this.#state === "probing" && this.connection.ready;
  }

  #close(): void {
    this.#state = "closed";
    this.#epoch += 1;
    this.target.closed(this.#epoch);
  }
}

const PROBE_INTERVAL_MS = 50;
const NEVER_ANSWERED = "it closes the connection without an answer: is it a Redis or Valkey server?";
