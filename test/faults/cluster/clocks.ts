import { execFile } from "node:child_process";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Clocks of server processes that can be made to jump. */
export interface Clocks extends AsyncDisposable {
  /** What the server at this place must be started with. */
  env(place: number): Record<string, string>;
  /** Sets the wall clock of the server at this place, from now on, by so much more. Negative: back. */
  jump(place: number, ms: number): Promise<void>;
}

/** Compiles native/clock.c. Null where there is no C compiler, or where its library cannot be preloaded. */
export async function startClocks(count: number): Promise<Clocks | null> {
  if (process.platform !== "linux") return null;
  const dir = await mkdtemp(join(tmpdir(), "quorate-clocks-"));
  const library = join(dir, "clock.so");
  const source = fileURLToPath(new URL("native/clock.c", import.meta.url));
  const compiled = await promisify(execFile)(process.env.CC ?? "cc", [
    "-shared",
    "-fPIC",
    "-O2",
    "-o",
    library,
    source,
    "-ldl",
  ]).catch(() => undefined);
  if (compiled === undefined) {
    await rm(dir, { recursive: true, force: true });
    return null;
  }
  const fileOf = (place: number) => join(dir, `offset-${place}`);
  const offsetsUs = new Array<bigint>(count).fill(0n);
  const files: FileHandle[] = await Promise.all(
    offsetsUs.map(async (_, place) => {
      const file = await open(fileOf(place), "w+");
      await file.write(Buffer.alloc(8), 0, 8, 0);
      return file;
    }),
  );
  return {
    env: (place) => ({ LD_PRELOAD: library, FAULT_CLOCK_FILE: fileOf(place) }),
    jump: async (place, ms) => {
      const us = (offsetsUs[place] ?? 0n) + BigInt(Math.round(ms * 1000));
      offsetsUs[place] = us;
      // The byte order of every machine that this runs on.
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(us);
      await files[place]?.write(bytes, 0, 8, 0);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(files.map((file) => file.close()));
      await rm(dir, { recursive: true, force: true });
    },
  };
}
