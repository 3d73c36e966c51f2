import { describe, expect, test } from "vitest";
import { CommandWriter } from "../../src/redis/command-writer.js";

/** The same by its definition. */
const expected = (...command: (string | number)[]) =>
  `*${command.length}\r\n${command.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`).join("")}`;
const text = (bytes: readonly Buffer[]) => Buffer.concat(bytes).toString();

describe("commands as bytes", () => {
  test.each([
    ["of text", ["GET", "key"]],
    ["of numbers and empty arguments", ["EVALSHA", 0, -1, 1.5, 1_700_000_000_000, ""]],
    ["of text in any language", ["SET", "é", "€", "𝄞", "\u{10ffff}", "a".repeat(60) + "ß".repeat(70)]],
    ["with lone surrogates", ["SET", "\ud800", "a\udfff"]],
    [
      "of more arguments than ten, a hundred, a thousand",
      ["DEL", ...Array.from({ length: 1_234 }, (_, i) => i)],
    ],
    ["of every length", Array.from({ length: 300 }, (_, length) => "x".repeat(length))],
    ["of a megabyte", ["SET", "bulk", "ä".repeat(500_000)]],
  ])("%s", (_, [command = "", ...args]) => {
    const writer = new CommandWriter();
    writer.add(String(command), args);
    const lone = text([Buffer.from(expected(command, ...args))]);
    expect(text(writer.take())).toBe(lone);
    expect(writer.empty).toBe(true);
  });

  test("one behind the other, in whatever portions they are taken", () => {
    const writer = new CommandWriter();
    let taken = "";
    let wanted = "";
    for (let i = 0; i < 3_000; i++) {
      const command = ["SET", `key ${i}`, i % 7 === 0 ? "ö".repeat(i) : "o".repeat(i % 200)];
      writer.add(command[0] as string, command.slice(1));
      wanted += expected(...command);
      if (i % 100 === 0) taken += text(writer.take());
    }
    expect(taken + text(writer.take()) === wanted).toBe(true);
    expect(writer.take()).toEqual([]);
  });

  test("that were taken stay as they are", () => {
    const writer = new CommandWriter();
    writer.add("GET", ["first"]);
    const first = writer.take();
    writer.add("GET", ["second"]);
    writer.take();
    expect(text(first)).toBe(expected("GET", "first"));
  });
});
