import type { Transport } from "../../client/transport.js";
import { CliFailure, toFailure } from "../failure.js";
import type { CommonOptions } from "../invocation.js";
import { printJson, printTable } from "../output.js";
import { inTurns } from "../pages.js";
import type { Kind } from "./kind.js";

/** Prints those that are there. Throws where one is not. */
export async function getAll<T>(
  transport: Transport,
  kind: Kind<T>,
  names: readonly string[],
  options: CommonOptions,
): Promise<void> {
  const results = await inTurns(names, (name) => kind.read(transport, name));
  const states = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failures = results.flatMap((result) =>
    result.status === "rejected" ? [toFailure(result.reason)] : [],
  );
  if (options.json) for (const state of states) printJson(state);
  else if (states.length > 0) printTable(kind.head, states.flatMap(kind.rows));
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const { exitCode, message, fields } = first;
  throw new CliFailure(exitCode, `${message}; and ${others.length} more of ${names.length} failed`, fields);
}
