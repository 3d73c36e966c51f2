import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What happens on the way between one client and one server. */
export type Way =
  | "open"
  /** Connections are closed, and new ones as soon as they come. */
  | "cut"
  /** What goes to the server waits, and arrives when the way is open again: late, but in order and complete. */
  | "stalled_to_server"
  /** The same for what comes back: all runs, and nobody hears of it in time. */
  | "stalled_to_client"
  | "stalled"
  /** What comes back is lost, and with it, when the way is open again, the connection. */
  | "swallowed_to_client"
  /** What goes to the server is lost, and with it, when the way is open again, the connection. */
  | "swallowed_to_server";

/**
 * A TCP proxy in front of one server. All clients see one address, as a deployment must, and are told apart by the
 * user name with which they log in: so one of them can lose its way to a server that others still reach.
 */
export interface Link extends AsyncDisposable {
  readonly port: number;
  set(client: string, way: Way): void;
}

export async function startLink(serverPort: number): Promise<Link> {
  const ways = new Map<string, Way>();
  const pairs = new Set<Pair>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", (head: Buffer) => {
      const client = userIn(head);
      const way = ways.get(client) ?? "open";
      if (way === "cut") return void socket.resetAndDestroy();
      const pair = new Pair(client, socket, serverPort, head);
      pairs.add(pair);
      pair.onEnd = () => pairs.delete(pair);
      pair.set(way);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    set: (client, way) => {
      ways.set(client, way);
      for (const pair of [...pairs]) if (pair.client === client) pair.set(way);
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const pair of [...pairs]) pair.destroy();
    },
  };
}

/** One connection through the proxy. */
class Pair {
  readonly #upstream: Socket;
  #way: Way = "open";
  /** What came before the way was known. */
  #head: Buffer | null;
  onEnd: () => void = () => {};

  constructor(
    readonly client: string,
    private readonly downstream: Socket,
    serverPort: number,
    head: Buffer,
  ) {
    this.#head = head;
    this.#upstream = connect({ port: serverPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.#upstream.on("data", (chunk) => this.#pass(chunk, "client", downstream));
    downstream.on("data", (chunk) => this.#pass(chunk, "server", this.#upstream));
    for (const [from, to] of [
      [downstream, this.#upstream],
      [this.#upstream, downstream],
    ] as const) {
      from.on("end", () => to.end());
      from.on("error", () => this.destroy());
      from.on("close", () => {
        // What waits on the other side of a stalled way still arrives.
        if (from === this.#upstream || !this.#way.startsWith("stalled")) to.end();
        if (from.destroyed && to.destroyed) this.onEnd();
      });
    }
  }

  set(way: Way): void {
    const before = this.#way;
    this.#way = way;
    if (way === "cut" || (way === "open" && before.startsWith("swallowed"))) {
      this.destroy();
      return;
    }
    // Without a reader the bytes stay in the buffers of the kernel.
    if (way === "stalled" || way === "stalled_to_server") this.downstream.pause();
    else {
      if (this.#head) this.#pass(this.#head, "server", this.#upstream);
      this.#head = null;
      this.downstream.resume();
    }
    if (way === "stalled" || way === "stalled_to_client") this.#upstream.pause();
    else this.#upstream.resume();
  }

  destroy(): void {
    this.downstream.destroy();
    this.#upstream.destroy();
    this.onEnd();
  }

  #pass(chunk: Buffer, to: "server" | "client", socket: Socket): void {
    if (this.#way !== `swallowed_to_${to}`) socket.write(chunk);
  }
}

/** `AUTH one any`, or `HELLO 3 AUTH one any`: the first that a client sends, each word after a line with its length. */
function userIn(head: Buffer): string {
  const lines = head.toString("latin1").split("\r\n");
  const auth = lines.findIndex((line) => line.toLowerCase() === "auth");
  return auth < 0 ? "" : (lines[auth + 2] ?? "");
}
