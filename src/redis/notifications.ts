import type { Connect, Connection } from "./connection.js";

/** What a primary tells the instance where somebody waits. */
export type Notification =
  | {
      readonly kind: "lease";
      readonly leaseId: string;
      /** The primary granted it what it waits for; null: it is its turn to ask. */
      readonly handoff: Handoff | null;
    }
  /** All readers in a line may ask that have a ticket below `before`. */
  | { readonly kind: "readers"; readonly queueKey: string; readonly before: number };

/** A grant that nobody asked for just then: a vote of the turn after an attempt that was refused. */
export interface Handoff {
  readonly nonce: string;
  readonly attemptNumber: number;
  readonly counter: number;
  /** When, in microseconds since 1970 by that server's clock. */
  readonly serverMicros: number;
  /** Who granted it, in which configuration. Not who told of it: a replica passes on what its primary publishes. */
  readonly configurationEpoch: string;
}

/**
 * Listens on every primary for those that say whose turn it is. Connections are opened when somebody waits for the
 * first time. What is lost while one is down costs a second: whoever waits asks again then.
 */
export class Notifications {
  #connections: Connection[] = [];

  constructor(
    private readonly urls: readonly string[],
    private readonly connect: Connect,
    private readonly channel: string,
    private readonly connectTimeoutMs: number,
  ) {}

  /** `onWake` is told the place of the primary; `onGap`, that messages may have been missed until now. */
  listen(onNotification: (primary: number, notification: Notification) => void, onGap: () => void): void {
    if (this.#connections.length > 0) return;
    this.#connections = this.urls.map((url, index) => {
      const connection = this.connect(url, {
        connectTimeoutMs: this.connectTimeoutMs,
        name: "quorate-wakes",
        subscription: {
          channel: this.channel,
          onMessage: (message) => onNotification(index, parse(message)),
        },
      });
      connection.onChange((ready) => ready && onGap());
      return connection;
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** As `hand_on` and `wake_first` in queues.lua have it. */
function parse(message: string): Notification {
  const [leaseId = "", nonce, attemptNumber, counter, micros, configurationEpoch = ""] = message.split(" ");
  if (leaseId === "readers" && nonce !== undefined) {
    const queueKey = message.slice(`${leaseId} ${nonce} `.length);
    return { kind: "readers", queueKey, before: nonce === "-" ? Number.POSITIVE_INFINITY : Number(nonce) };
  }
  if (nonce === undefined) return { kind: "lease", leaseId, handoff: null };
  return {
    kind: "lease",
    leaseId,
    handoff: {
      nonce,
      attemptNumber: Number(attemptNumber),
      counter: Number(counter),
      serverMicros: Number(micros),
      configurationEpoch,
    },
  };
}
