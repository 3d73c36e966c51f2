import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Clock } from "../../clock.js";
import type { Config } from "../../config.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import type { LivePem } from "../../tls/live-pem.js";
import type { App } from "../context.js";
import { EXPECTATION_FAILED } from "../failures.js";
import { ClientCertificates } from "./client-certificate.js";
import { Connections } from "./connections.js";
import { type Gate, problemOf, refuse, requestIdOf } from "./gate.js";
import { answerMalformed } from "./malformed.js";
import { createSecureServer } from "./secure.js";

/** A server, and how to end its connections. */
export interface HttpServer extends Server {
  readonly sockets: Connections;
  /** Null: clients are not asked for certificates. */
  readonly certificates: ClientCertificates | null;
}

/** What the server passes requests to. */
export interface Served {
  readonly app: App;
  /** `certificates`: those of the clients; null: they are not asked for any. */
  gates(certificates: ClientCertificates | null): readonly Gate[];
  /** A connection was closed at once, as there were too many. */
  connectionRefused(): void;
  /** A request did not pass the gates. */
  turnedAway(incoming: IncomingMessage, why: CoordinationError, requestId: string): void;
}

/**
 * The HTTP server, or the HTTPS server with `tls`: sockets, their deadlines, and the gates that a request passes before
 * the framework.
 */
export function createServer(
  { app, gates: gatesOf, connectionRefused, turnedAway }: Served,
  config: Config,
  ids: Ids,
  clock: Clock,
  tls?: LivePem,
): HttpServer {
  // For requests that the framework cannot construct, such as one with a malformed path: the app answers its own failures.
  const answer = getRequestListener(app.fetch, {
    hostname: "localhost",
    errorHandler: () => problemOf(NOT_A_REQUEST, ids.nonce()),
  });
  const certificates = tls?.pem.ca === undefined ? null : new ClientCertificates(tls, clock);
  const further = gatesOf(certificates);
  const gates =
    certificates && config.tlsClientAuth !== "request" ? [certificates.gate, ...further] : further;
  const headersTimeout = Math.min(config.headersTimeoutMs, config.requestTimeoutMs);
  const options = {
    keepAliveTimeout: config.keepAliveMs,
    headersTimeout,
    requestTimeout: config.requestTimeoutMs,
    // How late a deadline may be noticed; by default half a minute.
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout),
    // Health checkers speak HTTP/1.0 without a Host; `hostGate` decides who must send one.
    requireHostHeader: false,
  };
  const server = tls ? createSecureServer(options, tls) : createHttpServer(options);
  const connections = new Connections(server, clock);
  const turnAway = (incoming: IncomingMessage, outgoing: ServerResponse, why: CoordinationError) => {
    const requestId = requestIdOf(incoming.headers["x-request-id"], ids);
    turnedAway(incoming, why, requestId);
    if (!connections.leaving) return refuse(outgoing, why, requestId);
    outgoing.setHeader("connection", "close");
    // If the connection were closed with unread data, it would be reset, and the answer lost.
    return whole(incoming).then(() => refuse(outgoing, why, requestId));
  };
  /** Without a promise unless a gate has to wait: a refusal should cost next to nothing. */
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, from: number): void | Promise<void> => {
    for (let at = from; at < gates.length; at++) {
      const refusal = gates[at]?.(incoming, outgoing);
      if (refusal instanceof Promise)
        return refusal.then((why) =>
          why ? turnAway(incoming, outgoing, why) : pass(incoming, outgoing, at + 1),
        );
      if (refusal) return turnAway(incoming, outgoing, refusal);
    }
    return answer(incoming, outgoing);
  };
  server.on("request", (incoming, outgoing) => {
    if (!connections.began(incoming, outgoing)) return;
    void pass(incoming, outgoing, 0);
  });
  server.on("checkExpectation", (incoming, outgoing) => {
    outgoing.setHeader("connection", "close");
    return turnAway(incoming, outgoing, EXPECTATION_FAILED);
  });
  server.on("clientError", (error: Error, socket: Socket) => {
    // Whoever speaks no TLS is answered beneath it.
    const plain = socket.writable ? undefined : connections.underneath(socket);
    answerMalformed(error, plain ?? socket, connections.latest(socket), { ids, clock });
  });
  // Further connections are closed as soon as they are accepted: each takes memory, whatever is sent on it.
  server.maxConnections = config.connectionsMax;
  server.on("drop", connectionRefused);
  return Object.assign(server, { sockets: connections, certificates });
}

/** Resolves when a request has been read to its end, or never will be. */
function whole(incoming: IncomingMessage): Promise<void> {
  if (incoming.complete || incoming.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    incoming.once("end", resolve).once("close", resolve);
    incoming.resume();
  });
}

const NOT_A_REQUEST = new CoordinationError(
  "invalid_request",
  "The path of this request is not well-formed.",
);
const CHECK_MS = 500;
