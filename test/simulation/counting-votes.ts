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
    "acquire-lock",
    "for slot = limit + 1, highest_slot do",
    `local count = names
     for slot = 1, highest_slot do count = count + redis.call('EXISTS', slots .. slot) end
     for slot = 1, count > limit / ${SLOTS_A_PERMIT} and highest_slot or 0 do`,
  ),
};
