import type { Primary, Server } from "../types.js";
import type { Examined } from "./examination.js";

/** A primary as the instances see it. */
export interface Seen {
  readonly address: string;
  readonly views: readonly { readonly url: string; readonly primary: Primary; readonly timeoutMs: number }[];
  /** As the first of them tells it. */
  readonly server: NonNullable<Server> | null;
}

/** Each primary once, by its address. */
export function seenBy(examined: readonly Examined[]): Seen[] {
  const views = examined.flatMap(({ url, primaries }) =>
    (primaries?.primaries ?? []).map((primary) => ({
      url,
      primary,
      timeoutMs: primaries?.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    })),
  );
  return [...new Set(views.map(({ primary }) => primary.address))].map((address) => {
    const own = views.filter(({ primary }) => primary.address === address);
    const server = own.map(({ primary }) => primary.server).find((told) => told) ?? null;
    return { address, views: own, server };
  });
}

/** That of instances of earlier versions, which do not tell. */
const COMMAND_TIMEOUT_MS = 100;
