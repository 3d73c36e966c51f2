import type { Guard } from "../algorithms/guard.js";
import type { Keys } from "./keys.js";
import { type Call, scriptCall } from "./scripts.js";

/** Null: there is none. */
export function readGuard(keys: Keys, service: string): Call<Guard | null> {
  return scriptCall("read-guard", [keys.guard(service)], [], (reply) => {
    const [exists, endsInMs, restsForMs] = reply as [number, string, number];
    return exists === 1 ? { endsInMs: Number(endsInMs), restsForMs: Number(restsForMs) } : null;
  });
}

/** Changes nothing where there is one. */
export function beginGuard(keys: Keys, service: string, { endsInMs, restsForMs }: Guard): Call<void> {
  const args = [Math.round(endsInMs), Math.max(1, Math.round(restsForMs))];
  return scriptCall("begin-guard", [keys.guard(service)], args);
}
