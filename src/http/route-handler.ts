import type { Context, MiddlewareHandler } from "hono";
import type { App, Env } from "./context.js";

/** What answers a request, whatever there is to be checked first. Throws where the answer is a failure. */
export type Answer = (c: Context<Env>) => Promise<Response>;

/**
 * From now on `app.on`, and so `app.openapi`, makes one handler of what it is given for a route: `around` what checks the
 * request and, after that, the handler itself. Hono would nest all of them, and keep 1 KB of each for as long as the
 * handler waits.
 */
export function oneHandlerEach(app: App, around: (answer: Answer) => Answer): void {
  const on = app.on as unknown as On;
  const onWithOne: On = (method, path, ...handlers) => on(method, path, around(inTurn(handlers)));
  app.on = onWithOne as unknown as App["on"];
}

/** As Hono has it for the type checker, in a few dozen forms. */
type On = (method: unknown, path: unknown, ...handlers: readonly Handler[]) => unknown;
type Handler = MiddlewareHandler<Env> | Answer;

/** A check answers, throws or lets pass, and has nothing to do afterwards. */
function inTurn(handlers: readonly Handler[]): Answer {
  const checks = handlers.slice(0, -1) as MiddlewareHandler<Env>[];
  const handle = handlers.at(-1) as Answer;
  return async (c) => {
    for (const check of checks) {
      const refusal = await check(c, passed);
      if (refusal) return refusal;
    }
    return handle(c);
  };
}

async function passed(): Promise<void> {}
