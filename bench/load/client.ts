import { Agent, request } from "node:http";

// Connections are kept and reused, as clients in production do.
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 20_000 });

/** One request. Throws, with the response in the message, if the status is not 200. */
export async function call<T = unknown>(base: string, path: string, body?: unknown): Promise<T> {
  const { status, text } = await send(base, path, body);
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return JSON.parse(text) as T;
}

/** The same for a response of any status: GET without a body, otherwise POST. */
export function send(base: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(base);
  const content = body === undefined ? "" : JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(content) };
  return new Promise((resolve, reject) => {
    const sent = request(
      body === undefined
        ? { agent, hostname, port, path }
        : { agent, hostname, port, path, method: "POST", headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(content);
  });
}

/** Closes all connections: the service treats requests that wait on them as abandoned. */
export function hangUp(): void {
  agent.destroy();
}

/** A lock of the service at `base`. */
export function lockAt(base: string, name: string) {
  const path = `/v1/locks/${name}`;
  return {
    acquire: (options: { ttlMs: number; waitMs?: number }) =>
      call<{ leaseId: string; fencingToken: number }>(base, `${path}/acquire`, options),
    release: (leaseId: string) => call(base, `${path}/release`, { leaseId }),
    /** Number of requests in the queue. */
    waiting: async () => (await call<{ waiting: number }>(base, path)).waiting,
  };
}
