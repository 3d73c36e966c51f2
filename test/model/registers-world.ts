/** What the model of registers is made of: its variants, its bounds and its state. */
import type { LinkOf, PrimaryOf, World } from "./world.js";

/** The right protocol, and what it would be without one of its rules. */
export type RegistersVariant =
  | "right"
  /** The first two clients propose different values under one ballot. */
  | "a ballot reused for another value"
  /** A primary accepts whatever it promised. */
  | "accept without compare"
  | "read from one primary"
  | "a quorum of one"
  /** Each primary drops the register when it finds that its time is over. */
  | "a TTL in Redis"
  | "a key deleted without raising the floor"
  /** The floor rises above the tombstone, but not above what was promised since. */
  | "a key deleted below a promise"
  | "a key deleted that only a majority know as deleted"
  | "a promise without a value dropped without raising the floor"
  /** A primary keeps its configuration when it loses its data, and takes part as if nothing had been. */
  | "a primary that forgot goes on"
  | "no fence"
  /** An accept that a change of the configuration got in the way of is sent again in the next. */
  | "an accept that goes on in the next configuration"
  /** What it kept and what it is given: of each the highest. */
  | "readmission that keeps its own registers"
  /** What it kept counts as well, and neither promises nor floors are copied. */
  | "copying by the highest ballot alone"
  /** On its second try it tells what a majority have, though what it proposed first may be on a primary under a higher ballot. */
  | "telling what was found below its own proposal";

export interface RegistersOptions {
  readonly variant: RegistersVariant;
  /**
   * Each makes one attempt, under a ballot above those of the clients before it; `create` may make two. It changes the register
   * only if it has nothing.
   */
  readonly clients: readonly ("append" | "read" | "delete" | "create")[];
  /** How many primaries restart, one after the other, and what they then have. */
  readonly restarts: number;
  readonly restartsWith: "nothing" | "nothing or a state of before";
  /**
   * `a deleted one`: the first client has appended, and the second deleted what it appended, on all primaries. `a deletion under
   * way`: of the deletion only one primary knows, and it lacks what was appended.
   */
  readonly from: "nothing" | "a deleted one" | "a deletion under way";
  /** Whether tombstones are removed in the end, and promises without a value. */
  readonly removals: boolean;
}

export const PRIMARIES = 3;

export const fields = {
  primaries: PRIMARIES,
  primary: [
    // Ballots; 0 for none. Content is a set of clients, as bits: those whose appends are in it. An accepted value without
    // content is a tombstone.
    "promised",
    "accepted",
    "content",
    "floor",
    "configuration",
    /** Takes part: it is not waiting to be readmitted. */
    "member",
    /** Has been read for the copy that is under way. */
    "read",
    /** Ballots under which somebody may have seen a tombstone here, as bits, for each configuration. */
    "tombs1",
    "tombs2",
    "tombs3",
    /** What is on its disk, where that is not the latest. */
    "saved",
    "savedPromised",
    "savedAccepted",
    "savedContent",
    "savedFloor",
  ],
  link: [
    /** The client heard it in its present phase. */
    "heard",
  ],
  client: [
    "phase",
    "configuration",
    /** The highest ballot that was reported, and what came with it. */
    "best",
    "bestContent",
    /** Whether something else was reported, too. */
    "unlike",
    /** What it proposes, and in the end what it tells. */
    "content",
    /** Whether this is its second try, and what it proposed in the first. */
    "again",
    "first",
    /** The clients that had ended when it began, as bits. */
    "before",
  ],
  shared: [
    "restarts",
    "saves",
    /** The newest configuration: that in which all primaries are, or to which they are on their way. */
    "configuration",
    /** The time of the register is over somewhere. */
    "expired",
  ],
  naming: [],
  alike: 0,
} as const;

export type RegistersShape = typeof fields & { clients: number };
export type RegistersWorld = World<RegistersShape>;
export type Primary = PrimaryOf<RegistersShape>;
export type Client = RegistersWorld["clients"][number];
export type Link = LinkOf<RegistersShape>;

export const IDLE = 0;
export const READING = 1;
export const PREPARING = 2;
export const ACCEPTING = 3;
/** Its change, or its read by an identity change, is acknowledged. */
export const CHANGED = 4;
/** It has read without a change. */
export const READ = 5;

export const isDone = ({ phase }: Client) => phase >= CHANGED;
