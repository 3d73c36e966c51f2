import { createHash, X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "../../access/certificates.js";
import { type Clock, msSince1970 } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { LivePem } from "../../tls/live-pem.js";
import { certificatesIn } from "../../tls/pem.js";
import { PROBES } from "../access/open-paths.js";
import type { Gate } from "./gate.js";

/** A certificate that a client has proved to own, issued by one of the CAs that are trusted now. */
export interface ClientCertificate {
  /** As OpenSSL writes it, one attribute a line: `O=Example\nCN=orders`. */
  readonly subject: string;
  /** As OpenSSL writes it: `DNS:orders.example, URI:spiffe://example/orders`; absent without one. */
  readonly subjectAltName: string | undefined;
  /** SHA-256 of the certificate, in hex with colons. */
  readonly fingerprint256: string;
  /** What leads to the key that it stands for: one object for each connection. */
  readonly peer: PeerCertificate;
}

interface Verified extends ClientCertificate {
  /** Digest of the public key of the CA at the end of its chain. */
  readonly anchor: string;
  readonly validToMs: number;
}

/**
 * The client certificates of the connections of a server. The handshake verifies a certificate once; a connection may
 * last for days. So a certificate counts only while it is valid and its CA is still trusted, on open connections too.
 */
export class ClientCertificates {
  readonly #bySocket = new WeakMap<TLSSocket, Verified | null>();
  #trusted: ReadonlySet<string>;

  constructor(
    tls: Pick<LivePem, "pem" | "onChange">,
    private readonly clock: Pick<Clock, "wallMicros">,
  ) {
    this.#trusted = anchorsIn(tls.pem.ca);
    tls.onChange(({ ca }) => {
      this.#trusted = anchorsIn(ca);
    });
  }

  /** The certificate of the client that sent this request; null: it has none that is trusted now. */
  of({ socket }: Pick<IncomingMessage, "socket">): ClientCertificate | null {
    if (!(socket instanceof TLSSocket)) return null;
    let verified = this.#bySocket.get(socket);
    if (verified === undefined) {
      verified = socket.authorized ? verifiedOf(socket) : null;
      this.#bySocket.set(socket, verified);
    }
    if (!verified || !this.#trusted.has(verified.anchor)) return null;
    return verified.validToMs < this.clock.wallMicros() / 1_000 ? null : verified;
  }

  /** Refuses requests without one. Probes pass. The connection is closed, so that the client makes another handshake. */
  readonly gate: Gate = (incoming, outgoing) => {
    if (PROBES.test(incoming.url ?? "") || this.of(incoming)) return null;
    outgoing.setHeader("connection", "close");
    return NO_CERTIFICATE;
  };
}

function verifiedOf(socket: TLSSocket): Verified | null {
  // Not `getPeerX509Certificate`: its chain may lack what is in the CA file.
  let last = socket.getPeerCertificate(true);
  if (!last.raw) return null;
  const peer = {
    authorized: true,
    subject: last.subject.CN === undefined ? {} : { CN: last.subject.CN },
    subjectaltname: last.subjectaltname ?? "",
  };
  const { subject, subjectAltName, fingerprint256, validTo } = new X509Certificate(last.raw);
  // The last one refers to itself.
  for (let i = 0; last.issuerCertificate?.raw && i < CHAIN_MAX; i++) last = last.issuerCertificate;
  const anchor = anchorOf(new X509Certificate(last.raw));
  return { subject, subjectAltName, fingerprint256, validToMs: msSince1970(validTo), anchor, peer };
}

/** By its key: a CA that is issued again, with the same key, is the same CA. */
function anchorOf(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("hex");
}

function anchorsIn(ca: string | undefined): ReadonlySet<string> {
  return new Set(ca === undefined ? [] : certificatesIn(ca).map(anchorOf));
}

const CHAIN_MAX = 10;
export const NO_CERTIFICATE = new CoordinationError(
  "unauthenticated",
  "This needs a client certificate that a CA in QUORATE_TLS_CLIENT_CA of this instance has issued.",
);
