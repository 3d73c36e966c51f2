import { failure, fromProblem, isProblem, type QuorateError } from "./errors.js";
import { unlessAborted, type World } from "./world.js";

/** A request as one instance gets it. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A field that every answer to it has: one without it is not from Quorate. */
  readonly answerHas?: string | undefined;
  /** The answer is server-sent events: its body is not read. */
  readonly isStream?: boolean | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly etag: string | null;
  /** The parsed JSON; null: there was none. Of a stream: the body itself. */
  readonly body: unknown;
}

/**
 * Sends a request to one instance once. Settles after `limitMs` at the latest, or when the signal aborts, whatever `fetch`
 * does: an answer that comes later is dropped. Throws `QuorateError`, or the signal's reason.
 */
export function attempt(
  { fetch, clock }: World,
  url: string,
  request: HttpRequest,
  limitMs: number,
  signal?: AbortSignal,
): Promise<HttpAnswer> {
  return unlessAborted(signal, (resolve, reject) => {
    const given = new AbortController();
    const cancel = clock.after(limitMs, () =>
      reject(failure("unreachable", `${url} did not answer within ${Math.round(limitMs)} ms.`, {})),
    );
    let pending = true;
    receive(fetch, url, { ...request, signal: given.signal }, request).then(
      (answer) => {
        pending = false;
        resolve(answer);
      },
      (error) => {
        pending = false;
        reject(error);
      },
    );
    return () => {
      cancel();
      // To abort what has ended costs as much as sending it.
      if (pending) given.abort();
    };
  });
}

async function receive(
  fetch: World["fetch"],
  url: string,
  init: RequestInit,
  { answerHas: has, isStream }: HttpRequest,
): Promise<HttpAnswer> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, init);
    if (isStream && isOfEvents(response)) return { status: response.status, etag: null, body: response.body };
    text = await response.text();
  } catch (error) {
    throw failure("unreachable", `${url} could not be reached, or broke off: ${reasonOf(error)}.`, {}, error);
  }
  const { status, headers } = response;
  const body = parsed(text);
  // Only a 304 has no body.
  const isExpected = isStream
    ? false
    : body === null
      ? status === 304
      : isObject(body) && (has === undefined || has in body);
  if (status >= 400 || !isExpected) throw refusal(url, response, body);
  return { status, etag: headers.get("etag"), body };
}

/** Where `fetch` of Node.js only says that it failed, its cause says why. */
function reasonOf(error: unknown): string {
  const { message, code } = (causeOf(error) ?? error ?? {}) as { message?: string; code?: string };
  return message || code || String(error);
}

/** Whether the request may have reached an instance: not where no connection was made. */
export function wasSent({ code, cause }: QuorateError): boolean {
  const { code: reason } = (causeOf(cause) ?? {}) as { code?: string };
  return code !== "unreachable" || reason === undefined || !NO_CONNECTION.has(reason);
}

const causeOf = (error: unknown) => (error as Error | undefined)?.cause;

/** Only while a connection is made: of Node.js, Bun and Deno; browsers do not tell. */
const NO_CONNECTION: ReadonlySet<string> = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"],
]);

/** Undefined: it is not JSON. */
function parsed(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isOfEvents = ({ status, headers }: Response) =>
  status === 200 && headers.get("content-type")?.startsWith("text/event-stream");

const isObject = (body: unknown) => typeof body === "object" && body !== null;

function refusal(
  url: string,
  { status, headers, redirected, url: to }: Response,
  body: unknown,
): QuorateError {
  // Of most redirections of a POST, fetch makes a GET.
  const isTurned = redirected && status === 405;
  if (isProblem(body) && !isTurned) return fromProblem(body);
  const what = isTurned
    ? `redirects to ${to}: name that address instead`
    : `answered ${status}, and not as Quorate does`;
  const error = failure("unexpected_answer", `${url} ${what}.`, { status });
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? Object.assign(error, { retryAfterMs: seconds * 1000 }) : error;
}
