import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { startEmbedded } from "../../src/embedded/embedded.js";
import { findProgram } from "../../src/embedded/servers.js";

/** Runs `body` with three real Redis servers on this machine, without persistence. */
export async function withServers<T>(body: (urls: readonly string[]) => Promise<T>): Promise<T> {
  const embedded = await startEmbedded({ warn: () => {} });
  if (embedded.kind === "javascript")
    throw new Error("benchmarks need a redis-server or valkey-server on the PATH");
  try {
    return await body(embedded.urls);
  } finally {
    await embedded.stop();
  }
}

/** The server program that `startPrimaries` starts as a process. */
export async function serverVersion(): Promise<string> {
  const program = await findProgram();
  return program ? `${program.name} ${program.version}` : "no server";
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
