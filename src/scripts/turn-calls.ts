import type { Keys } from "./keys.js";
import { type Call, isOne, scriptCall } from "./scripts.js";

/** Takes the turn at some work, or keeps it; false: it is another instance's. */
export function takeTurn(keys: Keys, work: string, nonce: string, ms: number): Call<boolean> {
  return scriptCall("take-turn", [keys.turn(work)], [nonce, Math.ceil(ms)], isOne);
}
