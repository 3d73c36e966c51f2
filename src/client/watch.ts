import { changes, mayChange, pause } from "./changes.js";
import { QuorateError } from "./errors.js";
import type { CallOptions, Transport } from "./transport.js";
import type { Member, MemberStatus, Members } from "./types.js";

export interface WatchOptions extends CallOptions {
  /** Only members with this status. */
  readonly status?: MemberStatus | undefined;
  /** Only members of this zone. */
  readonly zone?: string | undefined;
  /** Only members with this tag. */
  readonly tag?: string | undefined;
}

/** The members of a service at one time, in the order of their ids. */
export interface WatchedMembers {
  readonly members: readonly Member[];
  /** Names what the owners of keys depend on. */
  readonly ringId: string;
}

/** The members of a service that match, now and whenever they change. */
export async function* watch(
  transport: Transport,
  service: string,
  { status, zone, tag, ...options }: WatchOptions,
): AsyncGenerator<WatchedMembers, never, void> {
  const filters = Object.entries({ status, zone, tag }).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(value)}&`,
  );
  const path = `/services/${encodeURIComponent(service)}/members?${filters.join("")}`;
  const pages = changes<Members>(transport, path, "members", options);
  for (;;) {
    const { members, ringId, cursor } = (await pages.next()).value;
    yield { members: [...members, ...(await others(transport, path, cursor, options))], ringId };
  }
}

/** The members of the pages after the first. What changes meanwhile changes the first page as well. */
async function others(
  transport: Transport,
  path: string,
  from: string | null,
  options: CallOptions,
): Promise<Member[]> {
  const members: Member[] = [];
  for (let cursor = from; cursor !== null; ) {
    try {
      const { body }: { readonly body: Members } = await transport.send<Members>({
        method: "GET",
        path: `${path}cursor=${encodeURIComponent(cursor)}`,
        answerHas: "members",
        ...transport.limits(options),
      });
      members.push(...body.members);
      ({ cursor } = body);
    } catch (error) {
      if (options.signal?.aborted || !(error instanceof QuorateError && mayChange(error))) throw error;
      await pause(transport, options.signal);
    }
  }
  return members;
}
