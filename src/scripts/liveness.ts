/**
 * How primaries detect dead service instances, and instances detect lost notifications. TypeScript and Lua share these
 * values; Lua gets them in front of lib/queues.lua. They ensure that the queue entries of an instance that died are given
 * up, and the next waiter may be granted the name, within two seconds.
 */

/** The first waiter of each queue is checked this often, in case a notification was lost. */
export const POLL_MS = 800;
/** An instance with waiters sends every primary a keepalive this often. */
export const KEEPALIVE_MS = POLL_MS / 2;
/** A primary hands off only to an instance heard from this recently: a dead one would hold the name for its whole ttl. */
export const HANDOFF_WITHIN_MS = 600;
/** An instance that a primary has not heard from for this long is dead: its queue entries are given up. */
export const ALIVE_MS = 1_200;

/** The same for lib/queues.lua. */
export const LIVENESS_LUA = `local ALIVE_MS, HANDOFF_WITHIN_MS = ${ALIVE_MS}, ${HANDOFF_WITHIN_MS}`;
