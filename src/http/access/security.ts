import type { AnyNeeds } from "./authorization.js";

/** What a route needs, as the API description states it: any of these ways, and the grant for programs and for people. */
export function accessOf(needs: AnyNeeds, description: string) {
  const security: Record<string, string[]>[] =
    needs === "nothing" ? [] : [{ bearer: [] }, { certificate: [] }];
  if (typeof needs === "string") return { security, description };
  // Not as the scopes of `security`: tools take those for scopes of OAuth, which has to declare them.
  const grant = `${needs.action} ${needs.kind}`;
  return { security, description: `${description}\n\nNeeds the grant \`${grant}\`.`, "x-grant": grant };
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
