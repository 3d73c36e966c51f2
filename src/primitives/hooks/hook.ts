import type { EventKind } from "../../scripts/member-event.js";

/** Where what happens to the members of a service is told by POST. */
export interface Hook {
  /** Unique in its service. */
  readonly id: string;
  readonly url: string;
  /** What it is told of; null: everything. */
  readonly events: readonly EventKind[] | null;
  /** By which its requests are signed: `whsec_` and 24 to 64 bytes in base64. Never shown again, never logged. */
  readonly secret: string;
  /** Tells it from an earlier one with its id. */
  readonly made: string;
  /** Where the events of the service were when it was made; null: nowhere. */
  readonly since: string | null;
}

export interface HookTerms {
  readonly url: string;
  readonly events: readonly EventKind[] | null;
  /** Null: the one that it has, or one that is made. */
  readonly secret: string | null;
}

/** A service, by its inner name, and one of its hooks. */
export interface HookName {
  readonly service: string;
  readonly id: string;
}

/** How far a hook was told, and how that went. */
export interface Progress {
  /** Of the lease under which it was told last: nobody with an earlier one may say how far it is. */
  readonly token: number;
  /** Of its hook. */
  readonly made: string;
  /** Where it is in the events of its service; null: nowhere. */
  readonly position: string | null;
  /** When the latest was delivered, ms since 1970; null: none was. */
  readonly deliveredAtMs: number | null;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** Of the last one; null: it did not fail. */
  readonly failure: string | null;
  /** When the next attempt is due, ms since 1970; null: there is nothing to deliver, or it is under way. */
  readonly nextTryAtMs: number | null;
}

/** Hooks of a service, and services that have some. */
export const HOOKS_MAX = 16;
export const SERVICES_WITH_HOOKS_MAX = 500;
