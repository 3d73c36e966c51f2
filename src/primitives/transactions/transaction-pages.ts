import { firstIdOf, type Transaction, UNDECIDED_MS_MAX } from "../../algorithms/two-phase.js";
import type { Clock } from "../../clock.js";
import type { RegisterPages } from "../registers/register-pages.js";
import type { Told } from "./transactions.js";

/** A transaction in a list. By the name of its register. */
export interface ListedTransaction extends Told {
  readonly name: string;
}

export interface TransactionPage {
  readonly transactions: readonly ListedTransaction[];
  /** The last name that was looked at; null: there are no more. */
  readonly cursor: string | null;
}

/** Transactions that are not decided, in the order in which their ids were made. All throw as `RegisterPages.page` does. */
export class TransactionPages {
  constructor(
    /** They must not delete what has ended: that is for whoever decides it. */
    private readonly pages: Pick<RegisterPages, "page">,
    private readonly clock: Pick<Clock, "wallMicros">,
  ) {}

  /**
   * Those of `group`, whose ids begin with `prefix`. Looks at `most` at most, decided ones included: a page may be empty though
   * another follows.
   */
  async undecided(
    group: string,
    prefix: string,
    after: string | null,
    most: number,
  ): Promise<TransactionPage> {
    const first = firstIdOf(this.clock.wallMicros() / 1_000 - UNDECIDED_MS_MAX);
    const { registers, cursor } = await this.pages.page(group + prefix, after ?? group + first, most);
    const transactions = registers.flatMap(({ name, json, expiresInMs }): ListedTransaction[] => {
      const transaction = JSON.parse(json) as Transaction;
      return transaction.state === "active" ? [{ name, transaction, deadlineInMs: expiresInMs }] : [];
    });
    return { transactions, cursor };
  }
}
