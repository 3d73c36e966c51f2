import type { Config } from "../../config.js";

/**
 * Returns whether a path, as it was sent, is open to callers without a key. A closed list: whatever is spelled in another way
 * needs a key, even where it leads to the same route.
 */
export function openPaths({ open = [] }: Pick<Config, "open">): (url: string) => boolean {
  const patterns = [PROBES, ...open.map((what) => OPEN[what])];
  return (url) => patterns.some((pattern) => pattern.test(url));
}

/** Load balancers probe these by any address, with neither a key nor a certificate. */
export const PROBES = /^\/(livez|readyz)(\?|$)/;

const OPEN = {
  metrics: /^\/metrics(\?|$)/,
  docs: /^\/((docs(\/[a-z0-9.-]*)?|openapi\.(json|yaml))?)(\?|$)/,
};
