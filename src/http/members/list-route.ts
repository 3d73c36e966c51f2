import type { ListAsked } from "../../primitives/members/list-watches.js";
import { filterOf } from "../../primitives/members/member-filter.js";
import type { FirstPage } from "../../primitives/members/member-pages.js";
import type { MemberLists } from "../../primitives/namespaced.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import { blockingRead, type Watched } from "../watching/blocking-read.js";
import { BlockingReadHeaders } from "../watching/schemas.js";
import * as examples from "./examples.js";
import { MEMBERS_PAGE_MAX, MembersQuery, MembersSchema } from "./list-schemas.js";
import { ServiceParams } from "./schemas.js";

export function memberListRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/services/{service}/members",
    operationId: "listMembers",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "List the members of a service, or wait until that changes",
    description:
      "By id, in pages: ask for the next page with the cursor of the last, and the same filters, until that is null. A page has limit members, or fewer if they would exceed 1 MB. Each page is a quorum read: the list shows every registration and departure before the first request; of later changes it shows departures, and may or may not show new members. The ringId identifies the ring of all members of the service, whatever the filters. If it changes from one page to the next, the pages are a mixture: begin again without a cursor. The first page has an ETag, which names all members that match the filters, on whichever page they are: it changes with who they are and with their revisions and status, not with ages or load, nor with other members. With includeGone, those that have left or expired are in gone, for ttlMs and a minute after; they count for limit, filters and ETag as the others do. With If-None-Match and waitMs the answer comes as soon as the ETag has changed, or after waitMs, less up to a sixteenth at random, as a 304. Later pages have no ETag and do not wait.",
    request: { params: ServiceParams, query: MembersQuery, headers: BlockingReadHeaders },
    answer: {
      ...json(
        "The live members; none for a service without registrations.",
        MembersSchema,
        examples.memberLists,
      ),
      headers: {
        ETag: { description: "On the first page: names the whole list.", schema: { type: "string" } },
      },
    },
    otherAnswers: { 304: { description: "Nothing has changed." } },
    problems: ["no_quorum"],
    handle: ({ params: { service }, query, headers }, { memberLists }, c) => {
      const { cursor, limit = MEMBERS_PAGE_MAX, waitMs = 0, ...filters } = query;
      const asked = { limit, filter: filterOf(filters) };
      if (cursor !== undefined) return memberLists.page(service, cursor, limit, asked.filter);
      return blockingRead(
        c,
        dependencies,
        { ifNoneMatch: headers["if-none-match"], waitMs: waitMs * (1 - dependencies.random() / SPREAD) },
        watched(memberLists, service, asked),
      );
    },
  });
}

function watched(lists: MemberLists, service: string, asked: ListAsked): Watched<FirstPage> {
  return {
    read: () => lists.first(service, asked.limit, asked.filter),
    change: (...until) => lists.change(service, asked, ...until),
    toJson: pageJson,
  };
}

const texts = new WeakMap<FirstPage, string>();

/** A first page as JSON: made once for all who are told it. Its version is not part of it. */
function pageJson(page: FirstPage): string {
  const known = texts.get(page);
  if (known !== undefined) return known;
  const { version: _, ...told } = page;
  const text = JSON.stringify(told);
  texts.set(page, text);
  return text;
}

/** Thousands of readers that began to wait together do not all come back together. */
const SPREAD = 16;
