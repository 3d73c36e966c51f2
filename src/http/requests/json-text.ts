import { lostNumberIn } from "../../algorithms/lost-numbers.js";
import { CoordinationError } from "../../errors.js";

/** Throws `invalid_request`, naming the field, if a JSON body has a number that would not arrive as it was sent. */
export function refuseLostNumbers(text: string): void {
  const lost = lostNumberIn(text);
  if (!lost) return;
  const field = lost.path.join(".").slice(0, SHOWN_MAX);
  const detail = `the number ${shortened(lost.token)} cannot be represented exactly: send it as text`;
  throw new CoordinationError("invalid_request", field ? `${field}: ${detail}` : detail, {
    help: { errors: [{ field, detail }], ...(field && { field }) },
  });
}

function shortened(token: string): string {
  return token.length > SHOWN_MAX ? `${token.slice(0, SHOWN_MAX)}…` : token;
}

const SHOWN_MAX = 100;
