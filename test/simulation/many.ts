import { type ChildProcess, fork } from "node:child_process";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import type { Chosen } from "./canaries.js";

/** Many runs, by several processes. */
export interface Campaign extends Chosen {
  /** The first seed; each run has the next. */
  readonly seed: number;
  readonly runs: number;
  readonly workers: number;
  /** No more runs are begun once this is true. */
  readonly isEnough?: (soFar: Outcome) => boolean;
  readonly onProgress?: (soFar: Outcome) => void;
}

export interface Outcome {
  readonly runs: number;
  readonly operations: number;
  /** In the order of their seeds. */
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly seed: number;
  /** Operations and events of the run. */
  readonly length: number;
  readonly promises: readonly string[];
  /** The violations, in readable lines. */
  readonly text: string;
}

/** What a process is told to do; the answer is an `Outcome`. */
export interface Share extends Chosen {
  readonly seed: number;
  readonly runs: number;
}

export async function runMany(campaign: Campaign): Promise<Outcome> {
  const { seed, runs, workers, isEnough = () => false, onProgress, ...chosen } = campaign;
  let next = 0;
  let outcome: Outcome = { runs: 0, operations: 0, failures: [] };
  const work = async () => {
    const worker = idle.pop() ?? new Worker();
    while (next < runs && !isEnough(outcome)) {
      const share = { seed: seed + next, runs: Math.min(SHARE, runs - next), ...chosen };
      next += share.runs;
      const more = await worker.run(share).catch((error: unknown) => {
        // Then nobody goes on with the rest.
        next = runs;
        throw error;
      });
      outcome = sum(outcome, more);
      onProgress?.(outcome);
    }
    idle.push(worker);
  };
  await Promise.all(Array.from({ length: Math.min(workers, Math.ceil(runs / SHARE)) }, work));
  return outcome;
}

/** Those that have nothing to do now: to start one takes as long as many a campaign. They end with this process. */
const idle: Worker[] = [];

/** One process that runs shares, one after the other. */
class Worker {
  readonly #process: ChildProcess;

  constructor() {
    const script = fileURLToPath(new URL("worker.ts", import.meta.url));
    // The young generation of the heap is large: a run leaves nothing behind.
    const execArgv = ["--import", "tsx", "--max-semi-space-size=32"];
    this.#process = fork(script, { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    // Tests beside this one measure time; this one only needs much of it.
    if (this.#process.pid !== undefined) setPriority(this.#process.pid, 10);
    this.#rest();
  }

  /** Does not keep this process from ending. */
  #rest(): void {
    this.#process.unref();
    this.#process.channel?.unref();
  }

  run(share: Share): Promise<Outcome> {
    this.#process.ref();
    this.#process.channel?.ref();
    return new Promise((resolve, reject) => {
      const where = `seeds ${share.seed} to ${share.seed + share.runs - 1}`;
      const onExit = (code: number | null) =>
        reject(new Error(`the simulation ended with ${code}: ${where}`));
      this.#process.once("exit", onExit);
      this.#process.once("message", (answer: Outcome | { crash: string }) => {
        this.#process.off("exit", onExit);
        this.#rest();
        if ("crash" in answer) {
          this.#process.kill();
          reject(new Error(`${where}: ${answer.crash}`));
        } else resolve(answer);
      });
      this.#process.send(share);
    });
  }
}

function sum(a: Outcome, b: Outcome): Outcome {
  return {
    runs: a.runs + b.runs,
    operations: a.operations + b.operations,
    failures: [...a.failures, ...b.failures].sort((one, other) => one.seed - other.seed),
  };
}

/** Runs that a process is given at once: half a second's work. */
const SHARE = 10;
