import type { Member } from "../../primitives/members/membership.js";
import type { View } from "../../primitives/rings/owners.js";
import { memberJson } from "../members/json.js";
import type { Slices } from "../responses/sliced-body.js";

/** The answer of GET /v1/services/{service}/owner as JSON. */
export function ownerJson(key: string, replicas: number, { ring, members, ageMs }: View): string {
  const chosen = ring.replicas(key, replicas).map(({ id }) => memberJson(members.get(id) as Member));
  return `{"key":${JSON.stringify(key)},"owner":${chosen[0]},"replicas":[${chosen.join(",")}],"ringId":${JSON.stringify(ring.ringId)},"ageMs":${ageMs}}`;
}

/** The answer of POST /v1/services/{service}/owners as JSON: the ids for each key, and each named member once. */
export function* ownersJson(keys: readonly string[], replicas: number, view: View): Slices {
  const { ring, members, ageMs } = view;
  /** Ids as JSON. */
  const named = new Map<string, string>();
  let text = '{"owners":[';
  let work = 0;
  for (const [index, key] of keys.entries()) {
    const ids = ring.replicas(key, replicas).map(({ id }) => {
      const known = named.get(id);
      if (known !== undefined) return known;
      const json = JSON.stringify(id);
      named.set(id, json);
      return json;
    });
    text += `${index > 0 ? "," : ""}{"key":${JSON.stringify(key)},"owner":${ids[0]},"replicas":[${ids.join(",")}]}`;
    work += 1 + replicas;
    if (work < SLICE_WORK_MAX && text.length < SLICE_UNITS_MAX) continue;
    yield text;
    text = "";
    work = 0;
  }
  text += '],"members":{';
  let isFirst = true;
  for (const [id, json] of named) {
    text += `${isFirst ? "" : ","}${json}:${memberJson(members.get(id) as Member)}`;
    isFirst = false;
    if (text.length < SLICE_UNITS_MAX) continue;
    yield text;
    text = "";
  }
  return `${text}},"ringId":${JSON.stringify(ring.ringId)},"ageMs":${ageMs}}`;
}

/** Keys and the members named for them: 1 to 2 ms of work. */
const SLICE_WORK_MAX = 4_096;
/** Length of a slice in UTF-16 code units, give or take a key or a member. */
const SLICE_UNITS_MAX = 65_536;
