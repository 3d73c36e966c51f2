import { member1, member2, ringId } from "../members/examples.js";
import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

const owner: Answer<typeof schemas.OwnerSchema> = {
  key: "user:42",
  owner: member2,
  replicas: [member2, member1],
  ringId,
  ageMs: 120,
};
export const keyOwner = { owner: { summary: "With replicas=2", value: owner } };

export const ownersRequests = { keys: { value: { keys: ["user:42", "user:43"], replicas: 2 } } };

const ownersOfTwo: Answer<typeof schemas.OwnersSchema> = {
  owners: [
    { key: "user:42", owner: "search-2", replicas: ["search-2", "search-1"] },
    { key: "user:43", owner: "search-1", replicas: ["search-1", "search-2"] },
  ],
  members: { "search-1": member1, "search-2": member2 },
  ringId,
  ageMs: 120,
};
export const keyOwners = { owners: { value: ownersOfTwo } };
