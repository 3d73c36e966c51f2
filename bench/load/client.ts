import { type Answer, get, HttpConnection, post } from "./http-connection.js";

/** Connections without a request, by host and port: they are kept and reused, as clients in production do. */
const free = new Map<string, HttpConnection[]>();
const all = new Set<HttpConnection>();

/** One request. Throws, with the response in the message, if the status is not 200 or 201. */
export async function call<T = unknown>(
  base: string,
  path: string,
  body?: unknown,
  method?: string,
): Promise<T> {
  const { status, text } = await send(base, path, body, method);
  if (status !== 200 && status !== 201) throw new Error(`${path}: ${status} ${text}`);
  return JSON.parse(text) as T;
}

/** The same for a response of any status: GET without a body, otherwise POST unless `method` is given. */
export function send(
  base: string,
  path: string,
  body?: unknown,
  method = "POST",
): Promise<{ status: number; text: string }> {
  const { host } = new URL(base);
  const idle = free.get(host) ?? [];
  free.set(host, idle);
  let connection = idle.pop();
  while (connection?.closed) connection = idle.pop();
  const used = connection ?? new HttpConnection(base);
  all.add(used);
  const request = body === undefined ? get(path) : post(path, JSON.stringify(body), { method });
  return new Promise((resolve, reject) => {
    used.send(request, (error, { status, body: text }: Answer) => {
      if (error) {
        all.delete(used);
        return reject(error);
      }
      idle.push(used);
      resolve({ status, text });
    });
  });
}

/** Closes all connections: the service treats requests that wait on them as abandoned. */
export function hangUp(): void {
  for (const connection of all) connection.close();
  all.clear();
  free.clear();
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
