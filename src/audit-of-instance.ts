import type { Logger } from "pino";
import { Audit, type AuditOutput } from "./access/audit.js";
import { AuditFile } from "./access/audit-file.js";
import type { Clock } from "./clock.js";
import { type Config, ConfigError } from "./config.js";

/** The audit of an instance, and what takes its lines. */
export interface OpenAudit {
  readonly audit: Audit;
  /** For SIGHUP, after the file was moved away. */
  reopen(): void;
  /** For the last moments of the process. */
  flushSync(): void;
}

/** Undefined: nothing is to be audited. `stdout`: what takes the lines of the log. Throws `ConfigError` where the file cannot be opened for appending. */
export function openAudit(
  { audit: where }: Pick<Config, "audit">,
  { stdout, clock, log }: { readonly stdout: AuditOutput; readonly clock: Clock; readonly log: Logger },
): OpenAudit | undefined {
  if (where === undefined) return undefined;
  if (where === "stdout") {
    // The log flushes it.
    return { audit: new Audit(stdout, clock, log), reopen: () => {}, flushSync: () => {} };
  }
  const file = opened(where.file, clock, log);
  return {
    audit: new Audit(file, clock, log),
    reopen: () => file.reopen(),
    flushSync: () => file.flushSync(),
  };
}

function opened(path: string, clock: Clock, log: Logger): AuditFile {
  try {
    return new AuditFile(path, clock, log);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([`QUORATE_AUDIT: ${path} cannot be opened for appending (${code ?? error})`]);
  }
}
