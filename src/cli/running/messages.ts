/** When the command is to be ended unless there is news, on the clock that the watchdog shares with its parent, ms. */
export interface Limits {
  /** SIGTERM: the lease was not renewed for so long that this may be the end. */
  readonly termAtMs: number;
  /** SIGKILL. */
  readonly killAtMs: number;
}

/** From `quorate run` to its watchdog. */
export type Order =
  | {
      readonly kind: "start";
      readonly file: string;
      readonly args: readonly string[];
      /** Of the clock. */
      readonly zeroMs: number;
      /** Undefined: the command may run for ever. */
      readonly limits: Limits | undefined;
    }
  | { readonly kind: "limits"; readonly limits: Limits }
  /** The lease is lost: SIGTERM now. */
  | { readonly kind: "end"; readonly killAtMs: number };

/** From the watchdog to `quorate run`. */
export type Report =
  /** It waits for the order to start. */
  | { readonly kind: "ready" }
  /** The pid is the group's as well. */
  | { readonly kind: "started"; readonly pid: number }
  /** The command could not be run. */
  | { readonly kind: "failed"; readonly code: string | undefined; readonly message: string }
  /** The command has been told to end. */
  | { readonly kind: "told" }
  /** The command and all of its group are gone. */
  | { readonly kind: "over"; readonly code: number | null; readonly signal: NodeJS.Signals | null };
