import { times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, BEFORE, NOW } from "./area.js";
import { closed, services } from "./contenders.js";

/** Five primaries compared with three. */
export const five: Area = {
  name: "five",
  about: "acquire and release by 64 clients with five primaries, against three",
  prepare: async (bench, cleanup) => {
    const contenders = [];
    for (const primaries of [3, 5]) {
      const { instances } = await startDeployment(bench, cleanup, { primaries });
      contenders.push(
        ...services(bench, instances, (url) => closed({ kind: "locks", url }, 64), {
          suffix: `-${primaries}`,
          label: `, ${primaries} primaries`,
        }),
      );
    }
    const ratio = (who: string) => [`${who}-5`, `${who}-3`] as const;
    return {
      settings: ["64 clients", "primaries without persistence"],
      contenders,
      figures: [
        times("throughput with five primaries against three", "perSecond", ratio(NOW), { atLeast: 0.7 }),
        times("the same, before", "perSecond", ratio(BEFORE)),
        times("throughput with five primaries against before", "perSecond", [`${NOW}-5`, `${BEFORE}-5`]),
      ],
    };
  },
};
