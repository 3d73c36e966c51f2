import type { EventWatch } from "../../primitives/members/events/event-watch.js";
import { permittedOf } from "../access/authorization.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { streamed } from "../responses/content.js";
import {
  EVENT_STREAM_HEADERS,
  eventStream,
  KEEP_ALIVE,
  KEEP_ALIVE_MS,
  RETRY,
} from "../responses/event-stream.js";
import { Reply } from "../responses/reply.js";
import { EventsHeaders, EventsQuery } from "../watching/schemas.js";
import { streamSignal } from "../watching/stream-signal.js";
import { bookmark, toldText } from "./event-text.js";
import * as examples from "./examples.js";
import { ServiceParams } from "./schemas.js";

export function memberEventsRoute(routes: Routes, dependencies: Dependencies): void {
  const { log, revocations } = dependencies;
  routes.add({
    method: "get",
    path: "/v1/services/{service}/events",
    operationId: "followMembers",
    needs: { action: "read", kind: "members", names: { inPath: "service" } },
    tags: ["members"],
    summary: "Follow the members of a service",
    description:
      "Server-sent events, as a browser's EventSource reads them. First a snapshot: one `member` for each live member, then `synced`, with their number and the ringId. Then what happens, once a majority of the primaries hold it: `joined`, `updated`, `suspect`, `draining`, `left`, `expired`, with `data` {id, service, member, why}, in order for each member. This id is made of what happened, the same at every instance: whatever comes twice has the same id. `ring-changed` names the latest ringId; it may skip some, and has no id. The stream's own `id:` is a position. Send the last one as Last-Event-ID to go on from there, at any instance: what was missed comes first, then a `bookmark`, which names all `suspects` and the `ringId`. `bookmark` also tells an idle stream its position. An id that is too old, or another service's, gets `reset`, and a snapshot: forget what you knew. A comment comes every 10 to 15 s, unless a bookmark does. A reader that is too slow is ended, with a comment that says so. While no majority answers, nothing is told.",
    request: { params: ServiceParams, headers: EventsHeaders, query: EventsQuery },
    answer: streamed(examples.events),
    isStream: true,
    problems: ["no_quorum"],
    handle: async ({ params: { service }, query, headers }, { memberEvents, namespace }, c) => {
      const since = (headers["last-event-id"] ?? query.lastEventId) || null;
      const permitted = permittedOf(c);
      const watch = await memberEvents.watch(service, since);
      const events = eventStream((gone) => {
        // Where the client has gone, nobody may pull what ends the stream.
        gone.addEventListener("abort", () => watch.end());
        const inner = namespace.inner(service);
        return revocations.stream(permitted, gone, (ended) => watched(dependencies, inner, watch, ended));
      }, log);
      return new Reply(200, events, EVENT_STREAM_HEADERS);
    },
  });
}

async function* watched(
  { clock, random, stopping }: Pick<Dependencies, "clock" | "random" | "stopping">,
  service: string,
  watch: EventWatch,
  gone: AbortSignal,
): AsyncGenerator<string> {
  const { signal, over } = streamSignal(stopping, gone);
  try {
    yield RETRY;
    let known: string | null = null;
    while (!gone.aborted && !stopping.begun) {
      const told = watch.take();
      if (told?.kind === "behind") return yield TOO_SLOW;
      if (told) {
        yield* toldText(service, told);
        if ("position" in told) known = told.position;
        continue;
      }
      const silentForMs = KEEP_ALIVE_MS.min + random() * (KEEP_ALIVE_MS.max - KEEP_ALIVE_MS.min);
      const deadlineMs = clock.monotonicMs() + silentForMs;
      await watch.change(deadlineMs, signal);
      if (gone.aborted || clock.monotonicMs() < deadlineMs) continue;
      const { position } = watch;
      yield position === known ? KEEP_ALIVE : bookmark(service, position);
      known = position;
    }
  } finally {
    over();
    watch.end();
  }
}

const TOO_SLOW = ": too slow: events came faster than they were read; come back with your last id\n\n";
