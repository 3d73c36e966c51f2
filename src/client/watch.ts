import { changes, mayChange, pause } from "./changes.js";
import { QuorateError } from "./errors.js";
import { MemberState, type WatchedMember, type WatchedMembers } from "./member-state.js";
import { serverEvents } from "./server-events.js";
import type { CallOptions, Transport } from "./transport.js";
import type { Member, MemberStatus, Members } from "./types.js";
import { sleep } from "./world.js";

export interface WatchOptions extends CallOptions {
  /** Only members with this status. */
  readonly status?: MemberStatus | undefined;
  /** Only members of this zone. */
  readonly zone?: string | undefined;
  /** Only members with this tag. */
  readonly tag?: string | undefined;
}

type Watching = AsyncGenerator<WatchedMembers, never, void>;

/**
 * The members of a service that match, now and whenever they change: by the events of the service, or, where `fetch` cannot
 * read these, by asking again and again. `answers`: called when no instance answers, which are then asked again, and with null when
 * one does.
 */
export async function* watch(
  transport: Transport,
  service: string,
  options: WatchOptions,
  answers?: (failure: QuorateError | null) => void,
): Watching {
  const { clock, random, streams } = transport.world;
  const { status, zone, tag, signal } = options;
  const matches = (member: WatchedMember) =>
    (status === undefined || member.status === status) &&
    (zone === undefined || member.zone === zone) &&
    (tag === undefined || member.tags.includes(tag));
  const state = new MemberState(matches, status === undefined && zone === undefined && tag === undefined);
  let isHeard = !streams;
  let since: string | null = null;
  for (let breaks = 0; streams; breaks++) {
    let sinceMs = Number.POSITIVE_INFINITY;
    try {
      const body = await open(transport, service, since, options);
      sinceMs = clock.monotonicMs();
      answers?.(null);
      state.begin();
      for await (const events of serverEvents(transport.world, body, signal)) {
        isHeard = true;
        for (const { id } of events) since = id ?? since;
        const list = state.after(events);
        if (list) yield list;
      }
    } catch (error) {
      if (signal?.aborted || !(error instanceof QuorateError && mayChange(error))) throw error;
      if (sinceMs > clock.monotonicMs()) answers?.(error);
      // A proxy holds back what it should pass on.
      else if (!isHeard) break;
    }
    if (clock.monotonicMs() - sinceMs > STEADY_MS) breaks = 0;
    await sleep(clock, random() * Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** breaks), signal);
  }
  return yield* byLists(transport, service, options);
}

/** The events of a service, from where their reader is. */
async function open(
  transport: Transport,
  service: string,
  since: string | null,
  options: CallOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { body } = await transport.send<ReadableStream<Uint8Array>>({
    method: "GET",
    path: `/services/${encodeURIComponent(service)}/events`,
    ...(since !== null && { headers: { "last-event-id": since } }),
    isStream: true,
    ...transport.limits(options),
    limitMs: () => OPEN_MS,
  });
  return body;
}

async function* byLists(
  transport: Transport,
  service: string,
  { status, zone, tag, ...options }: WatchOptions,
): Watching {
  const filters = Object.entries({ status, zone, tag }).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(value)}&`,
  );
  const path = `/services/${encodeURIComponent(service)}/members?${filters.join("")}`;
  const pages = changes<Members>(transport, path, "members", options);
  for (;;) {
    const { members, ringId, cursor } = (await pages.next()).value;
    yield { members: [...members, ...(await others(transport, path, cursor, options))], ringId, events: [] };
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

/** An instance that nobody asked for this service may have to read all of it first. */
const OPEN_MS = 5_000;
/** What lasted for so long was no failure of its own. */
const STEADY_MS = 10_000;
/** All who watch an instance that stops come back at once: not in the same moment. */
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8_000;
