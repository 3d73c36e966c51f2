import { type Violation, violation } from "./check.js";
import { type Done, done, type History } from "./operation.js";

/** The same ringId gives the same owner for a key, from every instance and at any time. */
export function checkOwners({ operations }: History): Violation[] {
  const first = new Map<string, Done<"owner", "owned">>();
  return done(operations, "owner", "owned").flatMap((answer) => {
    const { key, service } = answer.request;
    const { ringId, owner } = answer.outcome;
    const of = `${service}\n${ringId}\n${key}`;
    const other = first.get(of);
    if (!other) first.set(of, answer);
    if (!other || other.outcome.owner === owner) return [];
    const what = `key ${key} belongs to ${other.outcome.owner} and to ${owner} in ring ${ringId}`;
    return [violation("owners", what, other, answer)];
  });
}
