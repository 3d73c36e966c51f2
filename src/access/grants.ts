import { NamePatterns } from "../algorithms/name-patterns.js";

/** What a grant can be about. `members` includes services and the owners on their rings. */
export const KINDS = [
  "locks",
  "semaphores",
  "elections",
  "members",
  "shards",
  "registers",
  "transactions",
] as const;
export type Kind = (typeof KINDS)[number];

/** None implies another: a key that may `use` locks may look at them only with `read` as well. */
export const ACTIONS = ["read", "use", "operate"] as const;
export type Action = (typeof ACTIONS)[number];

/** The right to take `actions` on resources of these kinds, in these namespaces, by these names. */
export interface Grant {
  /** A name or a pattern. */
  readonly namespace: string;
  readonly kinds: readonly (Kind | "*")[];
  /** Names or patterns: see `NamePatterns`. */
  readonly names: readonly string[];
  readonly actions: readonly Action[];
}

/** What a request needs. */
export interface Need {
  /** `*`: all namespaces, for what concerns the whole deployment. Only a grant for `*` has it. */
  readonly namespace: string;
  /** `*`: all kinds. Only a grant for `*` has it. */
  readonly kind: Kind | "*";
  /** Each must be granted, by one grant or by several. None: some name of the kind must be, as for lists. */
  readonly names: readonly string[];
  readonly action: Action;
}

/** The first part of a need that is not granted. It repeats what was asked for, and tells nothing of what exists. */
export interface MissingGrant {
  readonly namespace: string;
  readonly kind: Kind | "*";
  /** Undefined: no name of this kind is granted. */
  readonly name: string | undefined;
  readonly action: Action;
}

interface Compiled {
  readonly namespaces: NamePatterns;
  readonly names: NamePatterns;
}

/** The grants of one key, compiled once, so that a check takes a few comparisons. */
export class Grants {
  /** By action and kind. */
  readonly #index = new Map<string, Compiled[]>();

  constructor(grants: readonly Grant[]) {
    for (const { namespace, kinds, names, actions } of grants) {
      const compiled = { namespaces: new NamePatterns([namespace]), names: new NamePatterns(names) };
      const all: readonly (Kind | "*")[] = kinds.includes("*") ? [...KINDS, "*"] : kinds;
      for (const action of new Set(actions)) {
        for (const kind of new Set(all)) {
          const place = `${action} ${kind}`;
          const there = this.#index.get(place);
          if (there) there.push(compiled);
          else this.#index.set(place, [compiled]);
        }
      }
    }
  }

  /** Undefined: all of it is granted. */
  missing({ namespace, kind, names, action }: Need): MissingGrant | undefined {
    const candidates = this.#in(namespace, kind, action);
    if (candidates.length === 0 && names.length === 0) return { namespace, kind, name: undefined, action };
    for (const name of names) {
      if (!candidates.some((grant) => grant.names.match(name))) return { namespace, kind, name, action };
    }
    return undefined;
  }

  /** Of these names, those that are granted: what a list may show. */
  filter({ namespace, kind, action }: Omit<Need, "names">): (name: string) => boolean {
    const candidates = this.#in(namespace, kind, action);
    if (candidates.some((grant) => grant.names.all)) return () => true;
    return (name) => candidates.some((grant) => grant.names.match(name));
  }

  #in(namespace: string, kind: Kind | "*", action: Action): readonly Compiled[] {
    const all = this.#index.get(`${action} ${kind}`) ?? NONE;
    return all.every((grant) => grant.namespaces.match(namespace))
      ? all
      : all.filter((grant) => grant.namespaces.match(namespace));
  }
}

const NONE: readonly Compiled[] = Object.freeze([]);

/** The grant that is missing, in words, for an answer to whoever asked. */
export function describeMissing({ namespace, kind, name, action }: MissingGrant): string {
  const what = kind === "*" ? "every kind" : kind;
  const where = namespace === "*" ? "every namespace" : `namespace ${JSON.stringify(namespace)}`;
  const named = name === undefined ? "" : ` with a name that matches ${JSON.stringify(name)}`;
  return `This key has no grant for the action ${action} on ${what} in ${where}${named}.`;
}
