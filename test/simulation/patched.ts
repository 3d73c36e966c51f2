import { luaNames, luaText } from "../helpers/lua-files.js";

/** Replaces a piece of a Lua file; fails unless it is there, and there alone: else the canary would sing for nothing. */
export function patched(name: string, from: string, to: string): (text: string) => string {
  const found = luaNames().filter((file) => luaText(file).includes(from));
  if (found.join() !== name)
    throw new Error(`the canary finds "${from}" in ${found.join()}, not in ${name} alone`);
  return (text) => text.replace(from, () => to);
}

/** In queues.lua: what becomes free is given to whoever came last. */
export const LAST_FIRST = [
  `  local head, instance = first(queue, queue)
  if not head or`,
  `  local head = redis.call('ZREVRANGE', queue, 0, 0)[1]
  local instance = head and instance_of(head)
  if not head or`,
] as const;

/** Of the idempotency keys of a register only the last is kept. */
export const LAST_KEY_ONLY = patched(
  "accept-register",
  "redis.call('SET', KEYS[2], ARGV[2] .. ARGV[2] .. etag",
  "ARGV[7] = string.gsub(ARGV[7], '^(%d+ %S+ )%[(%b[])[^\\n]*\\n', '%1[%2]\\n')\n" +
    "redis.call('SET', KEYS[2], ARGV[2] .. ARGV[2] .. etag",
);
