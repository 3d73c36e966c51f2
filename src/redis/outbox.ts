import type { Command as IoredisCommand, Redis } from "ioredis";
import { CommandWriter } from "./command-writer.js";

/**
 * The commands that this process sends to one server by ioredis. Those that are given here in a row are written in one piece, as
 * are all calls of a tick of the event loop, which come when it is over (script-batches.ts): one system call here and one read
 * there, 2.5 times less work for the server.
 *
 * ioredis keeps the connection, matches replies with commands, and fails those of a connection that is lost. Its own
 * `Command` objects are left out: they cost more than all else that is done for a call of a script, since they are made
 * for transformers, traces, time limits and pipelines, none of which is used here. What ioredis needs of a command is in
 * `Sent`, and what it needs of a pipeline, to which it hands the text instead of writing it, in `#pipeline`.
 */
export class Outbox {
  readonly #commands = new CommandWriter();
  readonly #pipeline;

  constructor(private readonly redis: Redis) {
    this.#pipeline = { isPipeline: true, destination: { redis }, write: () => {} };
    // What was not written yet belongs to the connection that is gone; ioredis has failed it.
    redis.on("close", () => void this.#commands.take());
  }

  /** Rejects with ioredis' error. */
  send(command: string, args: readonly (string | number)[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const sent = new Sent(command, () => this.#add(command, args), resolve, reject);
      this.redis.sendCommand(sent as unknown as IoredisCommand, this.#pipeline as unknown as Stream);
    });
  }

  #add(command: string, args: readonly (string | number)[]): void {
    if (this.#commands.empty) process.nextTick(() => this.#flush());
    this.#commands.add(command, args);
  }

  #flush(): void {
    const { stream } = this.redis;
    // One that ends takes nothing any more; ioredis fails its commands when it has ended.
    for (const bytes of this.#commands.take()) if (stream.writable) stream.write(bytes);
  }
}

type Stream = Parameters<Redis["sendCommand"]>[1];

/** What ioredis needs of a command. */
class Sent {
  /** ioredis adds these to an error: they may contain a leaseId. */
  readonly args: readonly string[] = [];
  readonly promise = null;
  /** It is not to be shown to `node:diagnostics_channel`. */
  readonly isTraced = true;

  constructor(
    readonly name: string,
    private readonly write: () => void,
    private readonly done: (reply: unknown) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  setReplyContext(): void {}

  /** ioredis calls this when it takes the command, and would write what it returns. */
  toWritable(): string {
    this.write();
    return "";
  }

  resolve(reply: unknown): void {
    this.done(toText(reply));
  }
}

/** ioredis leaves strings as bytes. */
function toText(reply: unknown): unknown {
  if (reply instanceof Buffer) return reply.toString();
  return Array.isArray(reply) ? reply.map(toText) : reply;
}
