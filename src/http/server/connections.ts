import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Clock } from "../../clock.js";

/**
 * The connections of a server, and how they end when it stops: none is cut while a request is being answered or may be
 * on its way. node's own `close` destroys all idle connections at once, with any request that a client has just sent.
 */
export class Connections {
  readonly #all = new Map<Socket, Connection>();
  #leaving = false;
  #closing = false;

  constructor(
    private readonly server: Server,
    private readonly clock: Clock,
  ) {
    server.on("connection", (socket: Socket) => {
      this.#all.set(socket, new Connection());
      socket.once("close", () => this.#all.delete(socket));
    });
  }

  /** Whether each answer closes its connection. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** Notes a request. False: its connection was closed from here meanwhile, so the answer could not be sent. */
  began({ socket }: IncomingMessage, outgoing: ServerResponse): boolean {
    const connection = this.#all.get(socket);
    if (!connection) return true;
    if (connection.ended) return false;
    if (this.#leaving) outgoing.setHeader("connection", "close");
    connection.began(outgoing);
    return true;
  }

  /** The last request of a connection that began. */
  latest(socket: Socket): ServerResponse | undefined {
    return this.#all.get(socket)?.latest;
  }

  /** From now on each answer closes its connection, and it is measured how long silent connections have been quiet. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    for (const connection of this.#all.values())
      for (const outgoing of connection.underWay)
        if (!outgoing.headersSent) outgoing.setHeader("connection", "close");
    this.#watch();
  }

  /** Closes the port to new connections, then leaves the open ones. */
  async closePort(): Promise<void> {
    await this.#emptyQueue();
    // Not `close` of node:http, which destroys idle connections.
    NetServer.prototype.close.call(this.server);
    this.#closing = true;
    this.leave();
    const heardSinceMs = this.clock.monotonicMs() - QUIET_MS + RESUMED_MS;
    for (const [socket, connection] of this.#all) {
      // Requests that arrived meanwhile have not been read yet.
      connection.quietSinceMs = Math.max(connection.quietSinceMs, heardSinceMs);
      socket.resume();
    }
  }

  /**
   * Resolves when every connection has got its answer, or has been quiet for a while, and is closed. Connections that are
   * left after `withinMs` are cut; false: requests on them were still being answered.
   */
  async end(withinMs: number): Promise<boolean> {
    let inTime = true;
    const cancel = this.clock.after(withinMs, () => {
      inTime = [...this.#all.values()].every(({ underWay }) => underWay.length === 0);
      this.server.closeAllConnections();
    });
    if (this.#all.size > 0) await new Promise((resolve) => this.server.once("close", resolve));
    cancel();
    return inTime;
  }

  /** Checks periodically which connections are quiet, and ends them once the port is closed. */
  #watch(): void {
    this.#endQuiet();
    this.clock.after(LOOK_MS, () => this.#watch());
  }

  #endQuiet(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [socket, connection] of this.#all) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      // A request that has begun to arrive counts as activity.
      if (connection.underWay.length > 0 || bytes !== connection.bytes || connection.quietSinceMs === 0) {
        connection.bytes = bytes;
        connection.quietSinceMs = nowMs;
      } else if (this.#closing && nowMs - connection.quietSinceMs >= QUIET_MS && !connection.ended) {
        connection.ended = true;
        // Half-closed, so that its client closes it in turn: if it were cut, a request on its way would be lost.
        socket.end();
      }
    }
  }

  /**
   * Waits for a moment in which no connection is waiting to be accepted, since the kernel resets those when the port
   * closes. To notice such a moment before it has passed, turns of the event loop must be short: nothing is read meanwhile.
   */
  async #emptyQueue(): Promise<void> {
    const endMs = this.clock.monotonicMs() + QUEUE_MS_MAX;
    let accepted = 0;
    const pause = (socket: Socket) => {
      accepted += 1;
      socket.pause();
    };
    for (const socket of this.#all.keys()) socket.pause();
    this.server.on("connection", pause);
    for (;;) {
      const before = accepted;
      const beganMs = this.clock.monotonicMs();
      await new Promise<void>((resolve) => this.clock.soon(resolve));
      const nowMs = this.clock.monotonicMs();
      if (nowMs > endMs || (accepted === before && nowMs - beganMs < TURN_MS)) break;
    }
    this.server.off("connection", pause);
  }
}

class Connection {
  latest: ServerResponse | undefined;
  /** Bytes read and written at the last check, and since when they have not changed. */
  bytes = 0;
  quietSinceMs = 0;
  ended = false;
  /** Requests before the latest, of a client that sends the next before it has the answer to the last. */
  #earlier: readonly ServerResponse[] = [];

  /** Checks here whether the request before is over: a listener for each request would cost more. */
  began(outgoing: ServerResponse): void {
    if (this.latest && !this.latest.closed) this.#earlier = this.underWay;
    else if (this.#earlier.length > 0) this.#earlier = this.#earlier.filter(({ closed }) => !closed);
    this.latest = outgoing;
  }

  get underWay(): readonly ServerResponse[] {
    const earlier = this.#earlier.filter(({ closed }) => !closed);
    return this.latest && !this.latest.closed ? [...earlier, this.latest] : earlier;
  }
}

const LOOK_MS = 50;
/** How long a connection must be silent before it is closed: ample time for its client to begin a request. */
const QUIET_MS = 2_000;
/** The same, after reading from it was resumed. */
const RESUMED_MS = 500;
/** How long to try for a moment without new connections, and how short it must be. Nothing is answered meanwhile. */
const QUEUE_MS_MAX = 1_000;
const TURN_MS = 0.25;
