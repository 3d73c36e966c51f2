import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./service.js";

/** A real pipe, for the output of a process: it is read when a test says so, and only then. */
export interface Pipe extends AsyncDisposable {
  readonly writeEnd: number;
  /** Takes what is there; everything that was read so far. */
  read(): Promise<string>;
  /** Reads until the process says where it listens. */
  url(): Promise<string>;
  /** The reader goes. */
  close(): Promise<void>;
}

export async function openPipe(): Promise<Pipe> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-pipe-"));
  const path = join(dir, "pipe");
  execFileSync("mkfifo", [path]);
  // Neither of them waits for the other end, since the reader comes first.
  let readEnd: number | undefined = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  await rm(dir, { recursive: true });
  const chunk = Buffer.alloc(65_536);
  const chunks: Buffer[] = [];
  const take = (): boolean => {
    try {
      const length = readEnd === undefined ? 0 : readSync(readEnd, chunk);
      chunks.push(Buffer.from(chunk.subarray(0, length)));
      return length > 0;
    } catch {
      return false; // EAGAIN: there is nothing now
    }
  };
  const pipe: Pipe = {
    writeEnd,
    read: async () => {
      while (take());
      return Buffer.concat(chunks).toString();
    },
    url: async () => {
      await until(async () => (await pipe.read()).includes("listens on"), "it listens", 15_000);
      return /listens on (http:\S+)/.exec(await pipe.read())?.[1] as string;
    },
    close: async () => {
      if (readEnd === undefined) return;
      closeSync(readEnd);
      closeSync(writeEnd);
      readEnd = undefined;
    },
    [Symbol.asyncDispose]: () => pipe.close(),
  };
  return pipe;
}
