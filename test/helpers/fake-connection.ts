import type { Connect, Connection } from "../../src/redis/connection.js";

export type Command = readonly [name: string, ...args: (string | number)[]];

/** A connection whose other end is the test. */
export class FakeConnection implements Connection {
  ready = false;
  closed = false;
  /** Everything that was sent, in order. */
  readonly sent: Command[] = [];
  /** Answers to single commands by name; a promise that never settles is a server that does not answer. */
  readonly answers: Record<string, (...args: (string | number)[]) => unknown> = {
    PING: () => "PONG",
    SCRIPT: () => "loaded",
  };
  #listener: (ready: boolean, reason?: Error) => void = () => {};
  /** Bytes arrive that do not yet make a reply. */
  receiveBytes: () => void = () => {};

  /** What a `Primary` takes in place of a real connection. */
  readonly connect: Connect = () => this;

  async call(...command: Command): Promise<unknown> {
    const [name, ...args] = command;
    this.sent.push(command);
    const answer = this.answers[name];
    if (!answer) throw new Error(`the test has no answer to ${name}`);
    return answer(...args);
  }

  onChange(listener: (ready: boolean, reason?: Error) => void): void {
    this.#listener = listener;
  }

  onBytes(listener: () => void): void {
    this.receiveBytes = listener;
  }

  open(): void {
    this.ready = true;
    this.#listener(true);
  }

  lose(reason?: Error): void {
    this.ready = false;
    this.#listener(false, reason);
  }

  close(): void {
    this.closed = true;
  }

  /** How often a command was sent. */
  count(name: string): number {
    return this.sent.filter(([sent]) => sent === name).length;
  }
}

export const silence = (): Promise<never> => new Promise(() => {});
