import { z } from "zod";
import { commandLine, flag, positive, whole } from "../scripts/command-line.js";
import { AREAS } from "./areas/all.js";

const USAGE = `npm run bench -- [--only AREA,...] [--before DIR|REV] [--peers none] [--seconds S] [--rounds N] [--out DIR]
  --only     some areas, with commas between:
${AREAS.map(({ name, about }) => `               ${name.padEnd(11)} ${about}`).join("\n")}
  --before   another state of the service that takes turns with this one: a directory, or a revision of this repository
  --peers    all that are installed (all), or none: this service and the one before it alone
  --seconds  how long each contender is measured, over all rounds together (20)
  --rounds   how often the contenders take turns (10)
  --locks    live locks in the area "many" (100000)
  --until-gone  in the area "many", wait eleven minutes until all have ended, and tell how much memory is back
  --rate     pairs per second in the area "open" (40 % of what 64 clients reach)
  --out      folder for latest.json and latest.svg (bench/results)`;

/** The options of `npm run bench`. Ends the process where they cannot be understood. */
export function benchOptions() {
  const {
    only,
    "until-gone": untilGone,
    ...rest
  } = commandLine(USAGE, {
    only: z
      .string()
      .transform((text) => text.split(","))
      .pipe(z.array(z.enum(AREAS.map(({ name }) => name))))
      .optional(),
    before: z.string().min(1).optional(),
    peers: z.enum(["all", "none"]).default("all"),
    seconds: positive.default(20),
    rounds: whole(1).default(10),
    locks: whole(1_000).default(100_000),
    "until-gone": flag,
    rate: positive.optional(),
    out: z.string().default("bench/results"),
  });
  const areas = only ? AREAS.filter(({ name }) => only.includes(name)) : AREAS;
  return { ...rest, untilGone, areas, turnMs: (rest.seconds * 1_000) / rest.rounds };
}
