import { CoordinationError } from "../../errors.js";

/** Made in advance, since refusing must be as cheap as possible; they differ in when to try again. */
export function overloads([fromMs, toMs]: readonly [number, number]): CoordinationError[] {
  return Array.from({ length: COUNT }, (_, i) => {
    const retryAfterMs = Math.round(fromMs + ((toMs - fromMs) * i) / (COUNT - 1));
    return overloaded(retryAfterMs);
  });
}

export function overloaded(retryAfterMs: number): CoordinationError {
  return new CoordinationError(
    "overloaded",
    "This instance is overloaded. Nothing was done. Try again after retryAfterMs, or use another instance.",
    { help: { retryAfterMs } },
  );
}

const COUNT = 21;
