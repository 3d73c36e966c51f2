import { startCli } from "./cli.js";

/**
 * A command that makes a file with O_EXCL and removes it after a while: one of two at once fails. It says so with 99, an exit
 * code that nothing else here has.
 */
export const exclusively = (file: string): string[] => [
  "sh",
  "-c",
  '(set -C; : > "$1") 2>/dev/null || exit 99; sleep 0.02; rm "$1"',
  "sh",
  file,
];

export interface Together {
  /** How many ended with each exit code. */
  readonly codes: Record<string, number>;
  /** What the first one that failed wrote. */
  readonly err: string;
}

/** Runs `count` times `quorate ...args`, at most `alive` at a time. */
export async function together(
  count: number,
  alive: number,
  args: readonly string[],
  env: Record<string, string>,
  start: (args: readonly string[], env: Record<string, string>) => ReturnType<typeof startCli> = startCli,
): Promise<Together> {
  const codes: Record<string, number> = {};
  let err = "";
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const run = start(args, env);
      const code = String(await run.ended);
      codes[code] = (codes[code] ?? 0) + 1;
      if (code !== "0") err ||= run.err();
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, alive) }, one));
  return { codes, err };
}
