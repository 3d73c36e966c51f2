import { CoordinationError } from "../../errors.js";

/** Ready-made, since nothing may be cheaper than to refuse; they differ in when to try again. */
export function overloads([fromMs, toMs]: readonly [number, number]): CoordinationError[] {
  return Array.from({ length: COUNT }, (_, i) => {
    const retryAfterMs = Math.round(fromMs + ((toMs - fromMs) * i) / (COUNT - 1));
    return new CoordinationError(
      "overloaded",
      "This instance has more to do than it can. Nothing was done. Try again after retryAfterMs, or ask another.",
      { help: { retryAfterMs } },
    );
  });
}

const COUNT = 21;
