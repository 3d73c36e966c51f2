/** Whether what the clients of a register were told has an order: each does one thing, so trying all orders is quick. */

import { type Client, IDLE, isDone, type RegistersOptions, type RegistersWorld } from "./registers-world.js";
import { at } from "./world.js";

export function registersJudge(kinds: RegistersOptions["clients"]): (world: RegistersWorld) => string | null {
  const known = new Map<number, boolean>();
  return (world) => {
    const { clients } = world;
    // Only what is told by somebody can be wrong.
    const key = clients.reduce((sum, client) => sum * 512 + toldBy(client), world.shared.expired);
    let fits = known.get(key);
    if (fits === undefined) {
      fits = hasOrder(kinds, clients, world.shared.expired === 1, 0, 0);
      known.set(key, fits);
    }
    return fits ? null : "no order of what clients were told explains it";
  };
}

function toldBy(client: Client): number {
  if (client.phase === IDLE) return 0;
  return 1 + (isDone(client) ? 1 + client.content : 0) * 16 + client.before;
}

/** `done`: the clients that are in the order so far, as bits; `content`: what the register then has. */
function hasOrder(
  kinds: RegistersOptions["clients"],
  clients: readonly Client[],
  mayExpire: boolean,
  done: number,
  content: number,
): boolean {
  if (clients.every((client, i) => !isDone(client) || done & (1 << i))) return true;
  const goOn = clients.some((client, i) => {
    if (done & (1 << i) || client.phase === IDLE) return false;
    if (client.before & ~done) return false;
    const then = after(at(kinds, i), content, i);
    return (
      (!isDone(client) || client.content === then) &&
      hasOrder(kinds, clients, mayExpire, done | (1 << i), then)
    );
  });
  return goOn || (mayExpire && hasOrder(kinds, clients, false, done, 0));
}

/** What a register has after a change by this client. */
export function after(kind: RegistersOptions["clients"][number], content: number, client: number): number {
  if (kind === "append") return content | (1 << client);
  if (kind === "create" && content === 0) return 1 << client;
  return kind === "delete" ? 0 : content;
}
