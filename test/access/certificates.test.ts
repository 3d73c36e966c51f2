import { expect, test } from "vitest";
import { namesOfCertificate } from "../../src/access/certificates.js";

test("a certificate has the names of its subject and its alternative names", () => {
  expect(
    namesOfCertificate({
      authorized: true,
      subject: { CN: "team-a" },
      subjectaltname:
        "DNS:A.example, IP Address:10.0.0.1, URI:spiffe://example.org/Team-A, email:x@example.org",
    }),
  ).toEqual(["CN=team-a", "DNS:a.example", "URI:spiffe://example.org/Team-A"]);
});

test("one that was not verified has none", () => {
  expect(
    namesOfCertificate({ authorized: false, subject: { CN: "team-a" }, subjectaltname: "DNS:a" }),
  ).toEqual([]);
});

test("one without names has none", () => {
  expect(namesOfCertificate({ authorized: true })).toEqual([]);
});

test.each([
  ['URI:"http://x/, DNS:evil.example", DNS:b', ["URI:http://x/, DNS:evil.example", "DNS:b"]],
  ['URI:"quote\\"d", DNS:b', ['URI:quote"d', "DNS:b"]],
  ['IP Address:"10.0.0.1", DNS:b', ["DNS:b"]],
  // What does not follow the syntax has no names at all.
  ['URI:"open, DNS:b', []],
  ["DNS:b, nonsense", []],
  ['URI:x"y, DNS:b', []],
  ["DNS:b,DNS:c", []],
  ["", []],
])("the alternative names of %s are %o", (subjectaltname, names) => {
  expect(namesOfCertificate({ authorized: true, subjectaltname })).toEqual(names);
});
