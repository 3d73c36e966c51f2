import { attempt, type HttpAnswer, type HttpRequest } from "./attempt.js";
import { failure, QuorateError } from "./errors.js";
import { sleep, type World } from "./world.js";

/** Where the instances are, and who asks. All of it can be sent to a worker. */
export interface Deployment {
  /** Of the instances, such as `https://quorate-1:8080`. */
  readonly urls: readonly string[];
  /** Sent as `Authorization: Bearer`. */
  readonly key?: string | undefined;
  /** `default` unless given. */
  readonly namespace?: string | undefined;
}

export interface Call {
  readonly method: HttpRequest["method"];
  /** Below /v1, such as `/locks/orders-42/acquire`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as it is now, to be sent as JSON: asked for before each attempt. */
  readonly body?: () => object;
  /** When to give up, on the monotonic clock. */
  readonly deadlineMs: number;
  /** A field that every answer to it has. */
  readonly answerHas?: string;
  /** The answer is server-sent events, and its body is a `ReadableStream`. */
  readonly isStream?: boolean;
  /** How long to wait for the answer of one instance before the next is asked, ms; asked for before each attempt. */
  readonly limitMs: () => number;
  /** Repeats without regard to Retry-After: for what the service admits before all else. */
  readonly urgent?: boolean;
  /** Called with the failure of each attempt. */
  readonly onFailure?: (error: unknown) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a caller says of any call. */
export interface CallOptions {
  /** How long the call may take over all attempts and instances, beyond what it waits for, ms; 10 s unless given. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Received<T> extends HttpAnswer {
  readonly body: T;
  /** When the request that was answered was sent, on the monotonic clock. */
  readonly sentAtMs: number;
}

/** How long an instance may take for a request that does not wait for anything, before the next one is asked, ms. */
export const ATTEMPT_MS = 2_000;
/** How long a call may take over all attempts unless its caller says otherwise, ms. What it waits for is not counted. */
export const TIMEOUT_MS = 10_000;

/** Sends requests to instances, which are all alike: when one fails, the next is asked. */
export class Transport {
  /** Of each instance, up to the namespace. */
  readonly #bases: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  /** Of requests with a body. */
  readonly #jsonHeaders: Readonly<Record<string, string>>;
  /** The place of the instance that is asked first: the one that answered last. */
  #first: number;

  constructor(
    readonly deployment: Deployment,
    readonly world: World,
  ) {
    const { urls, key, namespace } = deployment;
    if (!Array.isArray(urls) || urls.length === 0)
      throw new TypeError("urls: name at least one instance, in an array");
    const base = namespace === undefined ? "/v1" : `/v1/namespaces/${encodeURIComponent(namespace)}`;
    if (NAMELESS.test(base)) throw new TypeError(`namespace: ${JSON.stringify(namespace)} is no name`);
    this.#bases = urls.map((url) => originOf(url) + base);
    this.#headers = headersOf(key?.trim());
    this.#jsonHeaders = { ...this.#headers, "content-type": "application/json" };
    this.#first = Math.floor(world.random() * urls.length);
  }

  /**
   * The answer of the first instance that has one. Repeats what another instance or a later moment may cure until the
   * call's deadline, then throws the last failure. Each request of the API can be repeated safely.
   */
  async send<T>(call: Call): Promise<Received<T>> {
    if (NAMELESS.test(call.path)) throw failure("invalid_request", NO_NAME, {});
    const count = this.#bases.length;
    const { clock } = this.world;
    const start = this.#first;
    let round = newRound(1, clock.monotonicMs());
    for (let tried = 0; ; tried++) {
      const place = (start + tried) % count;
      const sentAtMs = clock.monotonicMs();
      try {
        const answer = await this.#attempt(this.#bases[place] as string, call, call.deadlineMs - sentAtMs);
        return { ...(answer as HttpAnswer & { body: T }), sentAtMs };
      } catch (error) {
        call.onFailure?.(error);
        if (call.signal?.aborted || !(error instanceof QuorateError && isOfInstance(error))) throw error;
        if (this.#first === place) this.#first = (place + 1) % count;
        round.retryAfterMs.push(call.urgent ? 0 : retryAfterMsOf(error));
        round.isCurable ||= isCurable(error);
        const isOver = round.retryAfterMs.length === count;
        if (isOver && !round.isCurable) throw error;
        const pauseMs = isOver ? this.#pauseMs(round) : 0;
        // Also where that is not a number.
        if (!(clock.monotonicMs() + pauseMs < call.deadlineMs)) throw error;
        if (pauseMs > 0) await sleep(clock, pauseMs, call.signal);
        if (isOver) round = newRound(round.number + 1, clock.monotonicMs());
      }
    }
  }

  /**
   * The pause after a round in which every instance failed, ms: "full jitter", so that clients that failed together do not
   * come back together, less the time that the round took. Where all instances ask for a time, it is that and the jitter,
   * since they ask all clients for the same. Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
   */
  #pauseMs({ number, sinceMs, retryAfterMs }: Round): number {
    const { clock, random } = this.world;
    const askedMs = Math.min(...retryAfterMs);
    const spreadMs = Math.max(PAUSE_MS * 2 ** (number - 1), askedMs / 4);
    const jitterMs = random() * Math.min(PAUSE_MS_MAX, spreadMs);
    const tookMs = clock.monotonicMs() - sinceMs;
    return askedMs > 0 ? askedMs + jitterMs : Math.max(0, jitterMs - tookMs);
  }

