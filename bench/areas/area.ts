import type { Contender, Figure } from "../comparison/rounds.js";
import type { Load } from "../load/load.js";
import type { Checkout } from "../machine/checkout.js";
import type { Cleanup } from "../machine/cleanup.js";

/** One group of figures, measured on what it starts itself. */
export interface Area {
  /** As in `--only`. */
  readonly name: string;
  readonly about: string;
  /** Starts what takes part; what is added to `cleanup` is ended after the measurement. */
  prepare(bench: Bench, cleanup: Cleanup): Promise<Comparison>;
}

/** Contenders that are ready to take turns. */
export interface Comparison {
  /** Settings of this area, each in a few words. */
  readonly settings: readonly string[];
  readonly contenders: readonly Contender[];
  readonly figures: readonly Figure[];
  /** Figures that take no turns, such as memory: measured after the last round. */
  after?(): Promise<readonly Figure[]>;
}

/** What all areas share. */
export interface Bench {
  readonly load: Load;
  /** The state of the service that is compared with this one. */
  readonly before: Checkout | null;
  /** Whether peers take part, or this service alone. */
  readonly peers: boolean;
  /** Of the area `many`. */
  readonly locks: number;
  readonly untilGone: boolean;
  /** Of the area `open`, pairs per second; undefined: it is chosen. */
  readonly rate: number | undefined;
  /** A peer could not take part; says how to install it. */
  missing(text: string): void;
  /** Tells what happens now. */
  progress(text: string): void;
}

/** The ids of the service itself, and of its state before. */
export const NOW = "quorate";
export const BEFORE = "before";
