import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { type Client, NAMES, promised, Refused, TTL_MS, type Workload } from "./workload.js";

/** npm's redlock in this process, with the service's number of connections: one per primary. */
export function redlockLocks(urls: readonly string[]): Workload {
  const connections = urls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const locks = new Redlock(connections, { retryCount: 0 }, ITS_OWN_SCRIPTS);
  return {
    steps: 2,
    open: async (clients) =>
      Array.from({ length: clients }, (_, index) => {
        let lock: Awaited<ReturnType<typeof locks.acquire>>;
        return promised([
          async (cycle) => {
            lock = await locks.acquire([`redlock-${index}-${cycle % NAMES}`], TTL_MS).catch(refuse);
          },
          () => locks.release(lock).catch(refuse),
        ]);
      }),
    close: async () => {
      for (const connection of connections) connection.disconnect();
    },
  };
}

/** Its one error says that a majority did not agree. */
function refuse(error: Error): never {
  throw new Refused(error.message);
}

/** The service's own declaration of this module covers only what the service needs. */
export const ITS_OWN_SCRIPTS = undefined as unknown as ConstructorParameters<typeof Redlock>[2];

/**
 * The least that a lock with a fencing token needs, on one primary: EVALSHA of an acquire and of a release. All clients
 * share a connection, and what they send in one turn of the event loop is one write.
 */
export function scriptLocks(url: string): Workload {
  return overRedis(url, 2, [ACQUIRE, RELEASE], (send, index) => {
    const names = Array.from({ length: NAMES }, (_, i) => `evalsha-${index}-${i}`);
    const acquires = names.map((name) =>
      command("EVALSHA", sha1(ACQUIRE), "2", name, `counter-${name}`, `lease-${index}`, String(TTL_MS)),
    );
    const releases = names.map((name) => command("EVALSHA", sha1(RELEASE), "1", name, `lease-${index}`));
    return {
      run: (step, cycle, done) => send((step === 0 ? acquires : releases)[cycle % NAMES] ?? "", done),
    };
  });
}

/** A write on one primary: what a round trip costs, with the primary's own fsync where it has one. */
export function redisWrites(url: string): Workload {
  return overRedis(url, 1, [], (send, index) => {
    const text = command("SET", `write-${index}`, "x");
    return { run: (_step, _cycle, done) => send(text, done) };
  });
}

/** A write on all primaries at once, done when a majority have answered. */
export function majorityWrites(urls: readonly string[]): Workload {
  const all = urls.map(redisWrites);
  return {
    steps: 1,
    open: async (clients) => {
      const opened = await Promise.all(all.map((one) => one.open(clients)));
      return Array.from({ length: clients }, (_, index) => ({
        run: (step, cycle, done) => {
          let missing = Math.floor(urls.length / 2) + 1;
          for (const ofOne of opened)
            ofOne[index]?.run(step, cycle, (error) => {
              missing -= 1;
              if (missing === 0) done(error);
            });
        },
      }));
    },
    close: async () => {
      for (const one of all) await one.close();
    },
  };
}

const ACQUIRE = `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return redis.call('INCR', KEYS[2])`;
const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

type Send = (text: string, done: (error: Error | null) => void) => void;

function overRedis(
  url: string,
  steps: number,
  scripts: readonly string[],
  make: (send: Send, index: number) => Client,
): Workload {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const send = pipelined(socket);
  const load = (script: string) =>
    new Promise<void>((resolve, reject) =>
      send(command("SCRIPT", "LOAD", script), (error) => (error ? reject(error) : resolve())),
    );
  return {
    steps,
    open: async (clients) => {
      for (const script of scripts) await load(script);
      return Array.from({ length: clients }, (_, index) => make(send, index));
    },
    close: async () => void socket.destroy(),
  };
}

/** Replies are integers, simple strings or, at the start, the digests of scripts; 0 and an error are failures. */
function pipelined(socket: Socket): Send {
  const waiting: ((error: Error | null) => void)[] = [];
  let out = "";
  let text = "";
  const flush = () => {
    const all = out;
    out = "";
    socket.write(all, "latin1");
  };
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    let at = 0;
    for (let end = text.indexOf("\r\n"); end >= 0; end = text.indexOf("\r\n", at)) {
      const reply = text.slice(at, end);
      at = end + 2;
      // Of a bulk string the next line is the reply.
      if (reply.startsWith("$")) continue;
      const failed = reply === ":0" || reply.startsWith("-");
      waiting.shift()?.(failed ? new Error(`Redis answered ${reply}`) : null);
    }
    text = text.slice(at);
  });
  const lost = () => {
    for (const done of waiting.splice(0)) done(new Error("the connection to Redis was lost"));
  };
  socket.on("error", lost).on("close", lost);
  return (command, done) => {
    if (out === "") setImmediate(flush);
    out += command;
    waiting.push(done);
  };
}

function command(...parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
