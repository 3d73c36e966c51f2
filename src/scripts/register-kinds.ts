/**
 * What registers are for: those that clients name, and those on which other primitives keep their state. The name of a register
 * is its kind, its namespace and its key, so that none meets another; a namespace has no slash, a key may have some.
 */
export type RegisterKind =
  | "value"
  | "counter"
  | "latch"
  | "barrier"
  | "election"
  | "transaction"
  | "record"
  | "hooks"
  | "hook-progress"
  | "callbacks";

export function registerName(kind: RegisterKind, namespace: string, key: string): string {
  return `${kind}/${namespace}/${key}`;
}

/** Whether it is the record of a transaction of several registers. */
export const isRecord = (name: string): boolean => name.startsWith("record/");

/** The kind and the namespace of the names that begin so: registers are published together with those of their group. */
export function groupOf(name: string): string {
  return name.slice(0, name.indexOf("/", name.indexOf("/") + 1));
}

/** The first name that a transaction can have, and the first one after those of all. */
export const TRANSACTIONS = ["transaction/", "transaction0"] as const;

export const isTransaction = (name: string): boolean => name.startsWith("transaction/");

/** The first name that the hooks of a service can have, and the first one after those of all. */
export const HOOKS = ["hooks/", "hooks0"] as const;

/** The same of transactions whose participants are called. */
export const CALLBACKS = ["callbacks/", "callbacks0"] as const;
