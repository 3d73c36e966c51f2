import { Agent, request } from "node:http";

/** What an HTTP client got; `status` 0: no answer, and `code` says why. */
export interface Reply {
  readonly status: number;
  /** Of the problem, or of the broken connection. */
  readonly code: string;
  // biome-ignore lint/suspicious/noExplicitAny: each caller knows what it asked for.
  readonly body: any;
  readonly etag: string | null;
}

/** A client with connections of its own that it keeps, as an SDK has. Never rejects. */
export class HttpClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  constructor(private readonly patienceMs: number) {}

  call(
    base: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return new Promise((resolve) => {
      const none = (error: Error & { code?: string }) =>
        resolve({ status: 0, code: error.code ?? error.message, body: null, etag: null });
      const sent = request(
        new URL(path, base),
        {
          method,
          agent: this.#agent,
          timeout: this.patienceMs,
          headers: {
            ...(body !== undefined && { "content-type": "application/json" }),
            "content-length": Buffer.byteLength(text),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", none);
          response.on("end", () => {
            const whole = Buffer.concat(chunks).toString();
            const isJson = /json/.test(response.headers["content-type"] ?? "");
            const parsed = isJson ? JSON.parse(whole) : whole;
            const status = response.statusCode ?? 0;
            const etag = response.headers.etag ?? null;
            resolve({ status, code: status >= 400 ? String(parsed.code) : "", body: parsed, etag });
          });
        },
      );
      // `timeout` is about silence of the socket, which is what a hanging request looks like.
      sent.on("timeout", () => sent.destroy(new Error(`nothing within ${this.patienceMs} ms`)));
      sent.on("error", none);
      sent.end(text);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
