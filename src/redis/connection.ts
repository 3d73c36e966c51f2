import type { ConnectionOptions } from "node:tls";
import { Redis, ReplyError } from "ioredis";
import { Outbox } from "./outbox.js";
import { inWordsOfTls } from "./tls-errors.js";

/** A connection to one Redis server. The simulation has another implementation. */
export interface Connection {
  /** Sends one command. Rejects with `RedisReplyError` if Redis replied with an error; else the outcome is unknown. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** Whether commands can be sent now. */
  readonly ready: boolean;
  /** Called whenever `ready` changes, with the reason when the connection was lost or could not be made. */
  onChange(listener: (ready: boolean, reason?: Error) => void): void;
  /** Called whenever bytes arrive, also those of an incomplete reply. Absent: replies arrive whole. */
  onBytes?(listener: () => void): void;
  /** Channels were added to those of its subscription, or removed. */
  resubscribe?(added: readonly string[], removed: readonly string[]): void;
  close(): void;
}

export type Connect = (url: string, options: ConnectOptions) => Connection;

export interface ConnectOptions {
  readonly connectTimeoutMs: number;
  readonly name: string;
  /** For rediss://; read anew for each connection. */
  readonly tls?: ConnectionOptions;
  /** For a connection that only subscribes. */
  readonly subscription?: Subscription;
}

export interface Subscription {
  /** May change: `resubscribe` is called then. */
  readonly channels: ReadonlySet<string>;
  readonly onMessage: (message: string, channel: string) => void;
  /** These are subscribed now: what was published before may have been missed. */
  readonly onSubscribed?: (channels: readonly string[]) => void;
}

/** Redis replied with an error. */
export class RedisReplyError extends Error {
  override readonly name = "RedisReplyError";
}

/**
 * Connects by ioredis. No offline queue, no resend, no retry of a command: a command is sent at most once, on
 * the current connection, or fails at once. Deadlines are the caller's: those of ioredis would fire before replies
 * that arrived while this process was paused. Commands of one tick of the event loop leave in one write.
 */
export const connectByIoredis: Connect = (url, { connectTimeoutMs, name, tls, subscription }) => {
  const redis = new Redis(url, {
    connectionName: name,
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    retryStrategy: (times) => Math.min(50 * times, RECONNECT_DELAY_MS_MAX),
    reconnectOnError: null,
    ...(tls && { tls }),
  });
  const listeners: ((ready: boolean, reason?: Error) => void)[] = [];
  const byteListeners: (() => void)[] = [];
  let reason: Error | undefined;
  const tell = (ready: boolean) => {
    for (const listener of listeners) listener(ready, reason);
  };
  redis.on("error", (error: Error) => {
    reason = inPlainWords(error, tls !== undefined);
  });
  // Not on "ready": a server of another kind fails before that, and hangs up afterwards.
  redis.on("connect", () => {
    reason = undefined;
    redis.stream.on("data", () => {
      for (const listener of byteListeners) listener();
    });
  });
  // It fails only if the connection was lost; the next connection subscribes again.
  const subscribe = (channels: readonly string[], subscribed: () => void) => {
    const told = () => {
      subscription?.onSubscribed?.(channels);
      subscribed();
    };
    if (channels.length === 0) return subscribed();
    redis.subscribe(...channels).then(told, () => {});
  };
  if (subscription) {
    redis.on("message", (channel: string, message: string) => subscription.onMessage(message, channel));
    redis.on("ready", () => subscribe([...subscription.channels], () => tell(true)));
  } else redis.on("ready", () => tell(true));
  redis.on("close", () => tell(false));
  const outbox = new Outbox(redis);
  const told = (error: Error) => {
    if (error instanceof ReplyError) throw new RedisReplyError(error.message);
    throw new Error(reason?.message ?? "connection lost", { cause: error });
  };
  return {
    get ready() {
      return redis.status === "ready";
    },
    onChange: (listener) => void listeners.push(listener),
    onBytes: (listener) => void byteListeners.push(listener),
    resubscribe: (added, removed) => {
      if (redis.status !== "ready") return;
      subscribe(added, () => {});
      if (removed.length > 0) redis.unsubscribe(...removed).catch(() => {});
    },
    call: (command, ...args) => outbox.send(command, args).catch(told),
    close: () => redis.disconnect(),
  };
};

function inPlainWords(error: Error, overTls: boolean): Error {
  if (NOT_REDIS.test(error.message))
    return new Error("ERR this server does not speak the protocol of Redis: name a Redis or Valkey server");
  // The other end has gone, and a write found that out first.
  if (error.message === "write EPIPE") return new Error("connection lost");
  return overTls ? inWordsOfTls(error) : error;
}

const NOT_REDIS = /^(Unknown RESP type|Protocol error)/;
const RECONNECT_DELAY_MS_MAX = 500;
