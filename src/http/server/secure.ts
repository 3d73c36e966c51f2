import { constants } from "node:crypto";
import type { Server, ServerOptions } from "node:http";
import { createServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { Config } from "../../config.js";
import type { LivePem } from "../../tls/live-pem.js";
import { type Pem, type PemFiles, TLS_MIN } from "../../tls/pem.js";

/**
 * A server that speaks HTTPS with what is in force in `tls`: new handshakes use new certificates and CAs, and open
 * connections stay as they are. A handshake may take as long as headers may.
 */
export function createSecureServer(
  options: ServerOptions & { headersTimeout: number },
  tls: LivePem,
): Server {
  const server = createServer({
    ...options,
    ...contextOf(tls.pem),
    handshakeTimeout: options.headersTimeout,
    requestCert: tls.pem.ca !== undefined,
    // Probes have no certificate, and who may do what is decided by request: see `ClientCertificates`.
    rejectUnauthorized: false,
  });
  tls.onChange((pem) => server.setSecureContext(contextOf(pem)));
  return server;
}

/** The files of the settings; undefined: plain HTTP. */
export function serverFiles({ tlsCert, tlsKey, tlsClientCa }: Config): PemFiles | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const file = (path: string, setting: string) => ({ path, named: `${setting} is "${path}"` });
  return {
    cert: file(tlsCert, "QUORATE_TLS_CERT"),
    key: file(tlsKey, "QUORATE_TLS_KEY"),
    ...(tlsClientCa !== undefined && { ca: file(tlsClientCa, "QUORATE_TLS_CLIENT_CA") }),
  };
}

function contextOf({ cert, key, ca }: Pem): SecureContextOptions {
  return {
    cert,
    key,
    ca,
    minVersion: TLS_MIN,
    // A session that is resumed is not verified again, and lacks the chain of the client's certificate. So where clients
    // have certificates, each handshake is a whole one.
    ...(ca !== undefined && { secureOptions: constants.SSL_OP_NO_TICKET }),
  };
}
