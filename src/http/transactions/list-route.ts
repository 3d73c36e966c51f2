import { readablePage } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import * as examples from "./examples.js";
import { TransactionsSchema, UndecidedQuery } from "./schemas.js";
import { toJson } from "./to-json.js";

export function listTransactionsRoute(routes: Routes, { cursors }: Pick<Dependencies, "cursors">): void {
  routes.add({
    method: "get",
    path: "/v1/transactions",
    operationId: "listTransactions",
    needs: { action: "read", kind: "transactions", names: "listed" },
    tags: ["transactions"],
    summary: "List the transactions that are not decided",
    description:
      "In pages, in the order in which their ids were made: ask for the next page with the cursor of the last until that is null. A page may be empty though another follows. Each is as a read of it alone would have told it; what is decided meanwhile may be listed or not.",
    request: { query: UndecidedQuery },
    answer: json("One page.", TransactionsSchema, examples.pages),
    problems: ["no_quorum", "contended"],
    handle: async ({ query: { cursor, limit = 100 } }, { transactionPages }, c) => {
      const page = await readablePage(c, cursors, {
        read: async (beginning, after, most) => {
          const { transactions: items, cursor: next } = await transactionPages.undecided(
            beginning,
            after,
            most,
          );
          return { items, cursor: next };
        },
        nameOf: ({ name }) => name,
        bytesOf: ({ transaction: { payload, leases } }) =>
          (payload?.length ?? 0) + (leases ? JSON.stringify(leases).length : 0),
        prefix: "",
        cursor,
        limit,
      });
      return { transactions: page.items.map((one) => toJson(one.name, one)), cursor: page.cursor };
    },
  });
}
