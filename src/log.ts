import { constants, openSync, writeSync } from "node:fs";
import { type Logger, pino } from "pino";
import type { Clock } from "./clock.js";

/** The log of this process, on its standard output. `fields` are in every line. */
export function createLog(
  level: string,
  clock: Clock,
  fields: { readonly worker?: number } = {},
): { readonly log: Logger; readonly output: LogOutput } {
  const fd = standardOutput();
  const output = new LogOutput((bytes) => writeSync(fd, bytes), clock);
  const log = toLogger(level, output, fields);
  output.onRecovered = (dropped) =>
    log.warn({ dropped }, "lines of this log were dropped: its reader was slow");
  process.on("exit", () => output.flushSync());
  return { log, output };
}

/** JSON lines with the name of the level. */
export function toLogger(
  level: string,
  stream: { write(line: string): void },
  fields: { readonly worker?: number } = {},
): Logger {
  return pino(
    {
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      base: fields,
      formatters: { level: (name) => ({ level: name }) },
    },
    stream,
  );
}

/**
 * Writes whole lines without ever blocking the event loop. Output that a slow reader has not taken yet waits in a
 * buffer of 1 MB; lines that do not fit there are dropped and counted, and so is every line once the reader has
 * disconnected.
 */
export class LogOutput {
  /** Called once the reader has taken everything, with the number of lines dropped since the last call. */
  onRecovered: (dropped: number) => void = () => {};
  #lines: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;
  #untold = 0;
  #gone = false;
  #retrying = false;

  /** `take` returns how many of the bytes were taken, and throws EAGAIN if the reader must take some first. */
  constructor(
    private readonly take: (bytes: Buffer) => number,
    private readonly clock: Clock,
  ) {}

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Returns false if the line was dropped. */
  write(line: string): boolean {
    const bytes = Buffer.from(line);
    if (this.#gone || this.#bytes + bytes.length > BYTES_MAX) {
      this.#drop(1);
      return false;
    }
    this.#lines.push(bytes);
    this.#bytes += bytes.length;
    if (!this.#retrying) this.#send();
    return !this.#gone;
  }

  /** Blocks until everything is written, for half a second at most: for the last moments of the process. */
  flushSync(): void {
    const endMs = this.clock.monotonicMs() + FLUSH_MS;
    while (!this.#send() && this.clock.monotonicMs() < endMs) Atomics.wait(NEVER, 0, 0, FLUSH_RETRY_MS);
  }

  /** Writes as much as the reader takes now; returns whether that was everything. */
  #send(): boolean {
    while (this.#bytes > 0) {
      const lines = this.#nextLines();
      try {
        const taken = this.take(lines);
        this.#bytes -= taken;
        if (taken < lines.length) this.#lines.unshift(lines.subarray(taken));
      } catch (error) {
        this.#lines.unshift(lines);
        return this.#failed((error as NodeJS.ErrnoException).code);
      }
    }
    if (this.#untold > 0 && !this.#gone) {
      const dropped = this.#untold;
      this.#untold = 0;
      this.onRecovered(dropped);
    }
    return this.#bytes === 0;
  }

  /** As many whole lines as a pipe takes at once or not at all, so that no line of another process gets into one of them. */
  #nextLines(): Buffer {
    let count = 1;
    let bytes = (this.#lines[0] as Buffer).length;
    for (
      let next = this.#lines[count];
      next && bytes + next.length <= ATOMIC_BYTES;
      next = this.#lines[count]
    ) {
      bytes += next.length;
      count += 1;
    }
    const lines = this.#lines.splice(0, count);
    return count === 1 ? (lines[0] as Buffer) : Buffer.concat(lines, bytes);
  }

  #failed(code: string | undefined): boolean {
    if (code === "EAGAIN") {
      this.#retryLater();
      return false;
    }
    // A full disk may have room again for a later line; a reader that disconnected (EPIPE, EIO) does not come back.
    this.#gone = code !== "ENOSPC" && code !== "EDQUOT";
    this.#drop(Buffer.concat(this.#lines).filter((byte) => byte === NEW_LINE).length);
    this.#lines = [];
    this.#bytes = 0;
    return true;
  }

  #retryLater(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    this.clock.after(RETRY_MS, () => {
      this.#retrying = false;
      this.#send();
    });
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }
}

/**
 * Standard output as a descriptor that never blocks. Node makes a pipe or socket non-blocking when it first opens
 * `process.stdout`, but writes to a terminal block, and a terminal stopped by Ctrl-S would stop the service: so a
 * terminal is opened a second time. Files always accept writes.
 */
function standardOutput(): number {
  const { fd, isTTY } = process.stdout;
  if (!isTTY) return fd;
  try {
    return openSync("/dev/fd/1", constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

/** Some seconds of a busy log: at 4,000 requests a second with one line each, a second and a half. */
const BYTES_MAX = 1024 * 1024;
/** PIPE_BUF of Linux; longer lines can be torn apart where several processes write to one pipe and its reader is slow. */
const ATOMIC_BYTES = 4_096;
/** A pipe holds 64 KB: at this interval it can be filled at 6 MB a second. */
const RETRY_MS = 10;
const FLUSH_MS = 500;
const FLUSH_RETRY_MS = 5;
const NEW_LINE = 0x0a;
const NEVER = new Int32Array(new SharedArrayBuffer(4));
