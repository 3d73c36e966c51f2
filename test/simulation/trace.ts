import { SCRIPTS } from "../../src/scripts/scripts.js";
import type { WorldEvent } from "../history/operation.js";
import type { Watch } from "./primary.js";

/** What the instances logged and the primaries were asked, as notes for the history. */
export class Trace {
  readonly notes: WorldEvent[] = [];

  readonly log = (atMs: number, text: string): void => {
    this.notes.push({ kind: "note", atMs, text });
  };

  readonly watch: Watch = (primary, command, args, reply) => {
    if (UNINTERESTING.has(command)) return;
    const script = command === "EVALSHA" ? byDigest.get(args[0] ?? "") : undefined;
    const what = script === undefined ? [command, ...args] : [script, ...args.slice(2)];
    const text = `${primary.name}: ${what.join(" ")} -> ${JSON.stringify(reply)}`;
    this.notes.push({ kind: "note", atMs: primary.nowMs, text });
  };
}

const byDigest = new Map(Object.values(SCRIPTS).map(({ sha1, name }) => [sha1, name]));
const UNINTERESTING = new Set(["SCRIPT", "PING", "INFO", "TIME"]);
