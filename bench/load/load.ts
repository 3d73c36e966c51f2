import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../machine/guard.js";
import { ROOT } from "../machine/process.js";
import type { Sample } from "./closed-loop.js";
import type { Job } from "./jobs.js";

/** The load generator: a process of its own, so that what it does costs no contender a turn of its event loop. */
export class Load implements AsyncDisposable {
  readonly #child = fork(fileURLToPath(new URL("generator.ts", import.meta.url)), {
    cwd: ROOT,
    execArgv: ["--import", "tsx"],
  });
  readonly #over = endWithUs([this.#child.pid ?? 0]);

  /** Runs one job. Rejects with the failure of the job, or if the process has ended. */
  async run(job: Job): Promise<Sample> {
    const ended = new AbortController();
    const gone = once(this.#child, "exit", { signal: ended.signal }).then(
      () => ({ error: "the load generator has ended" }),
      () => ({ error: "unused" }),
    );
    const answered = once(this.#child, "message", { signal: ended.signal }).then(([message]) => message);
    answered.catch(() => {});
    this.#child.send(job);
    const answer = (await Promise.race([answered, gone])) as { sample?: Sample; error?: string };
    ended.abort();
    if (!answer.sample) throw new Error(`a turn failed: ${answer.error}`);
    return answer.sample;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, "exit");
      this.#child.disconnect();
      await gone;
    }
    this.#over();
  }
}
