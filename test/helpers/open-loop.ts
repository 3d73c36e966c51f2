import { connect, type Socket } from "node:net";

/** What was answered; null: the connection was lost. */
export type Answered = { readonly status: number; readonly body: string } | null;

/**
 * Keeps connections and sends on a free one, or opens one more: what comes does not wait for what came before. Raw
 * sockets: node:http's own client would need more of the machine than the service that it is to load.
 */
export class Crowd {
  readonly #free: Line[] = [];
  readonly #all = new Set<Line>();
  readonly #host: string;
  readonly #port: number;
  /** Connections that were lost while a request was under way. */
  lost = 0;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  get connections(): number {
    return this.#all.size;
  }

  send(method: "GET" | "POST" | "PUT", path: string, body: string, done: (answer: Answered) => void): void {
    const line = this.#free.pop() ?? this.#open();
    const content = body === "" ? "" : `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
    line.send(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${content}\r\n${body}`, (answer) => {
      if (answer) this.#free.push(line);
      else {
        this.lost += 1;
        this.#all.delete(line);
      }
      done(answer);
    });
  }

  /** The same as a promise. */
  call(method: "GET" | "POST" | "PUT", path: string, body = ""): Promise<Answered> {
    return new Promise((resolve) => this.send(method, path, body, resolve));
  }

  /**
   * Opens so many connections and waits until each was answered on. A loaded event loop accepts one a turn (libuv 1.46),
   * which is another matter than how it serves those it has.
   */
  async open(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 200)
      await Promise.all(Array.from({ length: Math.min(200, left) }, () => this.#first("/livez")));
  }

  #first(path: string): Promise<void> {
    const line = this.#open();
    return new Promise((resolve) => {
      line.send(`GET ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n\r\n`, (answer) => {
        if (answer) this.#free.push(line);
        else this.#all.delete(line);
        resolve();
      });
    });
  }

  hangUp(): void {
    for (const line of this.#all) line.hangUp();
    this.#all.clear();
    this.#free.length = 0;
  }

  #open(): Line {
    const line = new Line(connect({ host: this.#host, port: this.#port, noDelay: true }));
    this.#all.add(line);
    return line;
  }
}

/** One connection, with one request at a time. */
class Line {
  #done: ((answer: Answered) => void) | null = null;
  #text = "";

  constructor(private readonly socket: Socket) {
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", () => {});
    socket.on("close", () => this.#finish(null));
  }

  send(text: string, done: (answer: Answered) => void): void {
    this.#done = done;
    this.socket.write(text, "latin1");
  }

  hangUp(): void {
    this.#done = null;
    this.socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    const headEnds = this.#text.indexOf("\r\n\r\n");
    if (headEnds < 0) return;
    const length = Number(/\ncontent-length: *(\d+)/i.exec(this.#text)?.[1] ?? 0);
    const ends = headEnds + 4 + length;
    if (this.#text.length < ends) return;
    const answer = { status: Number(this.#text.slice(9, 12)), body: this.#text.slice(headEnds + 4, ends) };
    this.#text = "";
    this.#finish(answer);
  }

  #finish(answer: Answered): void {
    const done = this.#done;
    this.#done = null;
    done?.(answer);
  }
}
