import type { Transaction } from "../../algorithms/two-phase.js";
import type { Told } from "../../primitives/registers/events/register-watch.js";
import type { Register } from "../../primitives/registers/registers.js";
import { grantedTo } from "../access/authorization.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { streamed } from "../responses/content.js";
import { toEvent } from "../responses/event-stream.js";
import { streamOf, tooSlow } from "../watching/register-stream.js";
import * as examples from "./examples.js";
import { toJson } from "./to-json.js";

export function transactionEventsRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/transaction-events",
    operationId: "followTransactions",
    needs: { action: "read", kind: "transactions", names: "listed" },
    tags: ["transactions"],
    summary: "Follow transactions",
    description:
      "Server-sent events, as a browser's EventSource reads them. First a snapshot: one `transaction` for each that is not decided, with the data of the list, then `synced`, with their number. Then the latest state of whatever changes: `changed`, with the same data, when one is begun, when a vote or an acknowledgement comes, and when it is decided; and `forgotten`, with the id, once it is not remembered any more. States in between may be left out, and one may be told twice. There are no ids: after a break comes a new snapshot, so read again what you knew and it does not have: it is decided. A comment comes every 10 to 15 s. A reader that is too slow is ended, with a comment that says so. While no majority answers, nothing is told.",
    request: {},
    answer: streamed(examples.events),
    isStream: true,
    problems: ["no_quorum"],
    handle: async (_, { transactionEvents }, c) => {
      const granted = grantedTo(c);
      const watch = await transactionEvents.watch((id) => granted.match(id));
      return streamOf(c, dependencies, watch, (told) => eventsText(told, transactionEvents.idOf));
    },
  });
}

function eventsText(told: Told, idOf: (name: string) => string): string {
  switch (told.kind) {
    case "snapshot":
      return told.registers.map((one) => toEvent("transaction", null, textOf(idOf(one.name), one))).join("");
    case "synced":
      return toEvent("synced", null, `{"transactions":${told.count}}`);
    case "changes":
      return told.changes
        .map(({ name, register }) => {
          const id = idOf(name);
          if (!register) return toEvent("forgotten", null, `{"id":${JSON.stringify(id)}}`);
          return toEvent("changed", null, textOf(id, register));
        })
        .join("");
    case "behind":
      return tooSlow("transactions");
  }
}

function textOf(id: string, { json, expiresInMs }: Register): string {
  const transaction = JSON.parse(json) as Transaction;
  const deadlineInMs = transaction.state === "active" ? expiresInMs : null;
  return JSON.stringify(toJson(id, { transaction, deadlineInMs }));
}
