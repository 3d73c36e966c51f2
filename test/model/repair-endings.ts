/**
 * How leases end in the model of renewing with repair: with time, by clean-up, by release and by break. A release or a
 * break that meets a fence is sent once more, in the new configuration: votes of two are not counted together.
 */
import { ASKING } from "./attempt.js";
import type { Done } from "./explore.js";
import type { Rules } from "./repair-primary.js";
import { DONE, type Fork, MAJORITY, PRIMARIES, type RepairWorld, UNDER_WAY } from "./repair-world.js";
import { at } from "./world.js";

export function timeSteps(now: RepairWorld, fork: Fork, done: Done, rules: Rules): void {
  const isRight = rules.options.clocks === "right";
  for (let lease = 0; lease < now.clients.length; lease++) {
    if (rules.leaseOf(lease) !== lease) continue;
    const { begun, over } = at(now.clients, lease);
    if (isRight && over < begun) {
      const next = fork();
      at(next.clients, lease).over++;
      for (const i of rules.requestsOf(lease)) {
        const { phase, asked } = at(next.clients, i);
        // What it is granted from now on has nothing left, and is not returned.
        if (phase === ASKING && asked <= over + 1) rules.giveUp(next, i);
      }
      done("time of {client} is over", 0, lease);
    }
    for (let j = 0; j < PRIMARIES; j++) {
      const { noted, extendedAt } = at(at(now.primaries, j).links, lease);
      if (noted === 0 || (isRight && extendedAt > over)) continue;
      rules.free(at(fork().primaries, j), lease);
      done("the hold of {client} on {primary} ends", j, lease);
    }
  }
}

/** A request gives up, which cleans up; the lease that renews is released. */
export function endingSteps(now: RepairWorld, fork: Fork, done: Done, i: number, rules: Rules): void {
  const { second, ending } = rules.options;
  const { phase, token, ended, endedIn } = at(now.clients, i);
  if (i === now.clients.length - 1) return;
  if (second !== "none" && phase === ASKING) {
    rules.giveUp(fork(), i);
    done("{client} gives up, and cleans up", 0, i);
  }
  if (ending === "release" && token > 0 && ended !== DONE)
    for (const configuration of rules.knownConfigurations(now)) {
      if (endedIn >= configuration) continue;
      const next = fork();
      Object.assign(at(next.clients, i), { ended: UNDER_WAY, endedIn: configuration });
      for (const { links } of next.primaries) at(links, i).release = UNDER_WAY;
      done(`{client} releases, in configuration ${configuration}`, 0, i);
    }
  for (let j = 0; j < PRIMARIES; j++) {
    const { cleanUp, nonce, release } = at(at(now.primaries, j).links, i);
    // Without its nonce there a clean-up changes nothing, and so is as good as not delivered yet.
    if (cleanUp === UNDER_WAY && nonce) {
      rules.cleanUp(at(fork().primaries, j), i);
      done("clean-up of {client} reaches {primary}", j, i);
    }
    if (release !== UNDER_WAY || !rules.matches(at(now.primaries, j), endedIn)) continue;
    const next = fork();
    const primary = at(next.primaries, j);
    at(primary.links, i).release = DONE;
    rules.release(primary, i);
    if (next.primaries.filter(({ links }) => at(links, i).release === DONE).length >= MAJORITY)
      at(next.clients, i).ended = DONE;
    done("release of {client} reaches {primary}", j, i);
  }
}

/** An operator asks a majority who holds the lock, and then tells all to end those leases. */
export function breakSteps(now: RepairWorld, fork: Fork, done: Done, rules: Rules): void {
  const { breaks, breakIn, breakDone } = now.shared;
  for (let left = 0; left < PRIMARIES && breaks > 0; left++)
    for (const configuration of rules.knownConfigurations(now)) {
      const next = fork();
      next.shared.breaks--;
      if (!lookFor(next, left, configuration, rules)) continue;
      sendBreak(next, configuration);
      done("an operator breaks the lock, having asked others than {primary}", left);
    }
  if (breakIn === 1 && !breakDone && rules.knownConfigurations(now).length > 1) {
    sendBreak(fork(), 2);
    done("the break is sent again, in configuration 2");
  }
  for (let j = 0; j < PRIMARIES; j++) {
    const { breakage } = at(now.primaries, j);
    if (breakage !== UNDER_WAY || !rules.matches(at(now.primaries, j), breakIn)) continue;
    const next = fork();
    const primary = at(next.primaries, j);
    primary.breakage = DONE;
    rules.break(primary, next);
    if (next.primaries.filter((one) => one.breakage === DONE).length >= MAJORITY) {
      next.shared.breakDone = 1;
      for (const client of next.clients) if (client.ended) client.ended = DONE;
    }
    done("the break reaches {primary}", j);
  }
}

function sendBreak(next: RepairWorld, configuration: number): void {
  next.shared.breakIn = configuration;
  for (const primary of next.primaries) primary.breakage = UNDER_WAY;
}

/** Notes the leases that two primaries have, and which of them are known to be held. False: they do not answer. */
function lookFor(next: RepairWorld, left: number, configuration: number, rules: Rules): boolean {
  const asked = next.primaries.filter((_, j) => j !== left);
  if (asked.some((primary) => !rules.matches(primary, configuration))) return false;
  for (const { links } of asked)
    links.forEach(({ noted }, lease) => {
      if (noted > 0) next.shared.broken |= 1 << lease;
    });
  next.clients.forEach((client, i) => {
    if (client.token > 0 && next.shared.broken & (1 << rules.leaseOf(i))) client.ended = UNDER_WAY;
  });
  return true;
}
