import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, unless } from "../attack.js";
import { type Figures, most } from "../figures.js";
import { residentMb } from "../instance.js";

export const idleConnections = attack(
  "idle-connections",
  "so many connections that never send anything",
  () => "",
);

export const slowBodies = attack(
  "slow-bodies",
  "so many connections that send half a body, and no more",
  (host) =>
    `POST /v1/locks/slow/acquire HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"ttlMs":`,
  3_000,
);

export const slowHeaders = attack(
  "slow-headers",
  "so many connections that send half a header, and no more",
  (host) => `POST /v1/locks/slow/acquire HTTP/1.1\r\nhost: ${host}\r\ncontent-ty`,
);

function attack(name: string, about: string, head: (host: string) => string, clientsInTests = 0): Attack {
  return {
    name,
    about,
    clients: 5_000,
    clientsInTests,
    seconds: 70,
    secondsInTests: 3,
    async run({ urls: [url = ""], pids: [pid = 0], clients, seconds }) {
      const { hostname, port, host } = new URL(url);
      const before = residentMb(pid);
      const startMs = performance.now();
      const closedMs: number[] = [];
      let refused = 0;
      const all: Socket[] = [];
      for (let i = 0; i < clients; i++) {
        const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(head(host)));
        const openedMs = performance.now();
        socket.on("error", () => {
          refused += 1;
        });
        socket.on("close", () => closedMs.push(performance.now() - openedMs));
        socket.resume();
        all.push(socket);
        if (i % 100 === 99) await sleep(10);
      }
      while (performance.now() - startMs < seconds * 1000 && closedMs.length < clients) await sleep(100);
      const figures: Figures = {
        connections: clients,
        "closed by the service": closedMs.length,
        "closed after ms, most": most(closedMs),
        broken: refused,
        "memory before MB": before,
        "memory after MB": residentMb(pid),
        seconds,
      };
      for (const socket of all) socket.removeAllListeners("close").destroy();
      return figures;
    },
    // Where nothing at all is sent there is no request to be late with: those are bounded in number.
    broken: (figures) =>
      unless([
        head("") === "" ||
          (figures.seconds ?? 0) < CUT_S ||
          figures["closed by the service"] === figures.connections,
        `${(figures.connections ?? 0) - (figures["closed by the service"] ?? 0)} of ${figures.connections} were not cut within ${figures.seconds} s`,
      ]),
  };
}

/** By then both deadlines of requests, by default 10 and 30 s, have passed and been looked at. */
const CUT_S = 65;
