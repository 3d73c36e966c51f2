import { createHash } from "node:crypto";
import type { Clock } from "../../clock.js";
import { heldOn } from "../../quorum/hold-votes.js";
import { allAnswered, type Primaries, values } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import { describeHolders, HOLDERS_AT_ONCE_MAX, type HoldersPart } from "../../scripts/holder-calls.js";
import type { Keys } from "../../scripts/keys.js";
import type { Hold } from "../../scripts/lease-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Holder, toHolder } from "./lease-terms.js";

export interface HolderPage {
  readonly holders: readonly Holder[];
  /** For the next page; null: this is the last. */
  readonly cursor: string | null;
}

/**
 * Who holds a lock, a page at a time, in the order of a digest of their leaseIds: that stays the same while they hold it
 * and gives no secret away. A page reads the leaseIds of all readers, some 40 bytes each, and what is to be told of its own.
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

  /** Those after the digest that is the cursor. Throws `no_quorum`. */
  async page(resource: string, cursor: string | null, limit: number): Promise<HolderPage> {
    const all = await this.#readers.read(resource, () => this.#read(resource));
    const readers = cursor === null ? all : all.filter(({ digest }) => digest > cursor);
    const holds: Hold[] = [];
    let lookedAt = 0;
    let bytes = 0;
    do {
      // One more than are missing, to know whether another page follows; and some may not hold it any more.
      const wanted = Math.min(Math.max(limit - holds.length + 1, PART_MIN), HOLDERS_AT_ONCE_MAX);
      const part = readers.slice(lookedAt, lookedAt + wanted);
      const known = await this.#tell(resource, part);
      // A writer is alone.
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

  /** Of all that answer, as a majority that lacks one of the votes would leave out one that holds it. */
  async #read(resource: string): Promise<Reader[]> {
    const scan = (primary: Parameters<typeof scanOn>[0]) =>
      scanOn(primary, this.keys.readers(resource), () => false);
    const found = values(await this.primaries.ask(scan, allAnswered));
    if (found.length < this.primaries.majority) throw this.primaries.noQuorum();
    return [...new Set(found.flat())]
      .map((leaseId) => ({ leaseId, digest: createHash("sha1").update(leaseId).digest("hex") }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  /** What a majority say of the writer, and of the first of these readers, in their order. */
  async #tell(resource: string, readers: readonly Reader[]): Promise<HoldersPart> {
    const { majority } = this.primaries;
    const leaseIds = readers.map(({ leaseId }) => leaseId);
    const parts = values(
      await this.primaries.ask(describeHolders(this.keys, resource, leaseIds), allAnswered),
    );
    if (parts.length < majority) throw this.primaries.noQuorum();
    // What one primary has not looked at yet would lack its vote.
    const lookedAt = Math.min(...parts.map((part) => part.lookedAt));
    const later = new Set(readers.slice(lookedAt).map(({ digest }) => digest));
    const holds = heldOn(
      majority,
      parts.map((part) => part.holds.filter(({ digest }) => !later.has(digest))),
    );
    return { lookedAt, holds: holds.sort((a, b) => (a.digest < b.digest ? -1 : 1)) };
  }
}

interface Reader {
  /** A secret. */
  readonly leaseId: string;
  readonly digest: string;
}

/** Readers that are asked for at once, at least. */
const PART_MIN = 50;
const READS_AT_ONCE_MAX = 4;
/** Bytes of the holders of a page: a page has less than 1 MB. */
const PAGE_BYTES_MAX = 900_000;
/** Names and numbers of a holder in JSON. */
const HOLDER_BYTES = 110;
