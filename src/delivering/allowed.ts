import { CoordinationError } from "../errors.js";
import type { AllowList } from "../outbound/allow-list.js";
import { readUrl, WEB } from "../outbound/destination.js";

/**
 * Throws `invalid_request` where a URL is none, or may not be connected to. `field`: in the request. `setting`: by which an
 * operator allows it.
 */
export function assertAllowed(
  allow: Pick<AllowList, "hasHost">,
  field: string,
  url: string,
  setting: string,
): void {
  const to = readUrl(url, WEB);
  if (!to)
    throw refusal(field, "must be a URL like https://pager.internal/quorate, without a user and a fragment");
  if (allow.hasHost(to.host)) return;
  throw refusal(field, `${to.host} is not allowed: an operator lists addresses and hosts in ${setting}`);
}

function refusal(field: string, detail: string): CoordinationError {
  return new CoordinationError("invalid_request", `${field}: ${detail}`, {
    help: { field, errors: [{ field, detail }] },
  });
}
