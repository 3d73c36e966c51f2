import type { Ballot } from "../../algorithms/ballot.js";
import type { Part } from "../../algorithms/intent.js";
import type { Keyed, KeyedChange, Version } from "../../algorithms/register.js";

/** What became of the registers that a transaction changed, by name; null: it is not there. */
export type Changed = ReadonlyMap<string, { readonly number: number; readonly etag: Ballot } | null>;

/** `placed`: what has the intents of the transaction, as it was before. */
export function changesIn(
  parts: readonly Part[],
  placed: ReadonlyMap<string, { readonly version: Version }>,
): Changed {
  return new Map(
    changing(parts).map(({ name, write }) => {
      const version = placed.get(name)?.version;
      if (!version?.intent) throw new Error("every part has an intent");
      if (write?.json == null) return [name, null];
      return [name, { number: version.number + 1, etag: version.intent.etag }];
    }),
  );
}

/** The register that remembers the idempotency key of a transaction: of those that stay the first; null: it changes none. */
export function homeOf(parts: readonly Part[]): string | null {
  const all = changing(parts);
  return (all.find(({ write }) => write?.json != null) ?? all[0])?.name ?? null;
}

/** How it is kept with the idempotency key, in the order of the parts. */
export function toldOf(changed: Changed): string {
  return [...changed.values()].map((one) => (one ? `${one.number}/${one.etag}` : "-")).join(",");
}

/** The answer of an earlier transaction with the same idempotency key. */
export function repeatedBy(
  { body, told }: Pick<KeyedChange, "body" | "told">,
  keyed: Keyed | null,
  parts: readonly Part[],
): { readonly kind: "repeated"; readonly changed: Changed } | { readonly kind: "key_mismatch" } {
  if (body !== keyed?.body) return { kind: "key_mismatch" };
  const all = told.split(",");
  const changed = changing(parts).map(({ name }, i) => {
    const [number, etag] = all[i]?.split("/") ?? [];
    return [name, etag === undefined ? null : { number: Number(number), etag }] as const;
  });
  return { kind: "repeated", changed: new Map(changed) };
}

const changing = (parts: readonly Part[]) => parts.filter(({ write }) => write !== undefined);
