import type { MiddlewareHandler } from "hono";
import type { App } from "./context.js";

/**
 * From now on what `app.openapi` registers for a route runs in turn: first what checks a request, then the handler. Hono
 * nests them, and what is nested stays in memory, 1 KB each, for as long as the handler waits. So a route can have
 * nothing that does its work after the handler.
 */
export function inTurn(app: App): void {
  const on = app.on as (method: unknown, path: unknown, handler: MiddlewareHandler) => App;
  app.on = ((method: unknown, path: unknown, ...handlers: MiddlewareHandler[]) =>
    on(method, path, oneAfterAnother(handlers))) as App["on"];
}

function oneAfterAnother(handlers: readonly MiddlewareHandler[]): MiddlewareHandler {
  const checks = handlers.slice(0, -1);
  const handle = handlers.at(-1) as MiddlewareHandler;
  return async (c, next) => {
    for (const check of checks) {
      const refusal = await check(c, passed);
      if (refusal) return refusal;
    }
    return handle(c, next);
  };
}

async function passed(): Promise<void> {}
