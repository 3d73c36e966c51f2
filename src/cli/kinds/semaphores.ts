import type { Transport } from "../../client/transport.js";
import { segment } from "../names.js";
import { pagesOf } from "../pages.js";
import type { Semaphore } from "../types.js";
import { HOLDING, holding, NO_LABEL } from "./cells.js";
import type { Kind } from "./kind.js";

export const semaphores: Kind<Semaphore> = {
  read: withAllHolders,
  head: ["name", "held", "limit", "owner", "permits", ...HOLDING, "waiting"],
  rows: ({ name, held, limit, holders, waiting }) => {
    if (holders.length === 0) return [[name, held, limit, null, null, null, null, waiting]];
    return holders.map((holder) => {
      const { owner, permits } = holder;
      return [name, held, limit, owner ?? NO_LABEL, permits, ...holding(holder), waiting];
    });
  },
};

/** The state as its last page tells it, with the holders of all pages. */
async function withAllHolders(transport: Transport, name: string): Promise<Semaphore> {
  const holders: Semaphore["holders"][number][] = [];
  let last: Semaphore | undefined;
  const count = (page: Semaphore) => page.holders.length;
  for await (const page of pagesOf<Semaphore>(transport, {
    path: `/semaphores/${segment(name)}`,
    pageMax: HOLDERS_PAGE_MAX,
    count,
  })) {
    holders.push(...page.holders);
    last = page;
  }
  return { ...(last as Semaphore), holders };
}

const HOLDERS_PAGE_MAX = 100;
