import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { untilScriptsRun } from "./servers.js";

/**
 * Starts `count` Redis stand-ins in this process, by js-redis-server. It is loaded only here, as few need it. Of its
 * parts, not by its own server: that listens on every address of the machine, delays small replies by Nagle's
 * algorithm, and does not close before its last client has gone.
 */
export async function startEmbeddedJavaScript(
  count: number,
): Promise<{ urls: string[]; stop(): Promise<void> }> {
  const redis = await import("js-redis-server/core");
  const servers = Array.from({ length: count }, () => {
    const state = new redis.RedisServerState({ databaseCount: 16 });
    const executor = redis.createRedisCommandExecutor();
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      const { done } = redis.attachSession(new redis.SocketConnectionTransport(socket), { state, executor });
      done.catch(() => socket.destroy());
    });
    const stop = async (): Promise<void> => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      state.close();
    };
    return { server, stop };
  });
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((each) => each.stop()));
  };
  try {
    const urls = await Promise.all(servers.map(({ server }) => listen(server)));
    // The first script starts a Lua machine, which holds up the whole process longer than a command may take.
    await Promise.all(urls.map(untilScriptsRun));
    return { urls, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
