import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { Clock } from "../clock.js";
import type { AllowList } from "./allow-list.js";
import {
  allowedAddress,
  authority,
  type Destination,
  HEADER_BYTES_MAX,
  NEVER_RESOLVED,
  type Resolve,
  resolveByDns,
} from "./destination.js";

/** How a request to somebody's server ended. */
export type Posted =
  /** `text`: the body, where it was not longer than asked for; else null. */
  | { readonly kind: "answered"; readonly status: number; readonly text: string | null }
  /** `forbidden`: the name resolves to an address that is not allowed, so nothing was connected to. */
  | { readonly kind: "failed" | "timeout" | "forbidden"; readonly detail: string };

export interface Outgoing {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For everything: resolving, connecting, and the whole answer. */
  readonly timeoutMs: number;
  /** How much of the answer is kept; what is beyond is not read. */
  readonly answerBytesMax: number;
}

/** Makes one request. Never rejects. */
export type Post = (to: Destination, outgoing: Outgoing, signal: AbortSignal) => Promise<Posted>;

/**
 * POSTs a body once. A name is resolved once, the address that was found is judged, and that same address is connected to.
 * Redirects are answers like any other. Certificates are judged by the name, and by the CAs that Node.js trusts.
 */
export function postingBy(
  allow: Pick<AllowList, "hasAddress">,
  clock: Pick<Clock, "after">,
  resolve: Resolve = resolveByDns,
): Post {
  return async (to, outgoing, signal) => {
    const abort = new AbortController();
    const end = () => abort.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    let cancel = () => {};
    const timeout = new Promise<Posted>((settle) => {
      const { timeoutMs } = outgoing;
      cancel = clock.after(timeoutMs, () =>
        settle({ kind: "timeout", detail: `no answer within ${timeoutMs} ms` }),
      );
    });
    try {
      return await Promise.race([attempt(to, outgoing, allow, resolve, abort.signal), timeout]);
    } finally {
      cancel();
      signal.removeEventListener("abort", end);
      abort.abort();
    }
  };
}

async function attempt(
  to: Destination,
  outgoing: Outgoing,
  allow: Pick<AllowList, "hasAddress">,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<Posted> {
  try {
    const address = await allowedAddress(to.host, allow, resolve);
    if (address === null) return { kind: "forbidden", detail: "its address is not allowed" };
    if (signal.aborted) return ENDED;
    return await send(to, address, outgoing, signal);
  } catch (error) {
    return { kind: "failed", detail: (error as NodeJS.ErrnoException).code ?? "it failed" };
  }
}

function send(to: Destination, address: string, outgoing: Outgoing, signal: AbortSignal): Promise<Posted> {
  const { headers, body, answerBytesMax } = outgoing;
  const options: RequestOptions & { servername?: string } = {
    host: address,
    port: to.port,
    path: to.path,
    method: "POST",
    headers: {
      ...headers,
      host: authority(to),
      "content-length": String(Buffer.byteLength(body)),
      connection: "close",
    },
    agent: false,
    maxHeaderSize: HEADER_BYTES_MAX,
    lookup: NEVER_RESOLVED,
    // The certificate is for the name, not for the address that it was resolved to.
    ...(to.secure && isIP(to.host) === 0 && { servername: to.host }),
  };
  return new Promise((settle, fail) => {
    const asked = to.secure ? httpsRequest(options) : httpRequest(options);
    const end = () => {
      asked.destroy();
      settle(ENDED);
    };
    signal.addEventListener("abort", end, { once: true });
    asked.on("error", fail);
    asked.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes <= answerBytesMax) return void parts.push(part);
        settle({ kind: "answered", status, text: null });
        asked.destroy();
      });
      response.on("end", () =>
        settle({ kind: "answered", status, text: Buffer.concat(parts).toString("utf8") }),
      );
      // Cut off: the status alone is known.
      response.on("error", () => settle({ kind: "answered", status, text: null }));
    });
    asked.end(body);
  });
}

const ENDED: Posted = Object.freeze({ kind: "failed", detail: "it was given up" });
