import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { ConfigError } from "../config.js";
import { untilScriptsRun } from "./servers.js";

/**
 * Starts `count` Redis stand-ins in this process, with js-redis-server. It is loaded only here, as few need it, and may
 * be missing: it declares a newer Node.js than we do, and npm then leaves out optional dependencies. We use its parts
 * rather than its own server: that one listens on every address of the machine, delays small replies by Nagle's
 * algorithm, and does not close before its last client has disconnected. Throws `ConfigError` if it is not installed.
 */
export async function startEmbeddedJavaScript(
  count: number,
  load = () => import("js-redis-server/core"),
): Promise<{ urls: string[]; stop(): Promise<void> }> {
  const redis = await load().catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ERR_MODULE_NOT_FOUND" ? new ConfigError([NOT_INSTALLED]) : error;
  });
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
    // The first script starts a Lua machine, which blocks the whole process for longer than a command may take.
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

const NOT_INSTALLED =
  "no Redis was named, and the stand-ins in JavaScript need js-redis-server, which is not installed: " +
  "set REDIS_URLS, install redis-server 6.2 or newer, or run npm ci";