  /** The limits of a call that waits for nothing. */
  limits({ timeoutMs = TIMEOUT_MS, signal }: CallOptions): Pick<Call, "deadlineMs" | "limitMs" | "signal"> {
    return { deadlineMs: this.world.clock.monotonicMs() + timeoutMs, limitMs: () => ATTEMPT_MS, signal };
  }

  #attempt(base: string, call: Call, leftMs: number): Promise<HttpAnswer> {
    const { method, path, headers, body, answerHas, isStream, signal } = call;
    const own = body ? this.#jsonHeaders : this.#headers;
    const all = headers ? { ...own, ...headers } : own;
    const request = {
      method,
      headers: all,
      answerHas,
      isStream,
      ...(body && { body: JSON.stringify(body()) }),
    };
    const limitMs = Math.max(0, Math.min(call.limitMs(), leftMs));
    return attempt(this.world, base + path, request, limitMs, signal);
  }
}

/** Without the last slash. Throws where it is no address of an instance: that would look like one that is down. */
function originOf(url: string): string {
  const { protocol, username, password } = URL.canParse(url) ? new URL(url) : ({} as Partial<URL>);
  if (protocol !== "http:" && protocol !== "https:")
    throw new TypeError(`urls: ${JSON.stringify(url)} is not like http://127.0.0.1:8080`);
  if (username || password) throw new TypeError("urls: without a user or password; a key is given as `key`");
  return url.replace(/\/+$/, "");
}

/** Attempts at each instance once. */
interface Round {
  readonly number: number;
  readonly sinceMs: number;
  /** What each instance that has failed asks for, ms; 0: nothing. */
  readonly retryAfterMs: number[];
  /** Whether one of them may answer otherwise in the next round. */
  isCurable: boolean;
}

const newRound = (number: number, sinceMs: number): Round => ({
  number,
  sinceMs,
  retryAfterMs: [],
  isCurable: false,
});

function headersOf(key: string | undefined): Record<string, string> {
  if (!key) return {};
  // Not repeated: it is a secret, and what `fetch` says of a header has it.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new TypeError("key: it has spaces, or is not ASCII");
  return { authorization: `Bearer ${key}` };
}

/** What resolves to another path, even where it is encoded: no segment, `.` and `..`. */
const NAMELESS = /\/\.{0,2}(?:[/?]|$)/;
const NO_NAME = "A name has 1 to 128 of A-Z a-z 0-9 . _ : - and begins with a letter or digit.";

/** Whether another instance may answer otherwise: one of them may be another server. */
const isOfInstance = (error: QuorateError) => error.code === "unexpected_answer" || isCurable(error);

/** Whether another instance, or the same one later, may answer otherwise. */
export function isCurable(error: QuorateError): boolean {
  if (error.code === "unexpected_answer") return error.status >= 500 || error.status === 429;
  return CURABLE.has(error.code);
}

const CURABLE: ReadonlySet<string> = new Set([
  ...["unreachable", "request_timeout", "internal", "no_quorum", "overloaded", "shutting_down"],
  ...["rate_limited", "authentication_unavailable"],
]);

function retryAfterMsOf(error: QuorateError): number {
  const { retryAfterMs } = error as { readonly retryAfterMs?: number };
  return retryAfterMs ?? 0;
}

const PAUSE_MS = 50;
/** Below the 3 s for which a waiter that lost its connection keeps its place in the queue. */
const PAUSE_MS_MAX = 2_000;
