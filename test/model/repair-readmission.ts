/**
 * A primary is wiped in the model of renewing with repair, and readmitted: the two others are fenced and read, one after
 * the other, and it waits in quarantine for what it may have forgotten.
 */
import type { Done } from "./explore.js";
import type { Rules } from "./repair-primary.js";
import { type Fork, PRIMARIES, type Primary, type RepairWorld } from "./repair-world.js";
import { at } from "./world.js";

export function wipeSteps(now: RepairWorld, fork: Fork, done: Done, { options }: Rules): void {
  const wiped = now.primaries.findIndex(({ configuration }) => configuration === 0);
  const isOver = now.clients.every(({ over, awaited }) => over >= awaited);
  for (let j = 0; j < PRIMARIES; j++) {
    const { configuration, quarantine } = at(now.primaries, j);
    if (now.shared.wipes > 0) {
      const next = fork();
      next.shared.wipes--;
      wipe(next, at(next.primaries, j));
      done("{primary} is WIPED", j);
    }
    if (wiped >= 0 && configuration === 1) {
      const next = fork();
      fence(next, at(next.primaries, j), at(next.primaries, wiped));
      done("{primary} is fenced and read", j);
    }
    if (quarantine && (isOver || options.variant === "no quarantine")) {
      at(fork().primaries, j).quarantine = 0;
      done(`the quarantine of {primary} ends${isOver ? "" : " early"}`, j);
    }
  }
}

function wipe(next: RepairWorld, primary: Primary): void {
  primary.counter = primary.configuration = 0;
  primary.links.forEach((link, i) => {
    link.noted = link.granted = link.extendedAt = link.nonce = link.kept = link.buried = 0;
    const client = at(next.clients, i);
    client.awaited = client.begun;
  });
}

function fence(next: RepairWorld, primary: Primary, wiped: Primary): void {
  const { shared } = next;
  primary.configuration = 2;
  shared.copied = Math.max(shared.copied, primary.counter);
  primary.links.forEach(({ buried }, i) => {
    if (buried) shared.copiedBuried |= 1 << i;
  });
  if (next.primaries.some(({ configuration }) => configuration === 1)) return;
  wiped.counter = shared.copied;
  wiped.links.forEach((link, i) => {
    link.buried = (shared.copiedBuried >> i) & 1;
  });
  wiped.configuration = 2;
  wiped.quarantine = 1;
  shared.copied = shared.copiedBuried = 0;
}
