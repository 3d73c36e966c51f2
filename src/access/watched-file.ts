import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../clock.js";

/** What is read of a file; a test supplies its own. */
export interface FileReader {
  /** Changes with the file that the path leads to in the end, and with its content. */
  signature(path: string): Promise<string>;
  read(path: string): Promise<string>;
}

export const systemFiles: FileReader = Object.freeze({
  signature: async (path: string) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  },
  read: (path: string) => readFile(path, "utf8"),
});

/**
 * Tells when the content of a file changes, within `2 * POLL_MS` and the time to read it. It looks at what the path leads
 * to: Kubernetes updates a mounted secret by swapping a symlink of a folder above, of which inotify on the file tells
 * nothing. A changed file counts once two looks found the same content, so that one that is being written is not read by
 * halves.
 */
export class WatchedFile {
  #content: string | undefined;
  #candidate: string | undefined;
  #signature = "";
  #sameSinceMs = 0;
  #failure: string | undefined;
  #cancel: () => void = () => {};
  #closed = false;
  #last: Promise<void> = Promise.resolve();

  constructor(
    readonly path: string,
    private readonly clock: Clock,
    private readonly on: {
      /** The next look waits until it is done. */
      changed(content: string): void | Promise<void>;
      /** Once for each new reason for which it cannot be read. */
      unreadable(reason: string): void;
    },
    private readonly files: FileReader = systemFiles,
  ) {}

  /** Begins to watch; `content` is what was read of it before. */
  start(content?: string): void {
    this.#content = content;
    this.#later();
  }

  /** Reads it now, and takes what is there: whoever asks for this has finished writing. */
  reload(): Promise<void> {
    return this.#inTurn(() => this.#look(true));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #later(): void {
    if (this.#closed) return;
    this.#cancel = this.clock.after(POLL_MS, () => {
      void this.#inTurn(() => this.#look(false)).then(() => this.#later());
    });
  }

  /** One look at a time, so that an older content never replaces a newer one. */
  #inTurn(look: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(look);
    return this.#last;
  }

  async #look(atOnce: boolean): Promise<void> {
    if (this.#closed) return;
    try {
      const signature = await this.files.signature(this.path);
      const nowMs = this.clock.monotonicMs();
      if (signature !== this.#signature) {
        this.#signature = signature;
        this.#sameSinceMs = nowMs;
      } else if (!atOnce && nowMs - this.#sameSinceMs > SETTLED_MS) return;
      const content = await this.files.read(this.path);
      this.#failure = undefined;
      if (content === this.#content) this.#candidate = undefined;
      else if (atOnce || content === this.#candidate) await this.#accept(content);
      else this.#candidate = content;
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      if (reason !== this.#failure) this.on.unreadable(reason);
      this.#failure = reason;
      // Whatever is there next must be read, even if it looks like what was there before.
      this.#signature = "";
    }
  }

  async #accept(content: string): Promise<void> {
    this.#content = content;
    this.#candidate = undefined;
    if (!this.#closed) await this.on.changed(content);
  }
}

const POLL_MS = 300;
/** File systems note times in steps: after a change the content is read for as long as another could look the same. */
const SETTLED_MS = 3_000;
