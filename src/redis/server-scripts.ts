import { BATCHES, SCRIPTS } from "../scripts/scripts.js";
import { RedisReplyError } from "./connection.js";
import type { Wire } from "./wire.js";

/** Loads the scripts that the server lacks: a server that was away only for a moment has them all. */
export async function loadScripts(wire: Wire): Promise<void> {
  const scripts = [...Object.values(SCRIPTS), ...BATCHES.values()];
  const digests = scripts.map(({ sha1 }) => sha1);
  const loaded = (await wire.send("SCRIPT", "EXISTS", ...digests)) as number[];
  const missing = scripts.filter((_, index) => loaded[index] !== 1);
  await Promise.all(missing.map(({ text }) => wire.send("SCRIPT", "LOAD", text)));
}

/** Whether the server does not know the script of this EVALSHA. */
export function isScriptMissing(error: unknown): boolean {
  return error instanceof RedisReplyError && error.message.startsWith("NOSCRIPT");
}
