import type { Core } from "../../src/service.js";
import { patched } from "./patched.js";

const SLOTS_A_PERMIT = 8;

/**
 * A semaphore that counts votes in place of slots: a primary counts how many permits it gave, and with a majority that
 * say yes one has a permit. It is made of the slots: there are so many that nobody is in the way of anybody else.
 */
export const countingVotes = {
  change: ({ semaphores }: Pick<Core, "semaphores">): void => {
    const acquire = semaphores.acquire.bind(semaphores);
    semaphores.acquire = (request) => acquire({ ...request, limit: request.limit * SLOTS_A_PERMIT });
  },
  substitute: patched(
    "acquire-lease",
    `if limit and held < names and highest_slot > limit then
  local over = above_limit(slot_of(hold(1), field(1)), limit, highest_slot)`,
    `if limit and held < names then
  local over
  local slots, count = (slot_of(hold(1), field(1))), names
  for slot = 1, highest_slot do
    if redis.call('EXISTS', slots .. slot) == 1 then over, count = slots .. slot, count + 1 end
  end
  if count <= limit / ${SLOTS_A_PERMIT} then over = nil end`,
  ),
};
