import { createLocalJWKSet, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from "jose";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { type FileReader, systemFiles, WatchedFile } from "./watched-file.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The public keys of an issuer (JWKS, RFC 7517), from a file or a URL, kept up to date. */
export class KeySet {
  #keys: JWTVerifyGetKey | undefined;
  /** Each as a text. */
  #entries: ReadonlyMap<string, JWK> = new Map();
  #text = "";
  #version = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #cancel: () => void = () => {};
  #closed = false;
  readonly #file: WatchedFile | undefined;

  constructor(
    /** An http(s) URL, or a path. */
    private readonly source: string,
    private readonly clock: Clock,
    private readonly log: Pick<Logger, "info" | "error">,
    private readonly fetch: Fetch = globalThis.fetch,
    files: FileReader = systemFiles,
  ) {
    if (/^https?:/i.test(source)) return;
    const on = {
      changed: (text: string) => this.#use(text),
      unreadable: (reason: string) => this.#failed(reason),
    };
    this.#file = new WatchedFile(source, clock, on, files);
  }

  /** Undefined: they have not been read yet. */
  get keys(): JWTVerifyGetKey | undefined {
    return this.#keys;
  }

  /** Changes with the keys. */
  get version(): number {
    return this.#version;
  }

  /** The entry of a public key, with all that it says about its use; undefined: there is none. */
  entryOf(key: JWK | null, kid: string | undefined): string | undefined {
    for (const [entry, jwk] of this.#entries)
      if (key && PUBLIC.every((part) => jwk[part] === key[part]) && (kid ?? jwk.kid) === jwk.kid)
        return entry;
    return undefined;
  }

  /** Whether an entry is among the keys now. */
  has(entry: string): boolean {
    return this.#entries.has(entry);
  }

  /** Reads the keys, and from now on again and again. A failure is a line in the log. */
  async start(): Promise<void> {
    if (!this.#file) return this.#again();
    this.#file.start();
    await this.#file.reload();
  }

  /**
   * Reads them again because a token names a key that is not among them; not so often that strangers could make this
   * instance a burden on the issuer.
   */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** For SIGHUP. */
  async reload(): Promise<void> {
    this.#readAtMs = Number.NEGATIVE_INFINITY;
    await (this.#file?.reload() ?? this.refresh());
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#file?.close();
  }

  async #again(): Promise<void> {
    await this.refresh();
    if (this.#closed) return;
    this.#cancel = this.clock.after(this.#keys ? MAX_AGE_MS : RETRY_MS, () => void this.#again());
  }

  async #read(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (this.#file || nowMs - this.#readAtMs < (this.#keys ? COOLDOWN_MS : RETRY_MS)) return;
    this.#readAtMs = nowMs;
    const abort = new AbortController();
    const cancel = this.clock.after(FETCH_MS, () => abort.abort(new Unreadable("it took too long")));
    try {
      this.#use(await textOf(await this.fetch(this.source, { redirect: "error", signal: abort.signal })));
    } catch (error) {
      this.#failed(reasonOf(error));
    } finally {
      cancel();
    }
  }

  #use(text: string): void {
    if (text === this.#text) return;
    try {
      const set = JSON.parse(text) as JSONWebKeySet;
      this.#keys = createLocalJWKSet(set);
      this.#entries = new Map(set.keys.map((jwk) => [JSON.stringify(jwk), jwk]));
      this.#text = text;
      this.#version++;
      this.log.info({ keys: set.keys.length }, "the keys for JWTs (JWKS) were read");
    } catch {
      this.#failed("it is not a JWKS");
    }
  }

  #failed(reason: string): void {
    const meanwhile = this.#keys
      ? "the old ones stay in force"
      : "no JWT can be verified until it is readable";
    this.log.error({ reason }, `the keys for JWTs (QUORATE_JWT_JWKS) cannot be read: ${meanwhile}`);
  }
}

/** Its message is in words of our own. */
class Unreadable extends Error {}

/** Never the message of another error, which may repeat the URL, and so what is secret in it. */
function reasonOf(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const known = [cause?.code, code].find((one) => typeof one === "string" && /^[A-Z][A-Z0-9_]*$/.test(one));
  return known === undefined ? "it cannot be fetched" : String(known);
}

/** The body of an answer, of at most `BYTES_MAX`. */
async function textOf(response: Response): Promise<string> {
  if (!response.ok) throw new Unreadable(`the answer was ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Unreadable(`it has more than ${BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What makes a public key: of RSA, or on a curve. */
const PUBLIC = ["kty", "n", "e", "crv", "x", "y"] as const;
/** A key that its issuer withdraws is refused after this at the latest. */
const MAX_AGE_MS = 300_000;
const COOLDOWN_MS = 30_000;
const RETRY_MS = 5_000;
const FETCH_MS = 5_000;
const BYTES_MAX = 1024 * 1024;
