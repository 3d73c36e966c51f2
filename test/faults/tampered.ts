import { createHash } from "node:crypto";
import { type Connect, connectByIoredis } from "../../src/redis/connection.js";
import { BATCHES, SCRIPTS } from "../../src/scripts/scripts.js";

/** What an instance sends to a primary, before it leaves. */
export interface Sending {
  /** Of the primary, in the order of the URLs. */
  readonly place: number;
  /** Name of the script; empty for a command that is none. */
  readonly script: string;
  readonly send: () => Promise<unknown>;
}

/** Puts other texts in the place of scripts; the others are returned as they are. */
export type Substitute = (script: string, text: string) => string;

/**
 * Real connections to real servers, on which scripts are others than they should be, and messages wait, are lost or
 * are answered by somebody else: what makes a canary out of an instance.
 */
export function tampered(
  urls: readonly string[],
  options: { substitute?: Substitute; on?: (sending: Sending) => Promise<unknown> },
): Connect {
  const { substitute = (_, text) => text, on = ({ send }) => send() } = options;
  const all = [...Object.values(SCRIPTS), ...BATCHES.values()].map(({ name: full, text, sha1 }) => {
    const [name = ""] = full.split(" ");
    const other = substitute(name, text);
    return { name, text, sha1, other, otherSha1: createHash("sha1").update(other).digest("hex") };
  });
  return (url, connectOptions) => {
    const connection = connectByIoredis(url, connectOptions);
    const place = urls.indexOf(url);
    return {
      get ready() {
        return connection.ready;
      },
      onChange: (listener) => connection.onChange(listener),
      close: () => connection.close(),
      call: (command, ...args) => {
        const [first, second] = args;
        if (command === "EVALSHA") {
          const script = all.find(({ sha1 }) => sha1 === first);
          const send = () => connection.call(command, script?.otherSha1 ?? "", ...args.slice(1));
          return on({ place, script: script?.name ?? "", send });
        }
        if (command === "SCRIPT" && first === "EXISTS") {
          const other = (digest: unknown) => all.find(({ sha1 }) => sha1 === digest)?.otherSha1 ?? "";
          return connection.call(command, "EXISTS", ...args.slice(1).map(other));
        }
        if (command === "SCRIPT") {
          const script = all.find(({ text }) => text === second);
          return connection.call(command, String(first), script?.other ?? String(second));
        }
        return on({ place, script: "", send: () => connection.call(command, ...args) });
      },
    };
  };
}

/** Holds messages back until it is told to let them go. */
export class Gate {
  readonly #closed = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();

  close(place: number, script: string): void {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#closed.set(`${place}/${script}`, { opened, open });
  }

  open(place: number, script: string): void {
    this.#closed.get(`${place}/${script}`)?.open();
    this.#closed.delete(`${place}/${script}`);
  }

  readonly pass = async ({ place, script, send }: Sending): Promise<unknown> => {
    await this.#closed.get(`${place}/${script}`)?.opened;
    return send();
  };
}
