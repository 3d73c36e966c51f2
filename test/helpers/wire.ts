import { request } from "node:http";
import type { Answer } from "./contract.js";

export interface WireRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  /** Sent as it is, with a Content-Length; several are sent chunk by chunk, without one. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
}

/** A request over a socket of its own, with exactly these headers: fetch() would add some and refuse others. */
export function send(
  base: string,
  { method = "POST", path, headers = {}, body }: WireRequest,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks = Array.isArray(body) ? (body as readonly (string | Buffer)[]) : undefined;
    const whole = chunks ? undefined : (body as string | Buffer | undefined);
    const length = whole === undefined ? {} : { "content-length": String(Buffer.byteLength(whole)) };
    const sent = request(
      new URL(path, base),
      { method, agent: false, headers: { ...length, ...headers } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => {
          const isJson = /json/.test(response.headers["content-type"] ?? "");
          resolve({
            status: response.statusCode ?? 0,
            headers: new Headers(
              Object.entries(response.headersDistinct).map(([k, v]) => [k, v?.join(", ") ?? ""]),
            ),
            body: isJson ? JSON.parse(text) : text,
          });
        });
        response.on("error", reject);
      },
    );
    // The server may answer and close before it has read a body that is too large.
    sent.on("error", reject);
    for (const chunk of chunks ?? []) sent.write(chunk);
    sent.end(whole);
  });
}
