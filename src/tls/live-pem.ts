import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock } from "../clock.js";
import { ConfigError } from "../config.js";
import { type Content, type Contents, judge, PARTS, type Part, type Pem, type PemFiles } from "./pem.js";

export interface PemLog {
  info(line: object, message: string): void;
  warn(line: object, message: string): void;
}

/**
 * The files of one end of TLS, read again while the process runs. Contents are compared, not times or inodes:
 * Kubernetes swaps a symbolic link, others write in place. New contents count once they read the same twice in a row,
 * so that a file that is being written, or a key that comes after its certificate, is not taken half. Contents that
 * cannot be used are refused with a line in the log, and the last that could stay in force.
 */
export class LivePem {
  #pem: Pem;
  /** What `#pem` was made from, or what was refused last; and what was read since, if it differs. */
  #settled: string;
  #pending: string | null = null;
  #cancel = () => {};
  #closed = false;
  readonly #listeners: ((pem: Pem) => void)[] = [];

  /** Reads the files for the first time. Throws `ConfigError` with a line for each mistake. */
  constructor(
    private readonly files: PemFiles,
    private readonly clock: Clock,
    private readonly log: PemLog,
  ) {
    const contents = readNow(files);
    const reading = judge(files, contents, wallMs(clock));
    if (!reading.ok) throw new ConfigError(reading.mistakes);
    for (const warning of reading.warnings) log.warn({}, warning);
    this.#pem = reading.pem;
    this.#settled = JSON.stringify(contents);
    if (this.hasFiles) this.#watch();
  }

  get hasFiles(): boolean {
    return Object.keys(this.files).length > 0;
  }

  /** What is in force. */
  get pem(): Pem {
    return this.#pem;
  }

  /** `listener` is called with what comes into force from now on. */
  onChange(listener: (pem: Pem) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the files at once: the caller knows that they are complete. */
  async reload(): Promise<void> {
    const contents = await read(this.files);
    this.#pending = null;
    this.#take(contents);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #watch(): void {
    this.#cancel = this.clock.after(POLL_MS, () => {
      void this.#poll().finally(() => {
        if (!this.#closed) this.#watch();
      });
    });
  }

  async #poll(): Promise<void> {
    const contents = await read(this.files);
    const text = JSON.stringify(contents);
    if (text === this.#settled || text !== this.#pending) {
      this.#pending = text === this.#settled ? null : text;
      return;
    }
    this.#pending = null;
    this.#take(contents);
  }

  #take(contents: Contents): void {
    const text = JSON.stringify(contents);
    if (this.#closed || text === this.#settled) return;
    this.#settled = text;
    const files = Object.values(this.files).map(({ named }) => named);
    const reading = judge(this.files, contents, wallMs(this.clock));
    if (!reading.ok) {
      this.log.warn(
        { mistakes: reading.mistakes },
        "new TLS files are refused: what was read before stays in force",
      );
      return;
    }
    for (const warning of reading.warnings) this.log.warn({}, warning);
    this.#pem = reading.pem;
    for (const listener of this.#listeners) listener(reading.pem);
    this.log.info({ files }, "new TLS files are in force for new connections");
  }
}

const wallMs = (clock: Clock): number => clock.wallMicros() / 1_000;

function readNow(files: PemFiles): Contents {
  return contentsOf(files, (path) => {
    try {
      return { text: readFileSync(path, "utf8") };
    } catch (error) {
      return failed(error);
    }
  });
}

async function read(files: PemFiles): Promise<Contents> {
  const parts = PARTS.flatMap((part) => files[part]?.path ?? []);
  const contents = await Promise.all(
    parts.map((path): Promise<Content> => readFile(path, "utf8").then((text) => ({ text }), failed)),
  );
  return contentsOf(files, (path) => contents[parts.indexOf(path)] as Content);
}

function contentsOf(files: PemFiles, contentOf: (path: string) => Content): Contents {
  const contents: Partial<Record<Part, Content>> = {};
  for (const part of PARTS) {
    const file = files[part];
    if (file) contents[part] = contentOf(file.path);
  }
  return contents;
}

function failed(error: unknown): Content {
  return { failure: (error as NodeJS.ErrnoException).code ?? "unreadable" };
}

/** Twice this, and the time to read, is below the second that is promised. */
const POLL_MS = 400;
