import type { Connect, Connection } from "./connection.js";

export interface Listener {
  /** Something was published on this primary. */
  heard(primary: number, message: string): void;
  /** On this primary, what was published until now may have been missed. */
  subscribed(primary: number): void;
}

/**
 * Channels on every primary, each for as long as anybody listens. A connection to each is opened when anybody does for the first
 * time. What is published while one is down is lost.
 */
export class Subscriptions {
  #connections: readonly Connection[] = [];
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #channels = new Set<string>();

  constructor(
    private readonly urls: readonly string[],
    private readonly connect: Connect,
    private readonly connectTimeoutMs: number,
  ) {}

  /** Returns what ends it. */
  listen(channel: string, listener: Listener): () => void {
    const known = this.#listeners.get(channel);
    if (known) known.add(listener);
    else {
      this.#listeners.set(channel, new Set([listener]));
      this.#channels.add(channel);
      if (this.#connections.length === 0) this.#open();
      else this.#resubscribe([channel], []);
    }
    return () => this.#end(channel, listener);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #end(channel: string, listener: Listener): void {
    const listeners = this.#listeners.get(channel);
    if (!listeners?.delete(listener) || listeners.size > 0) return;
    this.#listeners.delete(channel);
    this.#channels.delete(channel);
    this.#resubscribe([], [channel]);
  }

  #open(): void {
    this.#connections = this.urls.map((url, primary) =>
      this.connect(url, {
        connectTimeoutMs: this.connectTimeoutMs,
        name: "quorate-changes",
        subscription: {
          channels: this.#channels,
          onMessage: (message, channel) => {
            for (const listener of this.#listeners.get(channel) ?? []) listener.heard(primary, message);
          },
          onSubscribed: (channels) => {
            for (const channel of channels)
              for (const listener of this.#listeners.get(channel) ?? []) listener.subscribed(primary);
          },
        },
      }),
    );
  }

  #resubscribe(added: readonly string[], removed: readonly string[]): void {
    for (const connection of this.#connections) connection.resubscribe?.(added, removed);
  }
}
