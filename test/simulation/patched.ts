import { luaText } from "../helpers/lua-files.js";

/** Replaces a piece of a script; fails where it is not there any more, since then the canary would sing for nothing. */
export function patched(name: string, from: string, to: string): (text: string) => string {
  const file = luaText(name);
  if (!file.includes(from)) throw new Error(`the canary does not find "${from}" in ${name}.lua`);
  return (text) => (text.includes(file) ? text.replace(from, () => to) : text);
}

/** In queues.lua: what becomes free is given to whoever came last. */
export const LAST_FIRST = [
  `  local head, instance = first(queue, queue)
  if not head or`,
  `  local head = redis.call('ZREVRANGE', queue, 0, 0)[1]
  local instance = head and instance_of(head)
  if not head or`,
] as const;
