import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { until } from "../helpers/service.js";

/** Whether this machine can give a program a terminal. */
export const hasTerminals = spawnSync("python3", ["-c", "import pty"]).status === 0;

/** A program on a terminal of its own. */
export interface OnTerminal {
  /** What it wrote so far, with all that moves the cursor. */
  readonly screen: () => string;
  /** As typed: "\x03" is Ctrl-C, "\x1a" Ctrl-Z. */
  type(keys: string): void;
  /** Waits until the screen has it, after what an earlier call has found. */
  shows(pattern: RegExp): Promise<void>;
  readonly ended: Promise<number>;
}

export function startOnTerminal(command: readonly string[], env: Record<string, string>): OnTerminal {
  const child = spawn("python3", ["-c", RELAY, ...command], {
    env: { PATH: process.env.PATH, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let screen = "";
  let seen = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
  });
  return {
    screen: () => screen,
    type: (keys) => void child.stdin.write(keys),
    shows: async (pattern) => {
      const find = () => pattern.exec(screen.slice(seen));
      await until(() => find() !== null, String(pattern), 20_000).catch(() => {
        throw new Error(`the screen does not show ${pattern}, but ${JSON.stringify(screen.slice(seen))}`);
      });
      const match = find() as RegExpExecArray;
      seen += match.index + match[0].length;
    },
    ended: once(child, "close").then(([code]) => code as number),
  };
}

/** Starts its arguments on a new terminal, and passes on what is typed and shown. Ends as they do, and ends them with its input. */
const RELAY = `
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
reading = [0, terminal]
while True:
    for each in select.select(reading, [], [])[0]:
        try:
            data = os.read(each, 4096)
        except OSError:
            data = b""
        if each == 0:
            if data:
                os.write(terminal, data)
            else:
                os.kill(pid, 9)
                reading.remove(0)
        elif data:
            os.write(1, data)
        else:
            status = os.waitpid(pid, 0)[1]
            sys.exit(os.waitstatus_to_exitcode(status) % 256)
`;
