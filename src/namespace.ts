/**
 * A namespace: its names and leaseIds never meet those of another. Below the routes, the name `orders` of the namespace
 * `team-a` is `~team-a~orders`; in the namespace `default` it stays `orders`, as it was stored before there were namespaces.
 *
 * No name of the API contains `~`, and all that it may contain sorts before `~`. So the names of each namespace are one range
 * of all names, and `default` has the first.
 */
export class Namespace {
  static readonly default = new Namespace("default");

  readonly #prefix: string;

  /** `name`: as in the API, without `~`. */
  constructor(readonly name: string) {
    this.#prefix = name === "default" ? "" : MARK + name + MARK;
  }

  /** The namespace of an inner name, or of the beginning of one. */
  static of(inner: string): Namespace {
    if (!inner.startsWith(MARK)) return Namespace.default;
    return new Namespace(inner.slice(MARK.length, inner.indexOf(MARK, MARK.length)));
  }

  get isDefault(): boolean {
    return this.#prefix === "";
  }

  /** The name or leaseId below the routes. */
  inner(outer: string): string {
    return this.#prefix + outer;
  }

  /** The name or leaseId as in the API. `inner` belongs to this namespace. */
  outer(inner: string): string {
    return inner.slice(this.#prefix.length);
  }

  /** Whether an inner name belongs to this namespace. */
  has(inner: string): boolean {
    return inner.startsWith(this.isDefault ? MARK : this.#prefix) !== this.isDefault;
  }
}

/** The inner name of a service of the deployment itself, which no namespace has. */
export const ownService = (name: string): string => MARK + MARK + name;

/** The inner name or leaseId without its namespace. */
export function withoutNamespace(inner: string): string {
  return inner.slice(inner.lastIndexOf(MARK) + 1);
}

const MARK = "~";
