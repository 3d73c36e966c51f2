import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientAddress } from "../../../src/http/server/client-address.js";

const addressOf = clientAddress(["10.0.0.0/8", "192.168.1.7", "fd00::/8"]);

describe("the address of the client", () => {
  test.each<[string, string | undefined, string]>([
    // Without a trusted proxy it is the other end of the connection, whatever the header says.
    ["203.0.113.9", undefined, "203.0.113.9"],
    ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["192.168.1.8", "198.51.100.1", "192.168.1.8"],
    // Behind one, it is what that proxy saw.
    ["10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["192.168.1.7", "198.51.100.1", "198.51.100.1"],
    ["fd00::1", "2001:db8::5", "2001:db8::5"],
    ["::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"],
    ["10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"],
    // What the client itself wrote is on the left.
    ["10.1.2.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"],
    ["10.1.2.3", "10.9.9.9, 198.51.100.1", "198.51.100.1"],
    // Several proxies.
    ["10.1.2.3", "6.6.6.6, 198.51.100.1, 10.0.0.4 ,192.168.1.7", "198.51.100.1"],
    ["10.1.2.3", "10.0.0.5, 10.0.0.4", "10.0.0.5"],
    // Ports and brackets.
    ["10.1.2.3", "198.51.100.1:4711", "198.51.100.1"],
    ["10.1.2.3", "[2001:db8::5]:4711", "2001:db8::5"],
    ["10.1.2.3", "[2001:db8::5]", "2001:db8::5"],
    // What is no address ends the search where it was written.
    ["10.1.2.3", "unknown", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.1, unknown, 10.0.0.4", "10.0.0.4"],
    ["10.1.2.3", "", "10.1.2.3"],
    ["10.1.2.3", ",", "10.1.2.3"],
    ["10.1.2.3", "198.51.100.1\u0000", "10.1.2.3"],
    ["", "198.51.100.1", ""],
  ])("%s with %o is %s", (peer, header, address) => {
    expect(addressOf(peer, header)).toBe(address);
  });

  test("of nobody's proxy is the peer", () => {
    expect(clientAddress([])("127.0.0.1", "198.51.100.1")).toBe("127.0.0.1");
  });

  test("is never anything but an address, whatever a client sends", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), fc.ipV4(), (said, real) => {
        const address = addressOf("10.1.2.3", `${said}, ${real}`);
        // A client from outside cannot say who it is.
        expect(address === real || real.startsWith("10.") || real === "192.168.1.7").toBe(true);
      }),
    );
  });
});
