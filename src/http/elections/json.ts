import type { ElectionState } from "../../primitives/election.js";

const texts = new WeakMap<ElectionState, string>();

/** An election as everybody sees it, as JSON: made once for all who are told this state. Its version is not part of it. */
export function electionJson(name: string, state: ElectionState): string {
  const known = texts.get(state);
  if (known !== undefined) return known;
  const { version: _, ...told } = state;
  const text = JSON.stringify({ name, ...told });
  texts.set(state, text);
  return text;
}
