/** The part of js-redis-server that we use. It is optional: Quorate builds without it as well. */
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
