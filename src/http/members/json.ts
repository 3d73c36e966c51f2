import type { Member } from "../../primitives/members/member.js";

const texts = new WeakMap<Member, string>();

/** A member as JSON: made once for all answers from one view. */
export function memberJson(member: Member): string {
  let text = texts.get(member);
  if (text === undefined) {
    text = JSON.stringify(member);
    texts.set(member, text);
  }
  return text;
}
