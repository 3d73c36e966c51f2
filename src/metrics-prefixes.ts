import type { z } from "zod";

/** Names of one namespace, by how they begin: they have metrics of their own. */
export interface MetricsPrefix {
  readonly namespace: string;
  /** Empty: all names of the namespace. */
  readonly prefix: string;
}

/** Reads `orders-,team-a/jobs-,team-a/`: an entry without a namespace is about `default`. */
export function toMetricsPrefixes(
  text: string,
  { addIssue }: Pick<z.RefinementCtx, "addIssue">,
): readonly MetricsPrefix[] {
  const entries = [...new Set(text.split(",").flatMap((entry) => entry.trim() || []))];
  const prefixes = entries.flatMap((entry) => {
    const [, namespace = "default", prefix = ""] = ENTRY.exec(entry) ?? [];
    if (ENTRY.test(entry)) return { namespace, prefix };
    addIssue(`QUORATE_METRICS_PREFIXES has "${entry}", which is not like orders- or team-a/orders-`);
    return [];
  });
  if (entries.length > PREFIXES_MAX)
    addIssue(`QUORATE_METRICS_PREFIXES has ${entries.length} entries, but may have ${PREFIXES_MAX}`);
  return Object.freeze(prefixes);
}

/** Both parts follow the pattern of names. */
const ENTRY = /^(?:([A-Za-z0-9][A-Za-z0-9._:-]{0,127})\/)?((?<=\/)|[A-Za-z0-9][A-Za-z0-9._:-]{0,127})$/;
/** Each has up to a hundred lines in the answer to a scrape. */
export const PREFIXES_MAX = 20;
