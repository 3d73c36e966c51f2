import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { msSince1970 } from "../clock.js";

/** The three files of one end of TLS. Each is optional; a certificate and its key come together. */
export const PARTS = ["cert", "key", "ca"] as const;

export type Part = (typeof PARTS)[number];

/** Where a file is, and how to speak of it in a message: `QUORATE_TLS_CERT is "/tls/tls.crt", but`. */
export interface PemFile {
  readonly path: string;
  readonly named: string;
}

export type PemFiles = Readonly<Partial<Record<Part, PemFile>>>;

/** The content of a file, or the code of the error that reading it gave. */
export type Content = { readonly text: string } | { readonly failure: string };

export type Contents = Readonly<Partial<Record<Part, Content>>>;

/** Usable texts in PEM. `cert` begins with the certificate of this end, and may go on with its chain. */
export type Pem = Readonly<Partial<Record<Part, string>>>;

export type Reading =
  | { readonly ok: true; readonly pem: Pem; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly mistakes: readonly string[] };

/** Judges what was read: one line for each mistake. `nowMs`: since 1970, for the warnings about validity. */
export function judge(files: PemFiles, contents: Contents, nowMs: number): Reading {
  const mistakes: string[] = [];
  const wrong = (part: Part, what: string) => void mistakes.push(`${files[part]?.named}, but ${what}`);
  const texts: Partial<Record<Part, string>> = {};
  for (const part of PARTS) {
    const content = contents[part];
    if (content === undefined) continue;
    if ("text" in content) texts[part] = content.text;
    else wrong(part, `the file cannot be read (${content.failure})`);
  }
  const certificates = {
    cert: texts.cert === undefined ? [] : certificatesIn(texts.cert, (what) => wrong("cert", what)),
    ca: texts.ca === undefined ? [] : certificatesIn(texts.ca, (what) => wrong("ca", what)),
  };
  const key = texts.key === undefined ? null : keyIn(texts.key, (what) => wrong("key", what));
  const [own] = certificates.cert;
  if (own && key && !own.checkPrivateKey(key)) wrong("key", "this is not the key of the certificate");
  if (mistakes.length === 0) {
    const why = whyUnusable(texts);
    if (why !== null) wrong(texts.cert === undefined ? "ca" : "cert", `it cannot be used for TLS: ${why}`);
  }
  if (mistakes.length > 0) return { ok: false, mistakes };
  const warnings = (["cert", "ca"] as const).flatMap((part) =>
    certificates[part].flatMap((certificate) => {
      const invalid = invalidity(certificate, nowMs);
      return invalid === null ? [] : [`${files[part]?.named}, but ${invalid}`];
    }),
  );
  return { ok: true, pem: Object.freeze(texts), warnings };
}

/** All certificates of a file; tells what is wrong with it. */
export function certificatesIn(text: string, wrong: (what: string) => void = () => {}): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) wrong("the file has no certificate in PEM");
  return blocks.flatMap((block, place) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      wrong(`certificate ${place + 1} in the file cannot be decoded`);
      return [];
    }
  });
}

function keyIn(text: string, wrong: (what: string) => void): KeyObject | null {
  try {
    return createPrivateKey(text);
  } catch {
    // OpenSSL's own reasons may quote what was read.
    if (/ENCRYPTED/.test(text)) wrong("the key has a passphrase: store it without one");
    else wrong("the file has no private key in PEM");
    return null;
  }
}

/** What OpenSSL refuses beyond that, such as a key that is too short. */
function whyUnusable({ cert, key, ca }: Pem): string | null {
  try {
    createSecureContext({ cert, key, ca, minVersion: TLS_MIN });
    return null;
  } catch (error) {
    return (error as { reason?: string }).reason ?? "OpenSSL refuses it";
  }
}

function invalidity(certificate: X509Certificate, nowMs: number): string | null {
  const { subject, validFrom, validTo } = certificate;
  const name = subject.replaceAll("\n", ", ");
  if (msSince1970(validTo) < nowMs) return `the certificate of ${name} expired on ${validTo}`;
  if (msSince1970(validFrom) > nowMs) return `the certificate of ${name} is not valid before ${validFrom}`;
  return null;
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END [^-]*CERTIFICATE-----/g;

export const TLS_MIN = "TLSv1.2";
