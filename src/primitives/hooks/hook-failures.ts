import { CoordinationError } from "../../errors.js";
import { HOOKS_MAX, SERVICES_WITH_HOOKS_MAX } from "./hook.js";

/** Failures of hooks. None names a URL: it may be a secret. */

export function noHook(): CoordinationError {
  return new CoordinationError("not_found", "The service has no hook with this id.");
}

export function tooManyHooks(of: "service" | "deployment"): CoordinationError {
  const why =
    of === "service"
      ? `This service has ${HOOKS_MAX} hooks, as many as one may have.`
      : `${SERVICES_WITH_HOOKS_MAX} services have hooks, as many as may have some.`;
  return new CoordinationError("too_many", `${why} Delete one that is not needed any more.`);
}
