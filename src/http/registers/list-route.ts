import type { ListedRegister } from "../../primitives/registers/register-pages.js";
import { readablePage } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import * as examples from "./examples.js";
import { keyCursors } from "./key-cursors.js";
import { ListRegistersQuery, PAGE, RegistersSchema } from "./schemas.js";

export function listRegistersRoute(routes: Routes, { cursors }: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/registers",
    operationId: "listRegisters",
    needs: { action: "read", kind: "registers", names: "listed" },
    tags: ["registers"],
    summary: "List registers",
    description:
      "With their values, by key, in pages: ask for the next page with the cursor of the last until that is null. A page may be empty though another follows. Each register is as a read of it alone would have told it; a page is no snapshot: what changes meanwhile may be told as it was or as it is.",
    request: { query: ListRegistersQuery },
    answer: json("One page.", RegistersSchema, examples.registerLists),
    problems: ["no_quorum", "contended"],
    handle: async ({ query: { prefix = "", cursor, limit = PAGE } }, { registerPages }, c) => {
      const page = await readablePage(c, keyCursors(cursors, prefix), {
        read: async (beginning, after, most) => {
          const { registers: items, cursor: next } = await registerPages.page(beginning, after, most);
          return { items, cursor: next };
        },
        nameOf: ({ name }) => name,
        bytesOf: ({ json: value }) => value.length,
        prefix,
        cursor,
        limit,
      });
      const listed = page.items.map(registerText).join(",");
      const text = `{"registers":[${listed}],"cursor":${JSON.stringify(page.cursor)}}`;
      return new Reply(200, text, { "content-type": "application/json" });
    },
  });
}

/** Its value is JSON already. */
export function registerText({ name, json, number, etag, expiresInMs }: ListedRegister): string {
  const ends = expiresInMs === null ? null : Math.ceil(expiresInMs);
  return `{"key":${JSON.stringify(name)},"value":${json},"version":${number},"expiresInMs":${ends},"etag":"\\"${etag}\\""}`;
}
