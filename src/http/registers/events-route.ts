import { CoordinationError } from "../../errors.js";
import type { RegisterWatch, Told } from "../../primitives/registers/events/register-watch.js";
import { grantedTo, permittedOf } from "../access/authorization.js";
import { beginningOf } from "../access/readable-page.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { streamed } from "../responses/content.js";
import {
  EVENT_STREAM_HEADERS,
  eventStream,
  KEEP_ALIVE,
  KEEP_ALIVE_MS,
  RETRY,
  toEvent,
} from "../responses/event-stream.js";
import { Reply } from "../responses/reply.js";
import * as examples from "./examples.js";
import { registerText } from "./list-route.js";
import { FollowRegistersQuery } from "./schemas.js";

export function registerEventsRoute(routes: Routes, dependencies: Dependencies): void {
  const { log, revocations } = dependencies;
  routes.add({
    method: "get",
    path: "/v1/register-events",
    operationId: "followRegisters",
    needs: { action: "read", kind: "registers", names: "listed" },
    tags: ["registers"],
    summary: "Follow registers",
    description:
      "Server-sent events, as a browser's EventSource reads them. First a snapshot: one `register` for each that is there, with the data of the list, then `synced`, with their number. Then the latest version of whatever changes: `changed`, with the same data, and `deleted`, with the key. Versions in between may be left out, and one may be told twice, with the same etag. There are no ids: after a break comes a new snapshot, so forget what it does not have. A comment comes every 10 to 15 s. A reader that is too slow is ended, with a comment that says so. While no majority answers, nothing is told.",
    request: { query: FollowRegistersQuery },
    answer: streamed(examples.events),
    isStream: true,
    problems: ["no_quorum"],
    handle: async ({ query: { prefix = "" } }, { registerEvents }, c) => {
      const granted = grantedTo(c);
      const permitted = permittedOf(c);
      const beginning = beginningOf(granted, prefix);
      const watch = await registerEvents.watch(beginning ?? NOTHING, (key) => granted.match(key));
      const events = eventStream((gone) => {
        // Where the client has gone, nobody may pull what ends the stream.
        gone.addEventListener("abort", () => watch.end());
        const toText = (told: Told) => eventsText(told, registerEvents.keyOf);
        return revocations.stream(permitted, gone, (ended) => watched(dependencies, watch, toText, ended));
      }, log);
      return new Reply(200, events, EVENT_STREAM_HEADERS);
    },
  });
}

async function* watched(
  { clock, random, stopping }: Pick<Dependencies, "clock" | "random" | "stopping">,
  watch: RegisterWatch,
  toText: (told: Told) => string,
  gone: AbortSignal,
): AsyncGenerator<string> {
  // Once for the whole stream: for each event it would cost as much as the event.
  let over = () => {};
  let signal = gone;
  void stopping.during(gone, (both) => {
    signal = both;
    return new Promise<void>((resolve) => {
      over = resolve;
    });
  });
  const silentUntilMs = () =>
    clock.monotonicMs() + KEEP_ALIVE_MS.min + random() * (KEEP_ALIVE_MS.max - KEEP_ALIVE_MS.min);
  try {
    yield RETRY;
    let deadlineMs = silentUntilMs();
    while (!gone.aborted && !stopping.begun) {
      const told = await taken(watch);
      if (told === "later") await clock.sleep(RETRY_MS, signal).catch(() => {});
      else if (told) {
        const text = toText(told);
        if (text !== "") yield text;
        if (told.kind === "behind") return;
        if (text !== "") deadlineMs = silentUntilMs();
      } else await watch.change(deadlineMs, signal);
      if (clock.monotonicMs() < deadlineMs) continue;
      yield KEEP_ALIVE;
      deadlineMs = silentUntilMs();
    }
  } finally {
    over();
    watch.end();
  }
}

/** What the watcher is told next; null: nothing for now. While no majority answers, the snapshot has to wait. */
async function taken(watch: RegisterWatch): Promise<Told | null | "later"> {
  try {
    return await watch.take();
  } catch (error) {
    if (error instanceof CoordinationError) return "later";
    throw error;
  }
}

function eventsText(told: Told, keyOf: (name: string) => string): string {
  switch (told.kind) {
    case "snapshot":
      return told.registers
        .map((one) => toEvent("register", null, registerText({ ...one, name: keyOf(one.name) })))
        .join("");
    case "synced":
      return toEvent("synced", null, `{"registers":${told.count}}`);
    case "changes":
      return told.changes
        .map(({ name, register }) => {
          const key = keyOf(name);
          if (!register) return toEvent("deleted", null, `{"key":${JSON.stringify(key)}}`);
          return toEvent("changed", null, registerText({ ...register, name: key }));
        })
        .join("");
    case "behind":
      return TOO_SLOW;
  }
}

const TOO_SLOW = ": too slow: registers changed faster than they were read; come back for a new snapshot\n\n";
/** No key begins so. */
const NOTHING = "\n";
/** While no majority answers. */
const RETRY_MS = 500;
