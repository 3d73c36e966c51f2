import { CoordinationError } from "../../errors.js";
import type { Gate } from "./gate.js";

/**
 * Refuses paths with the segments `.` and `..`, encoded or not. They would be resolved here: a proxy that lets a client
 * through to `/v1/namespaces/team-a/`, and only compares the beginning of the path, would let it into all namespaces.
 */
export const dotSegmentGate: Gate = ({ url = "" }) => {
  // No other request has to pay for the regular expression.
  if (!url.includes("/.") && !url.includes("/%2")) return null;
  return DOT_SEGMENT.test(url) ? DOT_SEGMENTS : null;
};

/** In the path: what follows a `?` is not looked at. */
const DOT_SEGMENT = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i;

const DOT_SEGMENTS = new CoordinationError(
  "invalid_request",
  "The path has a segment . or .. in it. Send the path that it stands for.",
);
