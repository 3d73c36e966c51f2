import { Transactions } from "../../client/transactions.js";
import type { Transport } from "../../client/transport.js";
import { inWords } from "../duration.js";
import { wrongUse } from "../failure.js";
import type { Cell } from "../output.js";
import { wholeList } from "../pages.js";
import type { Transaction, Transactions as Undecided } from "../types.js";
import type { Kind } from "./kind.js";

export const transactions: Kind<Transaction> = {
  read: (transport, id) => new Transactions(transport).get(idOf(id)),
  head: ["id", "state", "decision", "ends in", "participant", "vote", "acknowledged", "reason"],
  rows: ({ id, state, decision, deadlineInMs, participants, reason }) => {
    const its = [id, state, decision, deadlineInMs === null ? null : inWords(deadlineInMs)];
    const rows = participants.map(({ name, vote, acknowledged }): Cell[] => [
      ...its,
      name,
      vote,
      acknowledged ? "yes" : "no",
      reason,
    ]);
    return rows.length > 0 ? rows : [[...its, null, null, null, reason]];
  },
};

/** Those that are not decided: whole, or at most `limit`. */
export async function listUndecided(transport: Transport, limit: number | undefined): Promise<Undecided> {
  const { items, cursor } = await wholeList<Undecided, Transaction>(
    transport,
    {
      path: "/transactions",
      field: "transactions",
      query: { state: "active" },
      pageMax: 1_000,
      limit,
    },
    (page) => page.transactions,
  );
  return { transactions: items, cursor };
}

export const UNDECIDED_HEAD = ["id", "ends in", "yes", "waits for"];

export function undecidedRow({ id, deadlineInMs, participants }: Transaction): Cell[] {
  const waitsFor = participants.filter(({ vote }) => vote === null).map(({ name }) => name);
  const yes = `${participants.length - waitsFor.length} of ${participants.length}`;
  return [id, inWords(deadlineInMs ?? 0), yes, waitsFor.join(" ")];
}

/** Throws wrong use where a transaction could not have it. */
export function idOf(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text))
    throw wrongUse(`"${text}" is no id of a transaction, such as 019b7ada-7028-7c3a-9d41-5f2ac1a58b7e`);
  return text;
}
