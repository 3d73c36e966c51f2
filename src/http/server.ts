import { createServer as createHttpServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Config } from "../config.js";
import type { Ids } from "../ids.js";
import type { App } from "./context.js";
import { type Gate, refuse } from "./gate.js";

/** What is behind the sockets. */
export interface Served {
  readonly app: App;
  readonly gates: readonly Gate[];
  /** A connection was closed at once, since there were too many. */
  connectionRefused(): void;
}

/** What listens for requests: sockets, their deadlines, and the gates that a request passes before the framework. */
export function createServer({ app, gates, connectionRefused }: Served, config: Config, ids: Ids): Server {
  const answer = getRequestListener(app.fetch);
  const server = createHttpServer(
    {
      keepAliveTimeout: config.keepAliveMs,
      headersTimeout: config.headersTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
    },
    async (incoming, outgoing) => {
      for (const gate of gates) {
        const refusal = await gate(incoming, outgoing);
        if (refusal) return refuse(incoming, outgoing, refusal, ids);
      }
      return answer(incoming, outgoing);
    },
  );
  // Beyond it a connection is closed as soon as it was accepted: each takes memory, whatever is sent on it.
  server.maxConnections = config.connectionsMax;
  server.on("drop", connectionRefused);
  return server;
}
