import { writeSync } from "node:fs";
import type { Lease } from "../../client/lease.js";
import { EXIT } from "../exit-codes.js";
import { printableJson } from "../printable.js";
import type { Ending } from "./command.js";
import { exitCodeOfSignal } from "./signals.js";

/** Of a command that ended by itself: what a shell would report. */
export function exitCodeOf({ code, signal }: Ending): number {
  return signal === null ? (code ?? EXIT.internal) : exitCodeOfSignal(signal);
}

/** Why a command was told to end. */
export function lostText(name: string, { signal }: Lease, { signal: by }: Ending): string {
  const reason = signal.aborted ? (signal.reason as Error).message : "It was not renewed in time.";
  return `${name} was lost, and the command was ${by === "SIGKILL" ? "killed" : "told to end"}: ${reason}`;
}

/**
 * One line on stderr. Not by `process.stderr`: that makes a pipe which the command shares not wait for its reader, and writes of the
 * command would fail.
 */
export function say(text: string): void {
  try {
    writeSync(2, `quorate: ${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** The outcome for `--json`: one line on stderr, since stdout is the command's. */
export function sayJson(outcome: object): void {
  try {
    writeSync(2, `${printableJson(JSON.stringify(outcome))}\n`);
  } catch {
    // Nobody reads it.
  }
}
