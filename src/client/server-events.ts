import { failure } from "./errors.js";
import { unlessAborted, type World } from "./world.js";

export interface ServerEvent {
  readonly type: string;
  /** Where somebody is who was told this and all before; null: it has no place. */
  readonly id: string | null;
  readonly data: unknown;
}

/**
 * Server-sent events, those that come together as one list. Ends as the stream does. Throws `unreachable` where that breaks
 * off, or is silent for longer than a live one would be.
 */
export async function* serverEvents(
  { clock }: World,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerEvent[], void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await unlessAborted<Awaited<ReturnType<typeof reader.read>>>(
        signal,
        (resolve, reject) => {
          const broken = (why: string, cause?: unknown) =>
            reject(failure("unreachable", `A stream of events ${why}.`, {}, cause));
          reader.read().then(resolve, (error) => broken("broke off", error));
          return clock.after(SILENT_MS_MAX, () => broken("fell silent"));
        },
      );
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() as string;
      yield blocks.flatMap(parsed);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** None: a comment, or nothing but an advice. */
function parsed(block: string): ServerEvent[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)`, "m").exec(block)?.[1];
  const data = field("data");
  if (data === undefined) return [];
  return [{ type: field("event") ?? "", id: field("id") ?? null, data: JSON.parse(data) }];
}

/** Instances send a comment every 15 s at least. */
const SILENT_MS_MAX = 25_000;
