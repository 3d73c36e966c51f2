import { connect } from "node:net";

/** What came back over a raw connection, up to its end. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
  readonly body: any;
  readonly afterMs: number;
}

/** Sends exactly these bytes; resolves when the other end has ended the connection. `end`: says then that no more comes. */
export function sendRaw(
  url: string,
  bytes: string | Buffer,
  { end = false } = {},
): Promise<RawAnswer | null> {
  return new Promise((resolve, reject) => {
    const beganMs = performance.now();
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.on("error", reject);
    socket.on("end", () => {
      socket.end();
      resolve(text === "" ? null : { ...parse(text), afterMs: performance.now() - beganMs });
    });
    if (end) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** The first answer in what was received. */
export function parse(text: string): Omit<RawAnswer, "afterMs"> {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const headers = new Headers(lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
  const isJson = /json/.test(headers.get("content-type") ?? "");
  return { status: Number(first.split(" ")[1]), headers, body: isJson ? JSON.parse(body) : body };
}
