import { BATCHES, SCRIPTS, type Script } from "../scripts/scripts.js";
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

/**
 * Runs a script by its hash; `rest`: the number of keys, keys and arguments. If the server has lost the script, nothing ran:
 * SCRIPT FLUSH causes this, and so does a restart behind a proxy, which the connection survives. So the text is sent only
 * once `assertSameRun` resolved.
 */
export async function evaluate(
  wire: Wire,
  script: Script,
  rest: readonly (string | number)[],
  assertSameRun: () => Promise<void>,
): Promise<unknown> {
  try {
    return await wire.send("EVALSHA", script.sha1, ...rest);
  } catch (error) {
    if (!(error instanceof RedisReplyError && error.message.startsWith("NOSCRIPT"))) throw error;
    await assertSameRun();
    return await wire.send("EVAL", script.text, ...rest);
  }
}

/** Rejects if the server has another `run_id`. */
export async function assertRun(wire: Wire, runId: string): Promise<void> {
  const info = String(await wire.send("INFO", "server"));
  if (!info.includes(`run_id:${runId}`)) throw new Error("it restarted behind this connection");
}
