import type { TestCluster } from "./attack.js";
import { attackOf } from "./attacks/all.js";
import { standBy } from "./bystander.js";

// A process of run.ts: one that attacks, or a bystander. They and the service must not hold each other up.

/** What such a process is told to do, at first; the bystander is told `"end"` at last. */
export type Part =
  | { readonly attack: string; readonly cluster: TestCluster }
  | { readonly bystander: string }
  | "end";

let over = false;

process.on("message", (part: Part) => {
  if (part === "end") over = true;
  else void play(part).then(answer, fail);
});
process.on("disconnect", () => process.exit(0));

function play(part: Exclude<Part, "end">): Promise<unknown> {
  over = false;
  if ("attack" in part) return attackOf(part.attack).run(part.cluster);
  return standBy(part.bystander, () => over);
}

function answer(value: unknown): void {
  process.send?.({ value });
}

function fail(error: unknown): void {
  process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

process.send?.("ready");
