/** What we use of js-redis-server, which is optional: Quorate is built without it as well. */
declare module "js-redis-server/core" {
  import type { Socket } from "node:net";

  export class RedisServerState {
    constructor(options: { databaseCount: number });
    close(): void;
  }
  export class SocketConnectionTransport {
    constructor(socket: Socket);
  }
  export function createRedisCommandExecutor(): object;
  export function attachSession(
    transport: SocketConnectionTransport,
    server: { state: RedisServerState; executor: object },
  ): { readonly done: Promise<unknown> };
}
