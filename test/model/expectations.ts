import { expect } from "vitest";
import { type Exploration, explore, type Limits, type Model } from "./explore.js";
import { told } from "./telling.js";
import type { Shape } from "./world.js";

/** Explores all of a model: nothing may be wrong in any state, and everything it is there to show must occur. */
export function expectSound<S extends Shape>(model: Model<S>): Exploration {
  const exploration = explore(model);
  console.log(told(exploration));
  expect(exploration).toMatchObject({ outcome: "exhausted", missed: [] });
  return exploration;
}

/** A wrong variant must be caught, by the checks that the right one passes. */
export function expectCaught<S extends Shape>(
  model: Model<S>,
  violation: RegExp,
  limits: Limits = {},
): Exploration {
  const exploration = explore(model, limits);
  console.log(told(exploration));
  expect(exploration.outcome).toBe("violated");
  expect(exploration.violation).toMatch(violation);
  return exploration;
}
