import type { Transport } from "../../client/transport.js";
import type { Cell } from "../output.js";

/** A kind of things that are seen by name. */
export interface Kind<T> {
  /** The state of one, as the API answers it. */
  readonly read: (transport: Transport, name: string) => Promise<T>;
  readonly head: readonly string[];
  /** Its lines in a table: at least one. */
  readonly rows: (state: T) => readonly (readonly Cell[])[];
}
