import type { Attack } from "../attack.js";
import type { Figures } from "../figures.js";
import { pairs } from "./overload.js";

/** No attack: what the service can do, to compare it with itself. */
export const pace: Attack = {
  name: "pace",
  about: "one client that acquires and releases, then 64, then so many; no bystander",
  clients: 256,
  clientsInTests: 0,
  seconds: 4,
  secondsInTests: 0,
  unwatched: true,
  async run({ urls: [url = ""], clients, seconds }) {
    // What runs for the first time is slow.
    await pairs(url, 8, 1_500);
    const figures: Figures = {};
    for (const count of [1, 64, clients]) {
      const { perSecond, p50, p99, failed } = await pairs(url, count, seconds * 1000);
      figures[`${count}: pairs/s`] = perSecond;
      figures[`${count}: p50 of acquire ms`] = p50;
      figures[`${count}: p99 of acquire ms`] = p99;
      if (failed > 0) figures[`${count}: failed`] = failed;
    }
    return figures;
  },
  broken: () => [],
};
