import { expect, test } from "vitest";
import { CallbackDeliveries, type CallbackDependencies } from "../../src/delivering/callback-deliveries.js";
import { CALLBACKS_MAX } from "../../src/primitives/transactions/callbacks.js";
import { FakeClock } from "../helpers/fake-clock.js";

test("no more transactions are begun whose participants are to be called than may be, and the others go on", async () => {
  const never = new Promise<never>(() => {});
  const dependencies = {
    callbacks: { put: async ({ id }: { id: string }) => id !== "known" },
    transactions: { get: () => never },
    membership: {},
    clock: new FakeClock(),
    random: () => 0.5,
  };
  const deliveries = new CallbackDeliveries(
    ["127.0.0.0/8"],
    "me",
    dependencies as unknown as CallbackDependencies,
  );
  const urls = { stock: "http://127.0.0.1:9/" };
  const begin = (id: string) => {
    deliveries.check(urls);
    return deliveries.begin({ namespace: "default", id }, { urls, secret: "whsec_AAAA" });
  };
  for (let i = 1; i < CALLBACKS_MAX; i++) await begin(String(i));
  // One that was there already is no further one.
  await begin("known");
  await begin("last");
  expect(() => deliveries.check(urls)).toThrow(expect.objectContaining({ code: "too_many_transactions" }));
  expect(deliveries.transactions).toBe(CALLBACKS_MAX);
});
