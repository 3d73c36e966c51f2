/**
 * The state of a small model as a row of bytes, and views that read and write it by name. A state is an array of
 * primaries, an array of clients, perhaps reconcilers (those who readmit primaries) and a few shared fields.
 *
 * Whatever relates a primary to a client (a message under way, a reply) is a `link` and lies inside the block of the
 * primary, and likewise a `visit` of a reconciler. So no number of a primary occurs anywhere, and exchanging two
 * primaries is exchanging two blocks: that is what makes the reduction by symmetry simple.
 */
export interface Shape {
  readonly primaries: number;
  readonly clients: number;
  readonly reconcilers?: number;
  readonly primary: readonly string[];
  readonly link: readonly string[];
  readonly client: readonly string[];
  readonly visit?: readonly string[];
  readonly reconciler?: readonly string[];
  readonly shared?: readonly string[];
  /** Fields of a primary that name a client: its place + 1, or 0 for none. */
  readonly naming: readonly string[];
  /** The first so many clients are alike. Primaries always are, reconcilers never (their ballots differ). */
  readonly alike: number;
}

type Names<List> = List extends readonly (infer Name extends string)[] ? Name : never;
type Fields<List> = { [Name in Names<List>]: number };

export type PrimaryOf<S extends Shape> = Fields<S["primary"]> & {
  readonly links: readonly Fields<S["link"]>[];
  readonly visits: readonly Fields<S["visit"]>[];
};
export type LinkOf<S extends Shape> = Fields<S["link"]>;
export type VisitOf<S extends Shape> = Fields<S["visit"]>;
export type ClientOf<S extends Shape> = Fields<S["client"]>;
export type ReconcilerOf<S extends Shape> = Fields<S["reconciler"]>;

export interface World<S extends Shape> {
  readonly words: Uint32Array;
  readonly primaries: readonly PrimaryOf<S>[];
  readonly clients: readonly ClientOf<S>[];
  readonly reconcilers: readonly ReconcilerOf<S>[];
  readonly shared: Fields<S["shared"]>;
}

/** Where everything lies, in bytes. Blocks of primaries are whole words, so that they compare and move quickly. */
export class Layout<const S extends Shape> {
  readonly linkBytes: number;
  readonly visitsAt: number;
  readonly primaryBytes: number;
  readonly clientBytes: number;
  readonly clientsAt: number;
  readonly reconcilersAt: number;
  readonly sharedAt: number;
  readonly words: number;
  /** Within a primary. */
  readonly linksAt: number;
  readonly namingAt: readonly number[];
  readonly #classes: Record<"primary" | "link" | "client" | "visit" | "reconciler" | "shared", ViewClass>;

  constructor(readonly shape: S) {
    const { primaries, clients, reconcilers = 0, visit = [], reconciler = [], shared = [] } = shape;
    this.linkBytes = shape.link.length;
    this.linksAt = shape.primary.length;
    this.visitsAt = this.linksAt + clients * this.linkBytes;
    this.primaryBytes = wholeWords(this.visitsAt + reconcilers * visit.length);
    this.clientBytes = shape.client.length;
    this.clientsAt = primaries * this.primaryBytes;
    this.reconcilersAt = this.clientsAt + clients * this.clientBytes;
    this.sharedAt = this.reconcilersAt + reconcilers * reconciler.length;
    this.words = wholeWords(this.sharedAt + shared.length) / 4;
    this.namingAt = shape.naming.map((name) => shape.primary.indexOf(name));
    this.#classes = {
      primary: viewClass(shape.primary),
      link: viewClass(shape.link),
      client: viewClass(shape.client),
      visit: viewClass(visit),
      reconciler: viewClass(reconciler),
      shared: viewClass(shared),
    };
  }

  /** A world of its own, all zero. */
  world(): World<S> {
    const { shape, linkBytes, visitsAt, primaryBytes, clientBytes, clientsAt, reconcilersAt, sharedAt } = this;
    const words = new Uint32Array(this.words);
    const bytes = new Uint8Array(words.buffer);
    const classes = this.#classes;
    const row = (count: number, kind: keyof typeof classes, from: number, size: number) =>
      Array.from({ length: count }, (_, place) => new classes[kind](bytes, from + place * size));
    const visitBytes = shape.visit?.length ?? 0;
    const primaries = row(shape.primaries, "primary", 0, primaryBytes);
    primaries.forEach((primary, place) => {
      const base = place * primaryBytes;
      primary.links = row(shape.clients, "link", base + this.linksAt, linkBytes);
      primary.visits = row(shape.reconcilers ?? 0, "visit", base + visitsAt, visitBytes);
    });
    return {
      words,
      primaries: primaries as unknown as PrimaryOf<S>[],
      clients: row(shape.clients, "client", clientsAt, clientBytes) as unknown as ClientOf<S>[],
      reconcilers: row(
        shape.reconcilers ?? 0,
        "reconciler",
        reconcilersAt,
        shape.reconciler?.length ?? 0,
      ) as unknown as ReconcilerOf<S>[],
      shared: new classes.shared(bytes, sharedAt) as unknown as World<S>["shared"],
    };
  }
}

/** The element that is known to be there. */
export function at<T>(list: ArrayLike<T>, place: number): T {
  const value = list[place];
  if (value === undefined) throw new RangeError(`no element ${place}`);
  return value;
}

interface View {
  readonly viewBytes: Uint8Array;
  readonly viewAt: number;
  links: View[];
  visits: View[];
}
type ViewClass = new (bytes: Uint8Array, from: number) => View;

/** A class whose fields lie in bytes: field number k of a view is the byte k after its first. */
function viewClass(fields: readonly string[]): ViewClass {
  class FieldView implements View {
    links: View[] = [];
    visits: View[] = [];
    constructor(
      readonly viewBytes: Uint8Array,
      readonly viewAt: number,
    ) {}
  }
  const own = Object.keys(new FieldView(new Uint8Array(), 0));
  fields.forEach((field, offset) => {
    if (own.includes(field)) throw new Error(`a field cannot be called ${field}`);
    Object.defineProperty(FieldView.prototype, field, {
      get(this: FieldView): number {
        return this.viewBytes[this.viewAt + offset] as number;
      },
      set(this: FieldView, value: number) {
        if (value < 0 || value > 255) throw new RangeError(`${field} = ${value} does not fit a byte`);
        this.viewBytes[this.viewAt + offset] = value;
      },
    });
  });
  return FieldView;
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
