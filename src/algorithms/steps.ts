/** A computation in steps of a few milliseconds at most. Its caller lets other work run between two steps. */
export type Steps<T> = Generator<void, T, void>;

/** Calls `step` for ranges that together make up [0, total), none longer than `sizeMax`. */
export function* inSteps(
  total: number,
  sizeMax: number,
  step: (from: number, to: number) => void,
): Steps<void> {
  for (let from = 0; from < total; from += sizeMax) {
    step(from, Math.min(total, from + sizeMax));
    yield;
  }
}

/** Runs all steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
