import type { Connect, Connection } from "./connection.js";

/** What a primary publishes to an instance that has waiting requests. */
export type Notification =
  | {
      readonly kind: "lease";
      readonly leaseId: string;
      /** The grant, if the primary handed off the name to the request; null: the request may ask now. */
      readonly handoff: Handoff | null;
    }
  /** All readers in a queue with a ticket below `before` may ask. */
  | { readonly kind: "readers"; readonly queueKey: string; readonly before: number };

/** A grant that no call asked for just then: a vote for the attempt after one that was refused. */
export interface Handoff {
  readonly nonce: string;
  readonly attemptNumber: number;
  readonly counter: number;
  /** When it was granted, in microseconds since 1970 by that server's clock. */
  readonly serverMicros: number;
  /** Of the primary that granted it. A replica passes on what its primary publishes, so it may come from another server. */
  readonly configurationEpoch: string;
}

/**
 * Subscribes to notifications on every primary. Connections are opened when a request waits for the first time. A
 * notification that is lost while one is down costs a second: each waiting request asks again then.
 */
export class Notifications {
  #connections: Connection[] = [];

  constructor(
    private readonly urls: readonly string[],
    private readonly connect: Connect,
    private readonly channel: string,
    private readonly connectTimeoutMs: number,
  ) {}

  /** `onNotification` gets the index of the primary; `onGap` means that notifications may have been missed until now. */
  listen(onNotification: (primary: number, notification: Notification) => void, onGap: () => void): void {
    if (this.#connections.length > 0) return;
    this.#connections = this.urls.map((url, index) => {
      const connection = this.connect(url, {
        connectTimeoutMs: this.connectTimeoutMs,
        name: "quorate-wakes",
        subscription: {
          channels: new Set([this.channel]),
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

/** The format of `hand_on` and `wake_first` in queues.lua. */
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
