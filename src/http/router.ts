import type { Result, Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { NAMESPACE_PATH, NAMESPACES } from "./namespaces.js";

/**
 * Finds the handler of a path: paths without parameters in a map, the others by one regular expression per method. The
 * framework's default would search a tree instead, as `/v1/locks/acquire` and `/v1/locks/:name/acquire` together are more
 * than its regular expression can tell apart.
 *
 * The paths under a namespace have a router of their own, which sees what follows the namespace. So they cost the others
 * nothing.
 */
export class ExactFirstRouter<T> implements Router<T> {
  readonly name = "exact first";
  readonly #exact = new Map<string, Map<string, [T, Record<string, string>][]>>();
  readonly #others = new RegExpRouter<T>();
  #namespaced: ExactFirstRouter<T> | null = null;

  add(method: string, path: string, handler: T): void {
    if (path.startsWith(`${NAMESPACE_PATH}/`)) {
      this.#namespaced ??= new ExactFirstRouter();
      this.#namespaced.add(method, path.slice(NAMESPACE_PATH.length), handler);
      return;
    }
    if (/[:*]/.test(path)) {
      this.#others.add(method, path, handler);
      return;
    }
    const ofMethod = this.#exact.get(method) ?? new Map();
    this.#exact.set(method, ofMethod);
    ofMethod.set(path, [...(ofMethod.get(path) ?? []), [handler, {}]]);
  }

  match(method: string, path: string): Result<T> {
    const exact = this.#exact.get(method)?.get(path);
    if (exact) return [exact];
    const found = this.#others.match(method, path);
    if (found[0].length > 0 || !this.#namespaced || !path.startsWith(NAMESPACES)) return found;
    const end = path.indexOf("/", NAMESPACES.length);
    if (end <= NAMESPACES.length) return found;
    const namespace = path.slice(NAMESPACES.length, end);
    return withParameter(this.#namespaced.match(method, path.slice(end)), "namespace", namespace);
  }
}

/** The same handlers with one more parameter, all parameters by their values. */
function withParameter<T>([handlers, values]: Result<T>, name: string, value: string): Result<T> {
  return [
    handlers.map(([handler, parameters]) => {
      const named: Record<string, string> = { [name]: value };
      for (const [one, at] of Object.entries(parameters))
        named[one] = typeof at === "string" ? at : (values?.[at] ?? "");
      return [handler, named];
    }),
  ];
}
