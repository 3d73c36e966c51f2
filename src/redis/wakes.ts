import type { Connect, Connection } from "./connection.js";

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

  /**
   * `onWake` is told the place of the primary and the leaseId whose turn it is; `onGap`, that messages may have been
   * missed until now.
   */
  listen(onWake: (primary: number, leaseId: string) => void, onGap: () => void): void {
    if (this.#connections.length > 0) return;
    this.#connections = this.urls.map((url, place) => {
      const connection = this.connect(url, {
        connectTimeoutMs: this.connectTimeoutMs,
        name: "quorate-wakes",
        subscription: { channel: this.channel, onMessage: (leaseId) => onWake(place, leaseId) },
      });
      connection.onChange((ready) => ready && onGap());
      return connection;
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}
