import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A proxy in front of one instance that can end it between what it did and its answer. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  /** The next request whose path ends so is carried out; `cut` is called in place of its answer, which nobody gets. */
  cutNext(act: string, cut: () => void): void;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  let armed: { readonly act: string; readonly cut: () => void } | undefined;
  const sockets = new Set<Socket>();
  const kept = (socket: Socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
    return socket;
  };
  const server = createServer((client) => {
    kept(client);
    const instance = kept(connect(Number(new URL(target).port), "127.0.0.1"));
    let cut: (() => void) | undefined;
    client.on("data", (request) => {
      // The client sends one request at a time on a connection, and the first piece of it has the path.
      if (armed && request.toString("latin1").split(" ")[1]?.endsWith(armed.act)) {
        cut = armed.cut;
        armed = undefined;
      }
      instance.write(request);
    });
    instance.on("data", (answer) => {
      if (!cut) return void client.write(answer);
      cut();
      client.destroy();
    });
    client.on("close", () => instance.destroy());
    instance.on("close", () => client.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutNext: (act, cut) => {
      armed = { act, cut };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
