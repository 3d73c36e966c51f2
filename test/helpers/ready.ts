import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const patienceMs = 10_000;

/** Returns once the server answers commands; it must have started and loaded its file by then. */
export async function untilReady(
  host: string,
  port: number,
  failed?: () => Error | undefined,
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await answers(host, port))) {
    const error = failed?.();
    if (error !== undefined) throw error;
    if (performance.now() > endMs)
      throw new Error(`no Redis answers on ${host}:${port} after ${patienceMs} ms`);
    await sleep(5);
  }
}

// Not by ioredis, which would wait and retry by rules of its own. A refusal for want of a password is an answer.
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true, timeout: 1_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (reply) => end(/^(\+PONG|-NOAUTH)/.test(reply.toString())));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}
