import { get, post } from "./http-connection.js";
import { answerOf, overHttp, refused } from "./http-workloads.js";
import { NAMES, type Workload } from "./workload.js";

const VALUE = "a value of some thirty characters";
const PUT = { method: "PUT" };

/** Each client changes registers of its own. */
export const registerWrites = (url: string): Workload =>
  overHttp([url], 1, (connection, index) => ({
    run: (_step, cycle, done) => {
      const text = post(`/v1/registers/bench-${index}-${cycle % NAMES}`, `{"value":"${VALUE}"}`, PUT);
      connection.send(text, (error, answer) => done(error ?? refused(answer)));
    },
  }));

/** Each client reads a register of its own, which nobody changes. */
export const registerReads = (url: string): Workload =>
  overHttp([url], 1, async (connection, index) => {
    const path = `/v1/registers/read-${index}`;
    await answerOf(connection, post(path, `{"value":"${VALUE}"}`, PUT));
    const text = get(path);
    return { run: (_step, _cycle, done) => connection.send(text, (e, answer) => done(e ?? refused(answer))) };
  });

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The same with the key-value store of etcd, by its JSON gateway. Clients are spread over the nodes. */
export const etcdWrites = (urls: readonly string[]): Workload =>
  overHttp(urls, 1, (connection, index) => ({
    run: (_step, cycle, done) => {
      const key = base64(`bench-${index}-${cycle % NAMES}`);
      const text = post("/v3/kv/put", `{"key":"${key}","value":"${base64(VALUE)}"}`);
      connection.send(text, (error, answer) => done(error ?? refused(answer)));
    },
  }));

/** Linearizable reads, which are its default. */
export const etcdReads = (urls: readonly string[]): Workload =>
  overHttp(urls, 1, async (connection, index) => {
    const key = base64(`read-${index}`);
    await answerOf(connection, post("/v3/kv/put", `{"key":"${key}","value":"${base64(VALUE)}"}`));
    const text = post("/v3/kv/range", `{"key":"${key}"}`);
    return { run: (_step, _cycle, done) => connection.send(text, (e, answer) => done(e ?? refused(answer))) };
  });
