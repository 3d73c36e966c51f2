import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import type { Access, Authentication } from "../../access/access.js";
import type { Principal } from "../../access/key-ring.js";
import type { Clock } from "../../clock.js";
import type { CoordinationError } from "../../errors.js";
import { AUTHENTICATION_UNAVAILABLE, INVALID_CREDENTIAL, NO_CREDENTIAL } from "../failures.js";
import { incomingOf } from "../server/arrivals.js";
import type { ClientCertificates } from "../server/client-certificate.js";
import type { Gate } from "../server/gate.js";
import { whenThere } from "../when-there.js";

/** What is needed to find out who makes a request, and to tell of requests that are refused. */
export interface IdentityWorld {
  readonly access: Access;
  readonly isOpen: (url: string) => boolean;
  readonly clientOf: (peer: string, forwardedFor: string | undefined) => string;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  readonly observer: { unauthenticated(): void };
}

/** Finds out who makes a request: at once for keys, certificates, and JWTs that were verified before. */
export class Identity {
  #refusedSinceLogged = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly world: IdentityWorld) {}

  /**
   * Refuses requests without a valid credential, before anything else of them is judged: path, body, or the load of this
   * instance. `certificates`: of the clients of the server; null: it does not ask for any.
   */
  gate(certificates: ClientCertificates | null): Gate {
    const { access, isOpen } = this.world;
    return (incoming) => {
      if (isOpen(incoming.url ?? "")) return null;
      const { authorization } = incoming.headers;
      const certificate = certificates?.of(incoming)?.peer;
      const identified = access.authenticate({ authorization, certificate });
      return whenThere(identified, (found) => {
        if (found.kind !== "authenticated") return this.#refusal(found, incoming);
        (incoming as Marked)[PRINCIPAL] = found.principal;
        return null;
      });
    };
  }

  /** Who makes the request: as the gate found out, or by its header where it came by no gate. Throws `unauthenticated`. */
  of(c: Context): Principal | Promise<Principal> {
    const incoming: Marked | undefined = incomingOf(c);
    const principal = incoming?.[PRINCIPAL];
    if (principal) return principal;
    const authorization = c.req.header("authorization");
    return whenThere(this.world.access.authenticate({ authorization }), (found) => {
      if (found.kind !== "authenticated") throw this.#refusal(found, incoming);
      return found.principal;
    });
  }

  #refusal(
    found: Exclude<Authentication, { kind: "authenticated" }>,
    incoming: IncomingMessage | undefined,
  ): CoordinationError {
    this.world.observer.unauthenticated();
    this.#tell(found.reason, incoming);
    if (found.kind === "unavailable") return AUTHENTICATION_UNAVAILABLE;
    return found.given ? INVALID_CREDENTIAL : NO_CREDENTIAL;
  }

  /** Logs why, which the client must not learn: at most one line a second, however many requests are refused. */
  #tell(reason: string, incoming: IncomingMessage | undefined): void {
    const { clock, log, clientOf } = this.world;
    this.#refusedSinceLogged += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    const forwardedFor = incoming?.headers["x-forwarded-for"] as string | undefined;
    const address = clientOf(incoming?.socket.remoteAddress ?? "", forwardedFor);
    log.warn(
      { refused: this.#refusedSinceLogged, reason, address },
      "requests without a valid key were refused",
    );
    this.#refusedSinceLogged = 0;
    this.#loggedMs = nowMs;
  }
}

const PRINCIPAL = Symbol("principal");
type Marked = IncomingMessage & { [PRINCIPAL]?: Principal };

const LOG_INTERVAL_MS = 1_000;
