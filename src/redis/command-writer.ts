/**
 * Writes commands in the protocol of Redis, one behind the other, as the bytes that are sent. Text that is put together and
 * encoded by the socket costs twice as much time, and a string object for each piece of each argument.
 */
export class CommandWriter {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Where the bytes begin that were not taken yet, and where the next goes. */
  #from = 0;
  #at = 0;
  /** Bytes in chunks before this one. */
  #full: Buffer[] = [];

  /** Whether everything was taken. */
  get empty(): boolean {
    return this.#at === this.#from && this.#full.length === 0;
  }

  add(command: string, args: readonly (string | number)[]): void {
    let bytesMax = COUNT_BYTES_MAX + argBytesMax(command);
    for (const arg of args) bytesMax += argBytesMax(arg);
    if (this.#at + bytesMax > this.#chunk.length) this.#nextChunk(bytesMax);
    this.#line(ARRAY, args.length + 1);
    this.#arg(command);
    for (const arg of args) this.#arg(typeof arg === "string" ? arg : String(arg));
  }

  /** All bytes that were not taken yet. They are never written again. */
  take(): readonly Buffer[] {
    const taken = this.#full;
    this.#full = [];
    if (this.#at > this.#from) taken.push(this.#chunk.subarray(this.#from, this.#at));
    this.#from = this.#at;
    return taken;
  }

  #nextChunk(bytes: number): void {
    this.#full = this.take() as Buffer[];
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
    this.#from = 0;
    this.#at = 0;
  }

  #arg(text: string): void {
    const start = this.#at;
    this.#line(BULK, text.length);
    // Nearly all text is short and ASCII, and a call of Buffer costs more than to copy it here.
    if (text.length > COPIED_MAX || !this.#copied(text)) {
      this.#at = start;
      this.#line(BULK, Buffer.byteLength(text));
      this.#at += this.#chunk.write(text, this.#at);
    }
    this.#end();
  }

  /** Whether the text is ASCII. */
  #copied(text: string): boolean {
    const chunk = this.#chunk;
    const start = this.#at;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      chunk[start + i] = code;
    }
    this.#at = start + text.length;
    return true;
  }

  /** What follows, and how many of it. */
  #line(kind: number, count: number): void {
    this.#chunk[this.#at++] = kind;
    if (count > 9) {
      if (count > 99)
        for (const digit of String(Math.floor(count / 100))) this.#chunk[this.#at++] = ZERO + Number(digit);
      this.#chunk[this.#at++] = ZERO + (Math.floor(count / 10) % 10);
    }
    this.#chunk[this.#at++] = ZERO + (count % 10);
    this.#end();
  }

  #end(): void {
    this.#chunk[this.#at++] = 13;
    this.#chunk[this.#at++] = 10;
  }
}

/** The most that an argument takes: up to three bytes for each UTF-16 unit, its length and the ends of two lines. */
const argBytesMax = (arg: string | number) =>
  typeof arg === "string" ? 3 * arg.length + COUNT_BYTES_MAX + 2 : 2 * COUNT_BYTES_MAX + 10;

const COUNT_BYTES_MAX = 16;
/** Some hundred commands. */
const CHUNK_BYTES = 65_536;
const COPIED_MAX = 128;
const ARRAY = "*".charCodeAt(0);
const BULK = "$".charCodeAt(0);
const ZERO = "0".charCodeAt(0);
