import { heldByMajority } from "../../algorithms/holds.js";
import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import { digestOf, type Hold } from "../../scripts/hold.js";
import { describeHolders, HOLDERS_AT_ONCE_MAX, type HoldersPart } from "../../scripts/holder-calls.js";
import type { Keys } from "../../scripts/keys.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Holder, toHolder } from "./lease-terms.js";

export interface HolderPage {
  readonly holders: readonly Holder[];
  /** Cursor of the next page; null: this is the last. */
  readonly cursor: string | null;
}

/**
 * The holders of a lock, a page at a time, in the order of a digest of their leaseIds: it stays the same while they
 * hold the lock and reveals no secret. A page reads the leaseIds of all readers, some 40 bytes each, and the
 * descriptions of its own holders only.
 */
export class HolderPages {
  readonly #readers: SharedReads<Reader[]>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
  ) {
    this.#readers = new SharedReads(clock, READS_AT_ONCE_MAX);
  }

  /** The holders after the digest `cursor`. Throws `no_quorum`. */
  async page(resource: string, cursor: string | null, limit: number): Promise<HolderPage> {
    const all = await this.#readers.read(resource, () => this.#read(resource));
    const readers = cursor === null ? all : all.filter(({ digest }) => digest > cursor);
    const holds: Hold[] = [];
    let lookedAt = 0;
    let bytes = 0;
    do {
      // One more than are missing, to learn whether another page follows; and some may not hold the lock any more.
      const wanted = Math.min(Math.max(limit - holds.length + 1, PART_MIN), HOLDERS_AT_ONCE_MAX);
      const part = readers.slice(lookedAt, lookedAt + wanted);
      const known = await this.#tell(resource, part);
      // A writer is the only holder.
      const isWriter = known.holds.some(({ mode }) => mode === "exclusive");
      if (isWriter) return { holders: cursor === null ? known.holds.map(toHolder) : [], cursor: null };
      for (const hold of known.holds) {
        bytes += Buffer.byteLength(hold.metadata) + Buffer.byteLength(hold.owner) + HOLDER_BYTES;
        const last = holds.at(-1);
        if (last && (holds.length === limit || bytes > PAGE_BYTES_MAX))
          return { holders: holds.map(toHolder), cursor: last.digest };
        holds.push(hold);
      }
      lookedAt += known.lookedAt;
    } while (lookedAt < readers.length);
    return { holders: holds.map(toHolder), cursor: null };
  }

  /** Asks all that answer, as a majority that lacks one of the votes would leave out a holder. */
  async #read(resource: string): Promise<Reader[]> {
    const found = await this.primaries.askAll((primary) => scanOn(primary, this.keys.readers(resource)));
    return [...new Set(found.flat())]
      .map((leaseId) => ({ leaseId, digest: digestOf(leaseId) }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  /** The writer, and the first of these readers in their order, as a majority reports them. */
  async #tell(resource: string, readers: readonly Reader[]): Promise<HoldersPart> {
    const leaseIds = readers.map(({ leaseId }) => leaseId);
    const parts = await this.primaries.askAll(describeHolders(this.keys, resource, leaseIds));
    // Readers that one primary has not scanned yet would lack its vote.
    const lookedAt = Math.min(...parts.map((part) => part.lookedAt));
    const later = new Set(readers.slice(lookedAt).map(({ digest }) => digest));
    const holds = heldByMajority(
      parts.map((part) => part.holds.filter(({ digest }) => !later.has(digest))),
      this.primaries.majority,
    );
    return { lookedAt, holds: holds.sort((a, b) => (a.digest < b.digest ? -1 : 1)) };
  }
}

interface Reader {
  /** Secret. */
  readonly leaseId: string;
  readonly digest: string;
}

/** Minimum number of readers to request at once. */
const PART_MIN = 50;
const READS_AT_ONCE_MAX = 4;
/** Maximum size of a page's holders, in bytes: a page has less than 1 MB. */
const PAGE_BYTES_MAX = 900_000;
/** Size of a holder's field names and numbers in JSON, in bytes. */
const HOLDER_BYTES = 110;
