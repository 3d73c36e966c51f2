import type { Clock } from "../../../clock.js";
import type { ListedRegister, RegisterPage } from "../register-pages.js";
import type { Register } from "../registers.js";

/** A register as it is now. */
export interface Latest {
  readonly name: string;
  /** Null: it is not there any more. */
  readonly register: Register | null;
}

/** What a watcher is told next. */
export type Told =
  /** Registers that are there: part of the snapshot. */
  | { readonly kind: "snapshot"; readonly registers: readonly ListedRegister[] }
  /** The snapshot is complete. `count`: of its registers. */
  | { readonly kind: "synced"; readonly count: number }
  | { readonly kind: "changes"; readonly changes: readonly Latest[] }
  /** More has changed than it took: what comes next would have gaps. */
  | { readonly kind: "behind" };

/** What a watcher needs of the feed that it shares with others. */
export interface Source {
  page(after: string | null): Promise<RegisterPage>;
  /** Reads these once more, and tells the watcher of each. */
  readFor(watch: RegisterWatch, names: Iterable<string>): void;
}

/**
 * One watcher of registers: first a snapshot, then the latest version of whatever changes. What changes again before it is taken
 * is told once. During the snapshot it notes what changes, and has it read again afterwards: pages and changes have no
 * common order.
 */
export class RegisterWatch {
  /** Null: the snapshot is told. */
  #noted: Set<string> | null = new Set();
  #cursor: string | null = null;
  #count = 0;
  readonly #changes = new Map<string, Latest>();
  #bytes = 0;
  #isBehind = false;
  #woken = () => {};

  constructor(
    private readonly source: Source,
    /** Whether it is told of a register. */
    private readonly isFor: (name: string) => boolean,
    private readonly clock: Clock,
    /** Must be called. */
    readonly end: () => void,
  ) {}

  /** Null: nothing for now. Throws `no_quorum` and `contended` during the snapshot. */
  async take(): Promise<Told | null> {
    if (this.#isBehind) return { kind: "behind" };
    if (this.#noted && this.#cursor !== END) return this.#nextPage();
    if (this.#noted) {
      const noted = this.#noted;
      this.#noted = null;
      this.source.readFor(this, noted);
      return { kind: "synced", count: this.#count };
    }
    if (this.#changes.size === 0) return null;
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    this.#bytes = 0;
    return { kind: "changes", changes };
  }

  async #nextPage(): Promise<Told> {
    const { registers, cursor } = await this.source.page(this.#cursor);
    this.#cursor = cursor ?? END;
    const own = registers.filter(({ name }) => this.isFor(name));
    this.#count += own.length;
    return { kind: "snapshot", registers: own };
  }

  /** A register has changed. In the order of its versions. */
  tell(latest: Latest): void {
    const { name } = latest;
    if (this.#isBehind || !this.isFor(name)) return;
    if (this.#noted) this.#noted.add(name);
    else {
      this.#bytes += bytesOf(latest) - bytesOf(this.#changes.get(name));
      this.#changes.set(name, latest);
    }
    if ((this.#noted?.size ?? 0) > NOTED_MAX || this.#changes.size > CHANGES_MAX || this.#bytes > BYTES_MAX)
      this.stop();
    this.#woken();
  }

  /** It is told that it is behind. */
  stop(): void {
    this.#isBehind = true;
    this.#changes.clear();
    this.#noted?.clear();
    this.#woken();
  }

  /** Resolves when there may be something to take, at the deadline, or when the signal aborts. */
  change(deadlineMs: number, signal: AbortSignal): Promise<void> {
    if (this.#changes.size > 0 || this.#isBehind || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal.removeEventListener("abort", done);
        this.#woken = () => {};
        resolve();
      };
      const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.monotonicMs()), done);
      signal.addEventListener("abort", done, { once: true });
      this.#woken = done;
    });
  }
}

const bytesOf = (latest: Latest | undefined): number => latest?.register?.json.length ?? 0;

/** No name has it. */
const END = "\n";
/** What one watcher has not taken yet: at most so many registers, and so much of their values. Others may share these. */
const CHANGES_MAX = 1_000;
const BYTES_MAX = 1_000_000;
/** Names that have changed while it takes the snapshot. */
const NOTED_MAX = 10_000;
