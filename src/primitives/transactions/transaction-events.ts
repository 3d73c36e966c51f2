import { firstIdOf, type Transaction, UNDECIDED_MS_MAX } from "../../algorithms/two-phase.js";
import type { Clock } from "../../clock.js";
import { RegisterEvents } from "../registers/events/register-events.js";
import type { RegisterNews } from "../registers/register-news.js";
import type { RegisterPages } from "../registers/register-pages.js";
import { NO_REGISTER, type Registers, toRegister } from "../registers/registers.js";

/**
 * Changes of transactions, as those of the registers that they are. The snapshot has those that are not decided. One whose
 * time is over is told as it is, and is not deleted by who reads it.
 */
export function transactionEvents(
  registers: Pick<Registers, "state">,
  /** They must not delete what has ended either. */
  pages: Pick<RegisterPages, "page" | "heads">,
  news: RegisterNews,
  majority: number,
  clock: Clock,
): RegisterEvents {
  const inspect = async (name: string) => {
    const register = toRegister(await registers.state(name, true));
    return { version: register?.etag ?? NO_REGISTER, register };
  };
  // Older ones are decided, and wait for participants: there may be many of them.
  const from = (group: string, after: string | null) =>
    after ?? group + firstIdOf(clock.wallMicros() / 1_000 - UNDECIDED_MS_MAX);
  const undecided: Pick<RegisterPages, "page" | "heads"> = {
    page: async (group, after, most) => {
      const page = await pages.page(group, from(group, after), most);
      return { ...page, registers: page.registers.filter(({ json }) => isActive(json)) };
    },
    heads: (group, after) => pages.heads(group, after),
  };
  return new RegisterEvents({ inspect }, undecided, news, majority, clock, "transactions");
}

const isActive = (json: string) => (JSON.parse(json) as Transaction).state === "active";
