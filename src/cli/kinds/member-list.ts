import type { Transport } from "../../client/transport.js";
import { segment } from "../names.js";
import { pagesOf } from "../pages.js";
import type { Member, Members } from "../types.js";

/**
 * The members of a service, of one ring: where it changes from one page to the next, the list is begun anew. A service that
 * always changes is listed as it was read, after some attempts.
 */
export async function listMembers(
  transport: Transport,
  service: string,
  limit: number | undefined,
): Promise<Members> {
  for (let attempt = 1; ; attempt++) {
    const { list, isMixture } = await readOnce(transport, service, limit, attempt === ATTEMPTS_MAX);
    if (!isMixture || attempt === ATTEMPTS_MAX) return list;
  }
}

async function readOnce(
  transport: Transport,
  service: string,
  limit: number | undefined,
  toTheEnd: boolean,
): Promise<{ readonly list: Members; readonly isMixture: boolean }> {
  const members: Member[] = [];
  let last: Members | undefined;
  let isMixture = false;
  for await (const page of pagesOf<Members>(transport, {
    path: `/services/${segment(service)}/members`,
    pageMax: PAGE_MAX,
    count: (one) => one.members.length,
    limit,
  })) {
    isMixture ||= last !== undefined && last.ringId !== page.ringId;
    last = page;
    members.push(...page.members);
    if (isMixture && !toTheEnd) break;
  }
  return { list: { ...(last as Members), members }, isMixture };
}

const PAGE_MAX = 1_000;
const ATTEMPTS_MAX = 5;
