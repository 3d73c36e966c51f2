import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Request } from "../../history/operation.js";
import { HttpClient, type Reply } from "../cluster/http.js";
import type { MemberUser } from "./members.js";

/** A client of what is kept in registers. */
export type Asker = Omit<MemberUser, "service">;

/** One request as it is sent. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Requests of one client, each at one of the instances, and recorded with what came of it. */
export class Requests implements Disposable {
  readonly #http: HttpClient;

  constructor(private readonly user: Asker) {
    this.#http = new HttpClient(user.patienceMs);
  }

  async ask(
    request: Request,
    { method, path, body, headers }: Sent,
    outcomeOf: (reply: Reply) => Outcome,
  ): Promise<Outcome> {
    const { user } = this;
    const { id, url } = user.chance.pick(user.services);
    const waitMs = "waitMs" in request ? (request.waitMs ?? 0) : 0;
    const asking = { client: user.id, instance: id, withinMs: user.withinMs + waitMs };
    const answered = user.recorder.asks(asking, request);
    const outcome = outcomeOf(await this.#http.call(url, method, path, body, headers));
    answered(outcome);
    if (outcome.kind === "no_answer") await sleep(user.thinkMs);
    return outcome;
  }

  /** Again at whichever instance, where nobody knows what came of it: it counts once. */
  async insist(
    request: Request,
    sent: Sent,
    outcomeOf: (reply: Reply) => Outcome,
    triesMax = 2,
  ): Promise<Outcome> {
    let outcome = await this.ask(request, sent, outcomeOf);
    for (let tries = 1; tries < triesMax && isOpen(outcome); tries++) {
      outcome = await this.ask(request, sent, outcomeOf);
    }
    return outcome;
  }

  /** Between two requests. */
  think(): Promise<void> {
    const { chance, thinkMs } = this.user;
    return sleep(chance.between(0.2, 1.8) * thinkMs);
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }
}

export const isOpen = (outcome: Outcome) => outcome.kind === "no_answer" || outcome.kind === "failed";

export const keyHeader = (idempotencyKey: string | undefined): Record<string, string> =>
  idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey };
