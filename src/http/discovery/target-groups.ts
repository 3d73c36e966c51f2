import type { Member } from "../../primitives/members/membership.js";
import type { Slices } from "../responses/sliced-body.js";

/** A group of targets as Prometheus reads it: here of one member. Source: prometheus.io, "HTTP SD". */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** The members of one service. */
export interface ServiceMembers {
  readonly service: string;
  readonly members: readonly Member[];
}

/** The answer as JSON, in the order of the services and their members. */
export function* targetGroupsJson(services: readonly ServiceMembers[], namespace: string): Slices {
  let text = "[";
  let isFirst = true;
  for (const { service, members } of services) {
    for (const member of members) {
      text += `${isFirst ? "" : ","}${JSON.stringify(targetGroup(member, service, namespace))}`;
      isFirst = false;
      if (text.length < SLICE_UNITS_MAX) continue;
      yield text;
      text = "";
    }
  }
  return `${text}]`;
}

export function targetGroup(member: Member, service: string, namespace: string): TargetGroup {
  const { id, address, zone, status, weight, tags, metadata } = member;
  const { target, scheme } = targetOf(address);
  return {
    targets: [target],
    labels: {
      ...(scheme !== null && { __scheme__: scheme }),
      __meta_quorate_namespace: namespace,
      __meta_quorate_service: service,
      __meta_quorate_id: id,
      __meta_quorate_address: address,
      __meta_quorate_status: status,
      __meta_quorate_weight: String(weight),
      ...(zone !== null && { __meta_quorate_zone: zone }),
      // Between separators, so that a regular expression finds a whole tag: `.*,canary,.*`.
      ...(tags.length > 0 && { __meta_quorate_tags: `,${tags.join(",")},` }),
      ...metadataLabels(metadata),
    },
  };
}

/** Prometheus takes a host and a port; what a URL says besides is the scheme. */
function targetOf(address: string): { target: string; scheme: string | null } {
  const [, scheme, host] = /^(https?):\/\/(?:[^/?#]*@)?([^/?#]+)/i.exec(address) ?? [];
  if (scheme === undefined || host === undefined) return { target: address, scheme: null };
  return { target: host, scheme: scheme.toLowerCase() };
}

/** What is text, a number or a boolean at the top of the metadata. Of two names that make one label, the one that needs no change. */
function metadataLabels(metadata: unknown): Record<string, string> {
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) return {};
  const labels = new Map<string, string>();
  const told = Object.entries(metadata).filter(([, value]) => LABELLED.has(typeof value));
  const isLabel = ([name]: [string, unknown]) => /^\w+$/.test(name);
  for (const [name, value] of [...told.filter(isLabel), ...told.filter((one) => !isLabel(one))]) {
    const label = `__meta_quorate_metadata_${name.replaceAll(/\W/g, "_")}`;
    if (!labels.has(label)) labels.set(label, String(value));
  }
  return Object.fromEntries(labels);
}

const LABELLED: ReadonlySet<string> = new Set(["string", "number", "boolean"]);
/** Length of a slice in UTF-16 code units, give or take a member: 1 to 2 ms of work. */
const SLICE_UNITS_MAX = 65_536;
