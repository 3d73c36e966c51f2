import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A request that a receiver of hooks has got. */
export interface Delivery {
  readonly id: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
  readonly body: any;
}

/** A server that hooks tell of events. It answers as its test says; 200, unless said otherwise. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly got: readonly Delivery[];
  /** The types and members of what it got and answered with success, each event once. */
  told(): string[];
  answer(how: (delivery: Delivery) => Answered): void;
}

/** A status, or whatever else is to be done. */
type Answered = number | RequestListener;

/** `tls`: its certificate and key, for `localhost`. */
export async function startReceiver(tls?: {
  readonly cert: string;
  readonly key: string;
}): Promise<Receiver> {
  const got: Delivery[] = [];
  const told = new Map<string, string>();
  let answer: (delivery: Delivery) => Answered = () => 200;
  const listener: RequestListener = (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      const body = JSON.parse(text);
      const delivery = { id: String(request.headers["webhook-id"]), headers: request.headers, text, body };
      got.push(delivery);
      const how = answer(delivery);
      if (typeof how !== "number") return how(request, response);
      response.writeHead(how).end();
      const { type, data } = body;
      if (how < 300) told.set(delivery.id, data?.member ? `${type} ${data.member.id}` : type);
    });
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `${tls ? "https://localhost" : "http://127.0.0.1"}:${(server.address() as AddressInfo).port}/quorate`,
    got,
    told: () => [...told.values()],
    answer: (how) => {
      answer = how;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** As a receiver judges a request, by the documentation. */
export function isGenuine({ headers, text }: Delivery, secret: string): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  const expected = createHmac("sha256", key).update(signed).digest("base64");
  return headers["webhook-signature"] === `v1,${expected}`;
}
