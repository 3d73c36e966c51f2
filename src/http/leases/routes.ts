import type { z } from "@hono/zod-openapi";
import type { ErrorCode } from "../../errors.js";
import type { Held } from "../../primitives/leases/lease-terms.js";
import { bodyProblems } from "../problem.js";
import type { Routes } from "../registration.js";
import type { Body, Json } from "../responses/content.js";
import { type OfClient, ofClient } from "../server/admission.js";
import { held } from "./held.js";

/** What differs in the three routes of a family of leases: of a lock, several locks, permits, or a term of office. */
export interface LeaseFamily<
  P extends z.ZodObject,
  L extends z.ZodType,
  A extends z.ZodType,
  N extends z.ZodType,
  R extends z.ZodType,
  E extends z.ZodType,
> {
  readonly tag: string;
  /** What the verbs follow. */
  readonly path: string;
  /** Of the path. */
  readonly params?: P;
  /** What a grant and a renewal answer. */
  readonly lease: Json<L>;
  readonly acquire: Operation<A> & {
    call(
      params: z.output<P>,
      body: z.output<A>,
      client: OfClient,
    ): Promise<{ readonly kind: "acquired"; readonly lease: z.output<L> } | Held>;
    /** The beginning of the detail of `held`. */
    heldText(params: z.output<P>): string;
  };
  readonly renew: Operation<N> & {
    call(params: z.output<P>, body: z.output<N>): Promise<z.output<L>>;
  };
  /** Registers what else its holder can do; described between renewing and releasing. */
  readonly whileHeld?: () => void;
  readonly release: Operation<R> & {
    readonly answer: Json<E>;
    call(params: z.output<P>, body: z.output<R>): Promise<z.output<E>>;
  };
}

interface Operation<B extends z.ZodType> {
  /** The end of the path. */
  readonly verb: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly body: Body<B>;
  /** Problems that not all families have. */
  readonly codes?: readonly ErrorCode[];
}

/** The three routes by which a lease is acquired, renewed and released. */
export function leaseRoutes<
  P extends z.ZodObject,
  L extends z.ZodType,
  A extends z.ZodType,
  N extends z.ZodType,
  R extends z.ZodType,
  E extends z.ZodType,
>(routes: Routes, family: LeaseFamily<P, L, A, N, R, E>): void {
  const { path, params, lease, acquire, renew, release, whileHeld } = family;
  const described = <B extends z.ZodType>(operation: Operation<B>) => ({
    method: "post" as const,
    path: `${path}/${operation.verb}`,
    operationId: operation.operationId,
    tags: [family.tag],
    summary: operation.summary,
    description: operation.description,
    request: { ...(params && { params }), body: operation.body },
  });

  routes.add(
    {
      ...described(acquire),
      responses: {
        200: lease,
        ...bodyProblems("held", "lease_mismatch", ...(acquire.codes ?? []), "lease_lost", "no_quorum"),
      },
    },
    async (request, c) => {
      const outcome = await acquire.call(request.params, request.body, ofClient(c));
      if (outcome.kind === "held") throw held(acquire.heldText(request.params), outcome);
      return outcome.lease;
    },
  );
  routes.add(
    {
      ...described(renew),
      responses: { 200: lease, ...bodyProblems(...(renew.codes ?? []), "lease_lost", "no_quorum") },
    },
    (request) => renew.call(request.params, request.body),
  );
  whileHeld?.();
  routes.add(
    {
      ...described(release),
      responses: {
        200: release.answer,
        ...bodyProblems("no_quorum"),
      },
    },
    (request) => release.call(request.params, request.body),
  );
}
