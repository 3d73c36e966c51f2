import type { Connect, Connection } from "./connection.js";

/** What a primary tells the instance where somebody waits. */
export type Wake =
  | {
      readonly kind: "lease";
      readonly leaseId: string;
      /** The primary granted it what it waits for; null: it is its turn to ask. */
      readonly handed: Handed | null;
    }
  /** All readers in a line may ask that have a ticket below `before`. */
  | { readonly kind: "readers"; readonly lineKey: string; readonly before: number };

/** A grant that nobody asked for just then: a vote of the turn after an attempt that was refused. */
export interface Handed {
  readonly nonce: string;
  readonly turn: number;
  readonly counter: number;
  /** When, in microseconds since 1970 by that server's clock. */
  readonly serverMicros: number;
  /** Who granted it, in which configuration. Not who told of it: a replica passes on what its primary publishes. */
  readonly stamp: string;
}

/**
 * Listens on every primary for those that say whose turn it is. Connections are opened when somebody waits for the
 * first time. What is lost while one is down costs a second: whoever waits asks again then.
 */
export class Wakes {
  #connections: Connection[] = [];

  constructor(
    private readonly urls: readonly string[],
    private readonly connect: Connect,
    private readonly channel: string,
    private readonly connectTimeoutMs: number,
  ) {}

  /** `onWake` is told the place of the primary; `onGap`, that messages may have been missed until now. */
  listen(onWake: (primary: number, wake: Wake) => void, onGap: () => void): void {
    if (this.#connections.length > 0) return;
    this.#connections = this.urls.map((url, place) => {
      const connection = this.connect(url, {
        connectTimeoutMs: this.connectTimeoutMs,
        name: "quorate-wakes",
        subscription: { channel: this.channel, onMessage: (message) => onWake(place, parse(message)) },
      });
      connection.onChange((ready) => ready && onGap());
      return connection;
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** As `hand_on` and `wake_first` in lines.lua have it. */
function parse(message: string): Wake {
  const [leaseId = "", nonce, turn, counter, micros, stamp = ""] = message.split(" ");
  if (leaseId === "readers" && nonce !== undefined) {
    const lineKey = message.slice(`${leaseId} ${nonce} `.length);
    return { kind: "readers", lineKey, before: nonce === "-" ? Number.POSITIVE_INFINITY : Number(nonce) };
  }
  if (nonce === undefined) return { kind: "lease", leaseId, handed: null };
  return {
    kind: "lease",
    leaseId,
    handed: {
      nonce,
      turn: Number(turn),
      counter: Number(counter),
      serverMicros: Number(micros),
      stamp,
    },
  };
}
