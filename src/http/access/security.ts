import type { AnyNeeds } from "./authorization.js";

/** What a route needs, as the API description states it: any of these, each with the grant that it must have. */
export function securityOf(needs: AnyNeeds): Record<string, string[]>[] {
  if (needs === "nothing") return [];
  const grant = typeof needs === "string" ? [] : [`${needs.action} ${needs.kind}`];
  return [{ bearer: grant }, { certificate: grant }];
}

/** The ways in which clients can say who they are. */
export const SECURITY_SCHEMES = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description:
      "A key of the keys file (QUORATE_KEYS_FILE), a JWT (QUORATE_JWT_ISSUER) or the QUORATE_OPERATOR_KEY. A service without keys and JWTs asks only operators for one.",
  },
  certificate: {
    type: "mutualTLS",
    description: "A client certificate (QUORATE_TLS_CLIENT_CA) that the keys file names.",
  },
} as const;
