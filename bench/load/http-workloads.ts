import { type Answer, get, HttpConnection, post } from "./http-connection.js";
import { type Client, NAMES, Refused, TTL_MS, type Workload } from "./workload.js";

/** A connection per client; `make` gives what the client does with it. */
export function overHttp(
  urls: readonly string[],
  steps: number,
  make: (connection: HttpConnection, index: number) => Client | Promise<Client>,
): Workload {
  const connections: HttpConnection[] = [];
  return {
    steps,
    open: (clients) =>
      Promise.all(
        Array.from({ length: clients }, async (_, index) => {
          const connection = new HttpConnection(urls[index % urls.length] ?? "");
          connections.push(connection);
          return make(connection, index);
        }),
      ),
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
}

/** Acquire and release by the service's API, which the fifty lines and the no-op have as well. */
export function httpLocks(url: string, authorization?: string): Workload {
  const sent = authorization === undefined ? {} : { fields: `authorization: ${authorization}\r\n` };
  const acquire = `{"ttlMs":${TTL_MS}}`;
  return overHttp([url], 2, (connection, index) => {
    let leaseId = "";
    return {
      run: (step, cycle, done) => {
        const path = `/v1/locks/bench-${index}-${cycle % NAMES}`;
        if (step === 0)
          connection.send(post(`${path}/acquire`, acquire, sent), (error, answer) => {
            const start = answer.body.indexOf('"leaseId":"') + 11;
            leaseId = answer.body.slice(start, answer.body.indexOf('"', start));
            done(error ?? refused(answer));
          });
        else
          connection.send(post(`${path}/release`, `{"leaseId":"${leaseId}"}`, sent), (error, answer) =>
            done(error ?? refused(answer)),
          );
      },
    };
  });
}

/** One request again and again, the same for all cycles of a client. */
export function httpRequests(url: string, request: (client: number) => string): Workload {
  return overHttp([url], 1, (connection, index) => {
    const text = request(index);
    return {
      run: (_step, _cycle, done) => connection.send(text, (error, answer) => done(error ?? refused(answer))),
    };
  });
}

export const httpGets = (url: string, path: string): Workload => httpRequests(url, () => get(path));

/** Heartbeats, each client for a member of its own, which must be registered as `member-<index>`. */
export const heartbeats = (url: string): Workload =>
  httpRequests(url, (index) => post(`/v1/services/bench/members/member-${index}/heartbeat`, "{}"));

/** Looks up the owner of a different key in each cycle. */
export const owners = (url: string): Workload =>
  overHttp([url], 1, (connection) => ({
    run: (_step, cycle, done) =>
      connection.send(get(`/v1/services/bench/owner?key=user:${cycle % 10_000}`), (error, answer) =>
        done(error ?? refused(answer)),
      ),
  }));

/** A pick by each strategy in turn, `sticky` with a different key in each cycle. */
export const picks = (url: string): Workload =>
  overHttp([url], 1, (connection) => ({
    run: (_step, cycle, done) => {
      const strategy = STRATEGIES[cycle % STRATEGIES.length];
      const key = strategy === "sticky" ? `,"key":"user:${cycle % 10_000}"` : "";
      const request = post("/v1/services/bench/pick", `{"strategy":"${strategy}"${key}}`);
      connection.send(request, (error, answer) => done(error ?? refused(answer)));
    },
  }));

const STRATEGIES = ["round-robin", "weighted", "random", "least-load", "sticky"];

/** etcd's own lock, by its JSON gateway, with a lease per client. Clients are spread over the nodes. */
export function etcdLocks(urls: readonly string[]): Workload {
  return overHttp(urls, 2, async (connection, index) => {
    const { body } = await answerOf(connection, post("/v3/lease/grant", '{"TTL":600}'));
    const lease = (JSON.parse(body) as { ID: string }).ID;
    let key = "";
    return {
      run: (step, cycle, done) => {
        if (step === 0) {
          const name = Buffer.from(`bench-${index}-${cycle % NAMES}`).toString("base64");
          connection.send(post("/v3/lock/lock", `{"name":"${name}","lease":"${lease}"}`), (error, answer) => {
            key = /"key":"([^"]+)"/.exec(answer.body)?.[1] ?? "";
            done(error ?? refused(answer));
          });
        } else
          connection.send(post("/v3/lock/unlock", `{"key":"${key}"}`), (error, answer) =>
            done(error ?? refused(answer)),
          );
      },
    };
  });
}

export function answerOf(connection: HttpConnection, request: string): Promise<Answer> {
  return new Promise((resolve, reject) =>
    connection.send(request, (error, answer) => {
      const failure = error ?? refused(answer);
      if (failure) reject(failure);
      else resolve(answer);
    }),
  );
}

export function refused({ status, body }: Answer): Error | null {
  return status === 200 || status === 201
    ? null
    : new Refused(`a request was answered with ${status}: ${body}`);
}
