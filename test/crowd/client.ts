import { connect, type Socket } from "node:net";

/** What came back. Status 0: nothing did; `body` tells why. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** From when it was asked for to its last byte. */
  readonly ms: number;
  /** Its ETag, in quotes; "" where it has none. */
  readonly etag: string;
}

/**
 * HTTP over kept-alive connections, one request at a time on each, as many connections as there are requests at a time.
 * With sockets of its own, since a generator of load by node:http would be slower than the service.
 */
export class Client {
  /** Connections that were refused, and those that broke with a request under way. */
  refused = 0;
  resets = 0;
  readonly #idle: Line[] = [];
  readonly #all = new Set<Line>();
  readonly #host: string;
  readonly #port: number;

  constructor(
    url: string,
    private readonly timeoutMs = 60_000,
  ) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  get connections(): number {
    return this.#all.size;
  }

  get(path: string): Promise<Answer> {
    return this.ask("GET", path);
  }

  post(path: string, body: unknown): Promise<Answer> {
    return this.ask("POST", path, body);
  }

  /** Never rejects. `body` is text as it is, or what becomes JSON. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const startMs = performance.now();
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const type = body === undefined ? "" : "content-type: application/json\r\n";
    const length = method === "GET" ? "" : `content-length: ${Buffer.byteLength(text)}\r\n`;
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const request = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}:${this.#port}\r\n${type}${length}${more.join("")}\r\n${text}`;
    const line = this.#idle.pop() ?? this.#open();
    try {
      const { goesOn, ...got } = await line.send(request, this.timeoutMs);
      if (goesOn) this.#idle.push(line);
      else line.end();
      return { ...got, ms: performance.now() - startMs };
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (code === "ECONNREFUSED") this.refused += 1;
      else if (code !== "ETIMEDOUT") this.resets += 1;
      line.end();
      return { status: 0, body: message, etag: "", ms: performance.now() - startMs };
    }
  }

  /** Opens so many connections ahead of the requests. */
  async warm(count: number): Promise<void> {
    for (let i = 0; i < count; i += 200) {
      const some = Array.from({ length: Math.min(200, count - i) }, () => this.#open());
      await Promise.all(some.map((line) => line.opened.catch(() => {})));
      this.#idle.push(...some);
    }
  }

  /** Ends all connections, with whatever is under way on them. */
  close(): void {
    for (const line of this.#all) line.end();
  }

  #open(): Line {
    const line = new Line(connect({ host: this.#host, port: this.#port, noDelay: true }), () => {
      this.#all.delete(line);
      const place = this.#idle.indexOf(line);
      if (place >= 0) this.#idle.splice(place, 1);
    });
    this.#all.add(line);
    return line;
  }
}

interface Got extends Omit<Answer, "ms"> {
  /** Whether the connection may be used again. */
  readonly goesOn: boolean;
}

/** One connection. */
class Line {
  readonly opened: Promise<void>;
  #parts: Buffer[] = [];
  #length = 0;
  /** Bytes from which on it is worth looking whether the answer is complete. */
  #worthAt = 0;
  #done: ((got: Got) => void) | null = null;
  #fail: ((error: Error) => void) | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Socket,
    onClose: () => void,
  ) {
    this.opened = new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    this.opened.catch(() => {});
    socket.on("data", (part) => this.#take(part));
    socket.on("error", (error) => this.#settle(error));
    socket.on("close", () => {
      onClose();
      this.#settle(Object.assign(new Error("closed without an answer"), { code: "ECONNRESET" }));
    });
  }

  send(request: string, timeoutMs: number): Promise<Got> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#fail = reject;
      if (this.socket.destroyed) {
        this.#settle(Object.assign(new Error("was closed"), { code: "ECONNRESET" }));
        return;
      }
      this.#timer = setTimeout(
        () => this.#settle(Object.assign(new Error(`no answer for ${timeoutMs} ms`), { code: "ETIMEDOUT" })),
        timeoutMs,
      );
      this.socket.write(request);
    });
  }

  end(): void {
    this.socket.destroy();
  }

  #take(part: Buffer): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length < this.#worthAt) return;
    const all = this.#parts.length === 1 ? part : Buffer.concat(this.#parts);
    this.#parts = [all];
    const read = readAnswer(all);
    if (typeof read === "number") {
      this.#worthAt = read;
      return;
    }
    this.#parts = [];
    this.#length = 0;
    this.#worthAt = 0;
    this.#settle(read);
  }

  #settle(how: Got | Error): void {
    clearTimeout(this.#timer);
    const [done, fail] = [this.#done, this.#fail];
    this.#done = null;
    this.#fail = null;
    if (how instanceof Error) fail?.(how);
    else done?.(how);
  }
}

/** The answer, or how many bytes there must be at least for it to be complete. */
function readAnswer(all: Buffer): Got | number {
  const headEnd = all.indexOf("\r\n\r\n");
  if (headEnd < 0) return all.length + 1;
  const head = all.toString("latin1", 0, headEnd).toLowerCase();
  const status = Number(head.slice(9, 12));
  const goesOn = !head.includes("\r\nconnection: close");
  const etag = /\r\netag: ("[^"]*")/.exec(head)?.[1] ?? "";
  const from = headEnd + 4;
  if (head.includes("\r\ntransfer-encoding: chunked")) {
    const body = readChunks(all, from);
    return typeof body === "number" ? body : { status, body, etag, goesOn };
  }
  const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  if (all.length < from + length) return from + length;
  return { status, body: all.toString("utf8", from, from + length), etag, goesOn };
}

function readChunks(all: Buffer, from: number): string | number {
  const parts: Buffer[] = [];
  for (let place = from; ; ) {
    const lineEnd = all.indexOf("\r\n", place);
    if (lineEnd < 0) return all.length + 1;
    const size = Number.parseInt(all.toString("latin1", place, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (all.length < end) return end;
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(all.subarray(lineEnd + 2, lineEnd + 2 + size));
    place = end;
  }
}
