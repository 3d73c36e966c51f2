import { member1, member2 } from "../members/examples.js";
import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

export const pickRequests = {
  inZone: {
    summary: "The less busy of two, in this zone if possible",
    value: { strategy: "least-load" as const, zone: "eu-1a", exclude: ["search-3"] },
  },
  sticky: {
    summary: "The same member for a user, unless it is too busy",
    value: { strategy: "sticky" as const, key: "user:42", maxLoad: 1.5 },
  },
};

const picked: Answer<typeof schemas.PickedSchema> = {
  members: [member1],
  alternatives: [member2],
  fallbacks: [],
  ageMs: 120,
};
export const picks = { picked: { value: picked } };
