import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";

/** A server that speaks as much of Redis' protocol as a test gives it words. */
export interface FakeRedis extends AsyncDisposable {
  readonly url: string;
  /** The commands that it was sent, by name. */
  readonly commands: readonly string[];
}

/** A reply in the protocol's own bytes; undefined: none. */
export type Reply = (name: string, args: readonly string[]) => string | undefined;

export const status = (text: string): string => `+${text}\r\n`;
export const failure = (text: string): string => `-${text}\r\n`;
export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

export function startFakeRedis(reply: Reply): Promise<FakeRedis> {
  const commands: string[] = [];
  return startServer((socket) => {
    let pending = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      pending += text;
      for (;;) {
        const command = firstCommand(pending);
        if (!command) return;
        pending = pending.slice(command.length);
        const [name = "", ...args] = command.words;
        commands.push(name.toUpperCase());
        const answer = reply(name.toUpperCase(), args);
        if (answer !== undefined) socket.write(answer);
      }
    });
  }, commands);
}

/** A server that does with its connections what the test likes. */
export async function startServer(
  connected: (socket: Socket) => void,
  commands: readonly string[] = [],
): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    commands,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n` -> ECHO, hi; undefined while it is not all there. */
function firstCommand(text: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return undefined;
  let length = head[0].length;
  const words: string[] = [];
  for (let left = Number(head[1]); left > 0; left--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(length));
    if (!size) return undefined;
    const start = length + size[0].length;
    const end = start + Number(size[1]);
    if (text.length < end + 2) return undefined;
    words.push(text.slice(start, end));
    length = end + 2;
  }
  return { words, length };
}
