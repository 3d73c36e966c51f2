import type { Ballot } from "../../algorithms/ballot.js";
import { type Copy, latestOf } from "../../algorithms/register.js";
import { differingRegisters, type RegisterDifference } from "../../algorithms/register-copies.js";
import { compareInUtf8 } from "../../algorithms/utf8-order.js";
import type { Random } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { RegisterRound } from "../../quorum/register-rounds.js";
import type { Keys } from "../../scripts/keys.js";
import { readRegister } from "../../scripts/register-calls.js";
import { listRegisters } from "../../scripts/register-list-calls.js";
import type { Call } from "../../scripts/scripts.js";
import type { Registers } from "../registers/registers.js";
import type { Comparison, Pass } from "./anti-entropy.js";

/**
 * Compares registers of all kinds, and the tombstones of those that were deleted. It repairs in two ways, both of which every
 * read may take: what a majority have is sent to the others under its own ballot; and where no majority have the same, but a
 * majority have something, a change that changes nothing decides. So nothing that was deleted comes back: its tombstone has
 * the higher ballot, and where that was removed, the floor has.
 */
export class RegisterCopies implements Comparison {
  readonly kind = "registers";

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly registers: Pick<Registers, "state" | "complete">,
    private readonly random: Random,
  ) {}

  async run(pass: Pass): Promise<void> {
    let after: string | null = null;
    do {
      const part: Part = await this.#part(after);
      if (part.differing.length > 0) await this.#confirm(part.differing, pass);
      after = part.upTo;
      await pass.pause(PART_PAUSE_MS * (0.5 + this.random()));
    } while (after !== null);
  }

  async #part(after: string | null): Promise<Part> {
    const from = after === null ? "[" : `(${after}`;
    const lists = await this.#ask(
      listRegisters(this.keys, { from, beginning: "", most: PART_MAX }, "digests"),
    );
    const ends = lists.flatMap((list) => list?.upTo ?? []).sort(compareInUtf8);
    const [upTo = null] = ends;
    const names = new Set(lists.flatMap((list) => [...(list?.copies.keys() ?? [])]));
    const looked = [...names].filter((name) => upTo === null || compareInUtf8(name, upTo) <= 0);
    const copiesOf = (name: string) => lists.map((list) => list && (list.copies.get(name) ?? null));
    return { differing: looked.flatMap((name) => this.#differing(name, copiesOf(name))), upTo };
  }

  /** What is under way to a primary looks like a difference: only what is found twice is one. */
  async #confirm(before: readonly Differing[], pass: Pass): Promise<void> {
    await pass.pause(CONFIRM_MS);
    const seen = new Set(before.map(textOf));
    for (const name of new Set(before.map((one) => one.name))) {
      const copies = await this.#ask(readRegister(this.keys, name));
      const again = this.#differing(name, copies).filter((one) => seen.has(textOf(one)));
      if (again.length === 0) continue;
      const lacking = await this.#repair(name, again, copies);
      for (const { place, difference } of again) {
        const primary = this.primaries.all[place];
        if (primary) pass.found(primary, difference, !lacking.includes(place));
      }
    }
  }

  /** Returns the places that are not as they should be afterwards. */
  async #repair(
    name: string,
    differing: readonly Differing[],
    copies: readonly (Copy | null | undefined)[],
  ): Promise<readonly number[]> {
    const places = differing.map(({ place }) => place);
    if (differing.some(({ difference }) => difference === "diverged")) return places;
    if (differing.some(({ difference }) => difference === "unconfirmed")) {
      // A majority that have nothing say that it is not there.
      if (copies.filter((copy) => copy).length < this.primaries.majority) return places;
      const decided = await this.registers.state(name, true).catch(() => null);
      if (!decided) return places;
    }
    return this.registers.complete(name);
  }

  #differing(name: string, copies: readonly (Copy | null | undefined)[]): Differing[] {
    const etag = latestOf(copies.map((copy) => copy ?? null))?.etag ?? null;
    return differingRegisters(copies, this.primaries.majority).map((one) => ({ name, etag, ...one }));
  }

  /** The values of all primaries by their places; undefined: it did not answer. Throws `no_quorum`. */
  async #ask<T>(call: Call<T>): Promise<(T | undefined)[]> {
    const answers = await new RegisterRound(this.primaries, this.keys).answers(call);
    if (answers.filter((answer) => answer?.ok).length < this.primaries.majority)
      throw this.primaries.noQuorum();
    return answers.map((answer) => (answer?.ok ? answer.value : undefined));
  }
}

interface Differing extends RegisterDifference {
  readonly name: string;
  /** Of the latest version: where that has changed, another difference is there. */
  readonly etag: Ballot | null;
}

interface Part {
  readonly differing: readonly Differing[];
  /** The last name that was looked at; null: there are no more. */
  readonly upTo: string | null;
}

const textOf = ({ name, place, difference, etag }: Differing): string =>
  `${place} ${difference} ${etag} ${name}`;

/** Some 2 ms of a primary's time. */
const PART_MAX = 500;
/** On average. */
const PART_PAUSE_MS = 100;
const CONFIRM_MS = 500;
