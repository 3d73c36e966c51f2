import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { until } from "./service.js";

export interface ReceivedEvent {
  readonly type: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
  readonly data: any;
}

/** A stream of server-sent events over a socket of its own. */
export interface EventReader extends Disposable {
  readonly response: IncomingMessage;
  /** Everything that came so far, as it came. */
  readonly text: () => string;
  readonly events: () => readonly ReceivedEvent[];
  /** The event at this place, counted from 0, once it is there. */
  at(place: number): Promise<ReceivedEvent>;
  readonly ended: () => boolean;
  /** Cuts the connection. */
  cut(): void;
}

export async function readEvents(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
  const sent: ClientRequest = request(url, { agent: false, headers });
  sent.on("error", () => {}); // what cut() does
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  let ended = false;
  response.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  response.on("end", () => {
    ended = true;
  });
  response.on("error", () => {});
  const events = () => parse(text);
  return {
    response,
    text: () => text,
    events,
    at: async (place) => {
      await until(() => events().length > place, `event ${place} has come`);
      return events()[place] as ReceivedEvent;
    },
    ended: () => ended,
    cut: () => sent.destroy(),
    [Symbol.dispose]: () => sent.destroy(),
  };
}

/** As EventSource reads them: what is complete, without comments. */
function parse(text: string): ReceivedEvent[] {
  return text
    .split("\n\n")
    .slice(0, -1)
    .map((block) => new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string])))
    .filter((fields) => fields.has("data"))
    .map((fields) => ({
      type: fields.get("event") ?? "message",
      id: fields.get("id") ?? "",
      data: JSON.parse(fields.get("data") ?? ""),
    }));
}
