import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Response of a service. The text is Latin-1: everything that the bench sends and reads is ASCII. */
export type Answer = { readonly status: number; readonly body: string };
type Done = (error: Error | null, answer: Answer) => void;

/**
 * One kept-alive connection with one request at a time. It is written for low cost: node:http's client needs more of the
 * machine than the services under test, and would become what is measured.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #done: Done | null = null;
  #text = "";

  constructor(url: string) {
    const { protocol, hostname: host, port } = new URL(url);
    this.#socket =
      protocol === "https:" ? this.#encrypted(host, Number(port)) : this.#plain(host, Number(port));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#finish(new Error("the connection was closed"), NONE));
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** `text`: the whole request. */
  send(text: string, done: Done): void {
    if (this.#socket.destroyed) {
      done(new Error("the connection was closed"), NONE);
    } else {
      this.#done = done;
      this.#socket.write(text, "latin1");
    }
  }

  close(): void {
    this.#done = null;
    this.#socket.destroy();
  }

  #plain(host: string, port: number): Socket {
    return connect({
      host,
      port,
      noDelay: true,
      // Without a stream's machinery: what arrives is in this buffer.
      onread: {
        buffer: Buffer.allocUnsafe(4_096),
        callback: (length, buffer) => {
          this.#read((buffer as Buffer).toString("latin1", 0, length));
          return true;
        },
      },
    });
  }

  /** The certificate is the bench's own. */
  #encrypted(host: string, port: number): Socket {
    const socket = connectTls({ host, port, rejectUnauthorized: false });
    socket.setNoDelay(true);
    return socket.setEncoding("latin1").on("data", (text: string) => this.#read(text));
  }

  #read(text: string): void {
    this.#text = this.#text === "" ? text : this.#text + text;
    const answer = parseAnswer(this.#text);
    if (answer === null) return;
    this.#text = "";
    this.#finish(null, answer);
  }

  #finish(error: Error | null, answer: Answer): void {
    const done = this.#done;
    this.#done = null;
    done?.(error, answer);
  }
}

/** Null if the response is not complete yet. */
export function parseAnswer(text: string): Answer | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const status = Number(text.slice(9, 12));
  const length = /\ncontent-length: *(\d+)/i.exec(text)?.[1];
  const start = headEnd + 4;
  if (length !== undefined) {
    const end = start + Number(length);
    return text.length < end ? null : { status, body: text.slice(start, end) };
  }
  if (!/\ntransfer-encoding: *chunked/i.test(text.slice(0, start))) return { status, body: "" };
  const body = chunked(text, start);
  return body === null ? null : { status, body };
}

function chunked(text: string, start: number): string | null {
  let body = "";
  for (let at = start; ; ) {
    const sizeEnd = text.indexOf("\r\n", at);
    if (sizeEnd < 0) return null;
    const size = Number.parseInt(text.slice(at, sizeEnd), 16);
    const end = sizeEnd + 2 + size;
    if (text.length < end + 2) return null;
    if (size === 0) return body;
    body += text.slice(sizeEnd + 2, end);
    at = end + 2;
  }
}

export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;
}

/** `fields`: more header fields, each with its line end. */
export function post(path: string, body: string, { method = "POST", fields = "" } = {}): string {
  return `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${fields}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

const NONE: Answer = { status: 0, body: "" };
