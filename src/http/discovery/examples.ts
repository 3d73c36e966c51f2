import { member1, member2 } from "../members/examples.js";
import type { Answer } from "../typed-examples.js";
import type { TargetGroupsSchema } from "./schemas.js";
import { targetGroup } from "./target-groups.js";

const groups = [member1, member2].map((member) => targetGroup(member, "search", "default")) as Answer<
  typeof TargetGroupsSchema
>;
export const targetGroups = { members: { value: groups } };
