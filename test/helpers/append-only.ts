/** The file that a server appends to now, of all paths in its data folder: others have a later end, or none. */
export function latestAppendOnly(paths: readonly string[]): string {
  const files = paths.filter((path) => /\.incr\.aof$|(^|\/)appendonly\.aof$/.test(path));
  const latest = files.sort((a, b) => generation(a) - generation(b)).at(-1);
  if (latest === undefined) throw new Error(`no append-only file in ${paths.join(", ")}`);
  return latest;
}

/** `appendonly.aof.3.incr.aof` -> 3 */
const generation = (path: string): number => Number(/\.(\d+)\.incr\.aof$/.exec(path)?.[1] ?? 0);

/** A file in a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly header: Buffer;
  readonly content: Buffer;
}

/** The plain files of an archive. */
export function tarEntries(archive: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = Number.parseInt(text(header, SIZE_AT, 12), 8);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (text(header, TYPE_AT, 1) === "0") entries.push({ name: text(header, 0, 100), header, content });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return entries;
}

/** An archive of one file, with the owner and rights that its header says, whatever length the content has now. */
export function tarOf({ header, content }: TarEntry): Buffer {
  const own = Buffer.from(header);
  own.write(`${content.length.toString(8).padStart(11, "0")}\0`, SIZE_AT, "latin1");
  own.write(" ".repeat(8), SUM_AT, "latin1");
  const sum = own.reduce((total, byte) => total + byte, 0);
  own.write(`${sum.toString(8).padStart(6, "0")}\0 `, SUM_AT, "latin1");
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([own, content, padding, Buffer.alloc(2 * BLOCK)]);
}

function text(header: Buffer, at: number, length: number): string {
  return header
    .subarray(at, at + length)
    .toString("latin1")
    .replace(/\0.*$/s, "")
    .trim();
}

const BLOCK = 512;
const SIZE_AT = 124;
const SUM_AT = 148;
const TYPE_AT = 156;
