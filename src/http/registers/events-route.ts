import type { Told } from "../../primitives/registers/events/register-watch.js";
import { grantedTo } from "../access/authorization.js";
import { beginningOf } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { streamed } from "../responses/content.js";
import { toEvent } from "../responses/event-stream.js";
import { streamOf, tooSlow } from "../watching/register-stream.js";
import * as examples from "./examples.js";
import { registerText } from "./list-route.js";
import { FollowRegistersQuery } from "./schemas.js";

export function registerEventsRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/register-events",
    operationId: "followRegisters",
    needs: { action: "read", kind: "registers", names: "listed" },
    tags: ["registers"],
    summary: "Follow registers",
    description:
      "Server-sent events, as a browser's EventSource reads them. First a snapshot: one `register` for each that is there, with the data of the list, then `synced`, with their number. Then the latest version of whatever changes: `changed`, with the same data, and `deleted`, with the key. Versions in between may be left out, and one may be told twice, with the same etag. There are no ids: after a break comes a new snapshot, so forget what it does not have. A comment comes every 10 to 15 s. A reader that is too slow is ended, with a comment that says so. While no majority answers, nothing is told.",
    request: { query: FollowRegistersQuery },
    answer: streamed(examples.events),
    isStream: true,
    problems: ["no_quorum"],
    handle: async ({ query: { prefix = "" } }, { registerEvents }, c) => {
      const granted = grantedTo(c);
      const beginning = beginningOf(granted, prefix);
      const watch = await registerEvents.watch(beginning ?? NOTHING, (key) => granted.match(key));
      return streamOf(c, dependencies, watch, (told) => eventsText(told, registerEvents.keyOf));
    },
  });
}

function eventsText(told: Told, keyOf: (name: string) => string): string {
  switch (told.kind) {
    case "snapshot":
      return told.registers
        .map((one) => toEvent("register", null, registerText({ ...one, name: keyOf(one.name) })))
        .join("");
    case "synced":
      return toEvent("synced", null, `{"registers":${told.count}}`);
    case "changes":
      return told.changes
        .map(({ name, register }) => {
          const key = keyOf(name);
          if (!register) return toEvent("deleted", null, `{"key":${JSON.stringify(key)}}`);
          return toEvent("changed", null, registerText({ ...register, name: key }));
        })
        .join("");
    case "behind":
      return tooSlow("registers");
  }
}

/** No key begins so. */
const NOTHING = "\n";
