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

/** The names that are granted in some namespaces. */
interface Granted {
  readonly namespaces: NamePatterns;
  readonly names: readonly string[];
}

/** The grants of one key. They are compiled when they are first used, so that a large file of keys is read quickly. */
export class Grants {
  readonly #grants: readonly Grant[];
  /** By action and kind. */
  #index: Map<string, Granted[]> | undefined;
  /** What was found before, by action and kind and then by namespace: the names of all grants that fit. */
  readonly #found = new Map<string, Map<string, NamePatterns>>();

  constructor(grants: readonly Grant[]) {
    this.#grants = grants;
  }

  /** Undefined: all of it is granted. */
  missing(need: Need): MissingGrant | undefined {
    const { namespace, kind, names, action } = need;
    const granted = this.granted(need);
    if (names.length === 0 && granted.none) return { namespace, kind, name: undefined, action };
    for (const name of names) if (!granted.match(name)) return { namespace, kind, name, action };
    return undefined;
  }

  /** The names that are granted: what a list may show. */
  granted({ namespace, kind, action }: Omit<Need, "names">): NamePatterns {
    const place = PLACES[action][kind];
    const byNamespace = this.#found.get(place) ?? new Map<string, NamePatterns>();
    const known = byNamespace.get(namespace);
    if (known) return known;
    this.#found.set(place, byNamespace);
    // A caller can invent namespaces.
    if (byNamespace.size >= FOUND_MAX) byNamespace.clear();
    this.#index ??= compile(this.#grants);
    const fitting = (this.#index.get(place) ?? []).filter(({ namespaces }) => namespaces.match(namespace));
    const granted = new NamePatterns(fitting.flatMap(({ names }) => names));
    byNamespace.set(namespace, granted);
    return granted;
  }
}

function compile(grants: readonly Grant[]): Map<string, Granted[]> {
  const index = new Map<string, Granted[]>();
  for (const { namespace, kinds, names, actions } of grants) {
    const granted = { namespaces: new NamePatterns([namespace]), names };
    const all: readonly (Kind | "*")[] = kinds.includes("*") ? [...KINDS, "*"] : kinds;
    for (const place of new Set(actions.flatMap((action) => all.map((kind) => PLACES[action][kind])))) {
      const there = index.get(place);
      if (there) there.push(granted);
      else index.set(place, [granted]);
    }
  }
  return index;
}

const placesOf = (action: Action) =>
  Object.freeze(
    Object.fromEntries([...KINDS, "*" as const].map((kind) => [kind, `${action} ${kind}`])),
  ) as Readonly<Record<Kind | "*", string>>;
const PLACES = Object.freeze({ read: placesOf("read"), use: placesOf("use"), operate: placesOf("operate") });

/** Namespaces by action and kind: most keys have one. */
const FOUND_MAX = 8;

/** The grant that is missing, in words, for an answer to whoever asked. */
export function describeMissing({ namespace, kind, name, action }: MissingGrant): string {
  const what = kind === "*" ? "every kind" : kind;
  const where = namespace === "*" ? "every namespace" : `namespace ${JSON.stringify(namespace)}`;
  const named = name === undefined ? "" : ` with a name that matches ${JSON.stringify(name)}`;
  return `This key has no grant for the action ${action} on ${what} in ${where}${named}.`;
}
