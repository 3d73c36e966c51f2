import { close, constants, openSync, write, writeSync } from "node:fs";
import type { Logger } from "pino";
import type { Clock } from "../clock.js";
import type { AuditOutput } from "./audit.js";

/**
 * Appends lines to a file without ever blocking the event loop, however slow its disk is: one write at a time, by a thread,
 * and with it all lines that came meanwhile. Lines that wait take up 4 MB at most.
 */
export class AuditFile implements AuditOutput {
  onLost: (lines: number) => void = () => {};
  #lines: string[] = [];
  #bytes = 0;
  #fd: number;
  #writing: { readonly bytes: Buffer; readonly fd: number } | undefined;
  #idle: (() => void)[] = [];

  /** Throws where the file cannot be opened for appending. */
  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly log: Pick<Logger, "info" | "error">,
    private readonly bytesMax = BYTES_MAX,
  ) {
    this.#fd = open(path);
  }

  write(line: string): boolean {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > this.bytesMax) return false;
    this.#lines.push(line);
    this.#bytes += bytes;
    if (!this.#writing) this.#send();
    return true;
  }

  /** For SIGHUP, after the file was moved away: opens it anew. Where that fails, the old one stays in use. */
  reopen(): void {
    const old = this.#fd;
    try {
      this.#fd = open(this.path);
    } catch (error) {
      this.log.error(
        { reason: (error as NodeJS.ErrnoException).code },
        `the audit cannot be opened again at ${this.path}: it stays in the file that is open`,
      );
      return;
    }
    // What is on its way goes to the old one.
    if (this.#writing?.fd !== old) close(old, () => {});
    this.log.info(`the audit was opened again at ${this.path}`);
  }

  /** Resolves when everything is written. */
  flush(): Promise<void> {
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Writes what waits, and blocks meanwhile: for the last moments of the process. */
  flushSync(): void {
    try {
      if (this.#lines.length > 0) writeSync(this.#fd, this.#taken());
    } catch {
      // There is nobody left to tell.
    }
  }

  #send(): void {
    this.#put(this.#taken(), this.#fd);
  }

  #taken(): Buffer {
    const bytes = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    return bytes;
  }

  #put(bytes: Buffer, fd: number): void {
    this.#writing = { bytes, fd };
    write(fd, bytes, (error, written) => {
      // A pipe whose reader is slow.
      if (error?.code === "EAGAIN") return void this.clock.after(RETRY_MS, () => this.#put(bytes, fd));
      const rest = error ? EMPTY : bytes.subarray(written);
      // The disk may have room again for later lines.
      if (error) this.onLost(bytes.filter((byte) => byte === NEW_LINE).length);
      if (rest.length > 0) {
        this.#bytes -= written;
        return this.#put(rest, fd);
      }
      this.#bytes -= bytes.length;
      this.#writing = undefined;
      if (fd !== this.#fd) close(fd, () => {});
      if (this.#lines.length > 0) return this.#send();
      for (const resolve of this.#idle.splice(0)) resolve();
    });
  }
}

/** Without blocking also where the path is a pipe; readable by the owner and the group alone. */
function open(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o640);
}

const BYTES_MAX = 4 * 1024 * 1024;
const RETRY_MS = 10;
const EMPTY = Buffer.alloc(0);
const NEW_LINE = 0x0a;
