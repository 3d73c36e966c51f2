import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { dotSegmentGate } from "../../../src/http/server/dot-segments.js";

const refusal = (url: string) => dotSegmentGate({ url } as IncomingMessage, {} as ServerResponse);

test.each([
  "/v1/namespaces/team-a/../team-b/locks/x",
  "/v1/namespaces/team-a/../../locks/x",
  "/v1/namespaces/team-a/%2e%2e/team-b/locks/x",
  "/v1/namespaces/team-a/.%2E/team-b/locks/x",
  "/v1/./locks",
  "/v1/%2e/locks",
  "/v1/locks/..",
  "/v1/locks/.",
  "/v1/locks/..?prefix=a",
  "http://localhost/v1/../metrics",
])("refuses %s", (url) => expect(refusal(url)).toMatchObject({ code: "invalid_request" }));

test.each([
  "/",
  "/v1/locks/a..b",
  "/v1/locks/a./acquire",
  "/v1/locks/...",
  "/v1/locks/.a",
  "/v1/locks/%2ea",
  "/v1/locks/%252e%252e/x",
  "/v1/services/s/owner?key=/../x",
  "/v1/services/s/owner?key=%2F..%2f",
  "/v1/locks/%2f",
])("lets %s pass: nothing in it is resolved", (url) => expect(refusal(url)).toBeNull());
