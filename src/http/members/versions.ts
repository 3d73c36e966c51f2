import { etagOf, type Version } from "../../primitives/members/member-failures.js";
import { type Reply, versionedReply } from "../responses/reply.js";

/** The answer of a route with the version of the member that it tells. */
export function versioned<A extends object>(answer: A) {
  const ETag = { description: "Names its incarnation and revision.", schema: { type: "string" as const } };
  return { ...answer, headers: { ETag } };
}

export function withVersion(member: Version, status = 200): Reply {
  return versionedReply(member, etagOf(member), status);
}

/** Whether an If-Match names a version; undefined: any may be. Compares strongly, as RFC 9110 wants. */
export function expected(ifMatch: string | undefined): ((version: Version) => boolean) | undefined {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  const tags = ifMatch.split(",").map((tag) => tag.trim());
  return (version) => tags.includes(etagOf(version));
}
