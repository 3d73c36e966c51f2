import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Clock } from "../clock.js";

/**
 * The connections of a server, and how they end when it stops: none is cut while a request is under way or may be on
 * its way. node's own `close` destroys whatever idles at that moment, with the request that its client has just sent.
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
      this.#all.set(socket, { underWay: new Set(), bytes: 0, quietSinceMs: 0, ended: false });
      socket.once("close", () => this.#all.delete(socket));
    });
  }

  /** Whether each answer closes its connection. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** Notes a request. False: its connection has been closed from here meanwhile, so that nobody would hear the answer. */
  began({ socket }: IncomingMessage, outgoing: ServerResponse): boolean {
    const connection = this.#all.get(socket);
    if (!connection) return true;
    if (connection.ended) return false;
    if (this.#leaving) outgoing.setHeader("connection", "close");
    connection.underWay.add(outgoing);
    outgoing.once("close", () => connection.underWay.delete(outgoing));
    return true;
  }

  /** From now on each answer closes its connection; those that stay silent are counted as quiet from now on. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    for (const { underWay } of this.#all.values())
      for (const outgoing of underWay) if (!outgoing.headersSent) outgoing.setHeader("connection", "close");
    this.#watch();
  }

  /** Closes the port to new connections, then leaves those that are there. */
  async closePort(): Promise<void> {
    await this.#emptyQueue();
    // Not that of node:http, which destroys what idles.
    NetServer.prototype.close.call(this.server);
    this.#closing = true;
    this.leave();
    const heardSinceMs = this.clock.monotonicMs() - QUIET_MS + RESUMED_MS;
    for (const [socket, connection] of this.#all) {
      // What came meanwhile has not been read yet.
      connection.quietSinceMs = Math.max(connection.quietSinceMs, heardSinceMs);
      socket.resume();
    }
  }

  /**
   * Resolves when every connection has got its answer, or has been quiet for a while, and is closed. What is left after
   * `withinMs` is cut; false: of that were requests under way.
   */
  async end(withinMs: number): Promise<boolean> {
    let inTime = true;
    const cancel = this.clock.after(withinMs, () => {
      inTime = [...this.#all.values()].every(({ underWay }) => underWay.size === 0);
      this.server.closeAllConnections();
    });
    if (this.#all.size > 0) await new Promise((resolve) => this.server.once("close", resolve));
    cancel();
    return inTime;
  }

  /** Looks again and again which connections are quiet, and ends them once the port is closed. */
  #watch(): void {
    this.#endQuiet();
    this.clock.after(LOOK_MS, () => this.#watch());
  }

  #endQuiet(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [socket, connection] of this.#all) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      // A request that has begun to arrive counts, too.
      if (connection.underWay.size > 0 || bytes !== connection.bytes || connection.quietSinceMs === 0) {
        connection.bytes = bytes;
        connection.quietSinceMs = nowMs;
      } else if (this.#closing && nowMs - connection.quietSinceMs >= QUIET_MS && !connection.ended) {
        connection.ended = true;
        // Its client is told that no more comes, and closes it in turn; cut, it would lose what is on its way.
        socket.end();
      }
    }
  }

  /**
   * Waits for a moment in which no connection waits to be accepted, since the kernel resets those when the port closes.
   * To know of such a moment before it has passed takes a short turn of the event loop: so nothing is read meanwhile.
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

interface Connection {
  readonly underWay: Set<ServerResponse>;
  /** Read and written when it was looked at last, and since when they are as many. */
  bytes: number;
  quietSinceMs: number;
  ended: boolean;
}

const LOOK_MS = 50;
/** How long a connection must have been silent to be closed: its client had ample time to begin a request. */
const QUIET_MS = 2_000;
/** The same once it is read from again. */
const RESUMED_MS = 500;
/** How long a moment without new connections is looked for, and how short it must be. Nobody is answered meanwhile. */
const QUEUE_MS_MAX = 1_000;
const TURN_MS = 0.25;
