import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import { type FileReader, systemFiles, WatchedFile } from "./watched-file.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The public keys of an issuer (JWKS, RFC 7517), from a file or a URL, kept up to date. */
export class KeySet {
  #keys: JWTVerifyGetKey | undefined;
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
    const cancel = this.clock.after(FETCH_MS, () => abort.abort(new Error("it took too long")));
    try {
      this.#use(await textOf(await this.fetch(this.source, { redirect: "error", signal: abort.signal })));
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    } finally {
      cancel();
    }
  }

  #use(text: string): void {
    if (text === this.#text) return;
    try {
      const set = JSON.parse(text) as JSONWebKeySet;
      this.#keys = createLocalJWKSet(set);
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

/** The body of an answer, of at most `BYTES_MAX`. */
async function textOf(response: Response): Promise<string> {
  if (!response.ok) throw new Error(`the answer was ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Error(`it has more than ${BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A key that its issuer withdraws is refused after this at the latest. */
const MAX_AGE_MS = 300_000;
const COOLDOWN_MS = 30_000;
const RETRY_MS = 5_000;
const FETCH_MS = 5_000;
const BYTES_MAX = 1024 * 1024;
