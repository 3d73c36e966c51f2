/**
 * Renewing with repair: a majority extend their holds, and then primaries that lack theirs are given it again. Leases
 * end by release, by break and by clean-up of a request beside the one that was granted; messages are late or lost,
 * and a primary may be wiped and readmitted.
 */
import { begin, COMMITTED, IDLE, showAttempt } from "./attempt.js";
import { clientName, type Done, type Model } from "./explore.js";
import { messageSteps } from "./messages.js";
import { orderViolation } from "./parity.js";
import { breakSteps, endingSteps, timeSteps } from "./repair-endings.js";
import { Rules } from "./repair-primary.js";
import { wipeSteps } from "./repair-readmission.js";
import {
  DONE,
  type Fork,
  fields,
  MAJORITY,
  PRIMARIES,
  type Primary,
  type RepairOptions,
  type RepairShape,
  type RepairWorld,
  UNDER_WAY,
} from "./repair-world.js";
import { at, Layout } from "./world.js";

export function repair(options: RepairOptions): Model<RepairShape> {
  const { second, renewals, othersRenewals, modes, ending, wipes, clocks, from } = options;
  const rules = new Rules(options);
  const clients = rules.modes.length;
  const isAlike =
    clients === 2 &&
    renewals === othersRenewals &&
    modes[0] === modes[1] &&
    from === "nothing" &&
    ending === "none";
  return {
    name: `renewing with repair (${options.variant}), ${modes.join(" and ")}, second request ${second}, ${renewals} and ${othersRenewals} renewals, ending ${ending}, ${wipes} wipes, clocks ${clocks}, from ${from}`,
    layout: new Layout<RepairShape>({ ...fields, clients, alike: isAlike ? clients : 0 }),
    initial(world, done) {
      world.shared.wipes = wipes;
      world.shared.breaks = ending === "break" ? 1 : 0;
      for (const primary of world.primaries) primary.configuration = 1;
      if (from !== "nothing") acquired(world, rules);
      done();
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++) {
        if (at(now.clients, i).phase === IDLE) beginnings(now, fork, done, i, rules);
        else messageSteps(now, fork, done, i, rules.voting);
        renewalSteps(now, fork, done, i, rules);
        endingSteps(now, fork, done, i, rules);
      }
      timeSteps(now, fork, done, rules);
      if (ending === "break") breakSteps(now, fork, done, rules);
      if (wipes > 0) wipeSteps(now, fork, done, rules);
    },
    violation: (world) =>
      orderViolation(world.clients, rules.modes, rules.leaseOf) ??
      staleViolation(world) ??
      endedViolation(world, rules) ??
      (clocks === "right" ? holderViolation(world, rules) : null),
    show: (world) => show(world, rules),
    landmarks: landmarksOf(options),
  };
}

/** Two primaries have granted, the third has not heard of it. */
function acquired(world: RepairWorld, rules: Rules): void {
  const counter = rules.modes[0] === "writer" ? 2 : 1;
  Object.assign(at(world.clients, 0), {
    phase: COMMITTED,
    token: counter,
    configuration: 1,
    begun: 1,
    asked: 1,
  });
  world.primaries.forEach((primary, j) => {
    const link = at(primary.links, 0);
    if (j === PRIMARIES - 1) {
      if (rules.options.from === "acquired late") link.acquires = UNDER_WAY;
      return;
    }
    primary.counter = counter;
    link.noted = link.granted = counter;
    link.nonce = 1;
    link.extendedAt = rules.nowOf(world, 0);
  });
}

function beginnings(now: RepairWorld, fork: Fork, done: Done, i: number, rules: Rules): void {
  for (const configuration of rules.knownConfigurations(now)) {
    const next = fork();
    begin(next, i, rules.leaseOf);
    const client = at(next.clients, i);
    client.configuration = configuration;
    client.asked = ++at(next.clients, rules.leaseOf(i)).begun;
    client.spared = next.shared.breakDone;
    if (i === 1 && rules.options.second === "gives up at once") rules.giveUp(next, i);
    done(`{client} asks all primaries, in configuration ${configuration}`, 0, i);
  }
}

function renewalSteps(now: RepairWorld, fork: Fork, done: Done, i: number, rules: Rules): void {
  const { renewals, othersRenewals } = rules.options;
  const client = at(now.clients, i);
  const most = i < now.clients.length - 1 ? renewals : othersRenewals;
  if (client.token > 0 && client.renewals < most)
    for (const configuration of rules.knownConfigurations(now)) {
      beginRenewal(fork(), i, configuration, rules);
      done(`{client} renews, in configuration ${configuration}`, 0, i);
    }
  for (let j = 0; j < PRIMARIES; j++) {
    const link = at(at(now.primaries, j).links, i);
    if (link.renewal === UNDER_WAY) deliverRenewal(now, fork, done, i, j, rules);
    if (link.repair !== DONE) continue;
    const next = fork();
    const primary = at(next.primaries, j);
    if (!rules.repair(primary, i, next)) continue;
    at(primary.links, i).repair = 0;
    done("repair of {client} reaches {primary}", j, i);
  }
}

function beginRenewal(next: RepairWorld, i: number, configuration: number, rules: Rules): void {
  const client = at(next.clients, i);
  client.renewals++;
  client.renewing = ++at(next.clients, rules.leaseOf(i)).begun;
  client.renewingIn = configuration;
  client.newer = 0;
  client.late = client.ended === DONE ? 1 : 0;
  next.clients.forEach((other, k) => {
    const areReaders = rules.modes[k] === "reader" && rules.modes[i] === "reader";
    if (rules.leaseOf(k) !== rules.leaseOf(i) && !areReaders)
      client.newer = Math.max(client.newer, other.token);
  });
  for (const { links } of next.primaries) {
    const link = at(links, i);
    link.renewal = UNDER_WAY;
    link.extended = 0;
    if (link.repair === UNDER_WAY) link.repair = 0;
  }
}

/** Unheard, it may come again: that is what an older renewal does which is still under way. */
function deliverRenewal(now: RepairWorld, fork: Fork, done: Done, i: number, j: number, rules: Rules): void {
  for (const heard of [true, false]) {
    const next = fork();
    const primary = at(next.primaries, j);
    const link = at(primary.links, i);
    const vote = rules.renew(primary, i, next);
    if (vote === "refused" || (vote === "missing" && !heard)) return;
    if (heard) {
      link.renewal = 0;
      if (vote === "extended") link.extended = 1;
      else if (link.repair === 0) link.repair = UNDER_WAY;
      conclude(next, i, rules);
    } else if (now.words.every((word, place) => word === next.words[place])) return;
    done(`renewal of {client} reaches {primary}: ${vote}${heard ? "" : ", unheard"}`, j, i);
  }
}

/** With a majority it is renewed, and who said that it lacks the hold is repaired. */
function conclude(next: RepairWorld, i: number, rules: Rules): void {
  const client = at(next.clients, i);
  const links = next.primaries.map((primary) => at(primary.links, i));
  if (links.filter(({ extended }) => extended).length < MAJORITY) return;
  if (at(next.clients, rules.leaseOf(i)).over < client.renewing) client.renewed = client.renewing;
  for (const link of links) if (link.repair === UNDER_WAY) link.repair = DONE;
}

function staleViolation({ clients }: RepairWorld): string | null {
  for (const { token, renewing, renewed, newer } of clients)
    if (renewing > 0 && renewed === renewing && newer > token)
      return `token ${token} was renewed after ${newer} was committed`;
  return null;
}

function endedViolation({ primaries, clients, shared }: RepairWorld, rules: Rules): string | null {
  if (shared.mistaken) return "a late break ends a lease that began after it";
  for (let i = 0; i < clients.length; i++) {
    const { ended, late, renewing, renewed } = at(clients, i);
    if (ended !== DONE) continue;
    if (late && renewing === renewed) return "a lease was renewed after its end";
    if (primaries.filter(({ links }) => at(links, rules.leaseOf(i)).noted > 0).length >= MAJORITY)
      return "a majority hold for a lease that was ended";
  }
  return null;
}

function holderViolation({ clients }: RepairWorld, rules: Rules): string | null {
  const holders = clients.flatMap(({ token, asked, renewed, ended }, i) => {
    const { over } = at(clients, rules.leaseOf(i));
    return token > 0 && !ended && Math.max(asked, renewed) > over ? [i] : [];
  });
  const leases = new Set(holders.map((i) => rules.leaseOf(i)));
  const isShared = holders.every((i) => rules.modes[i] === "reader");
  return leases.size > 1 && !isShared ? "two leases hold the lock" : null;
}

function show(world: RepairWorld, rules: Rules): string {
  const { clocks, wipes } = rules.options;
  return [
    ...world.primaries.map((primary) => {
      const holders = primary.links.map((_, lease) => showHold(primary, lease, rules)).join("");
      const state = wipes > 0 ? ` c${primary.configuration}${primary.quarantine ? " quarantine" : ""}` : "";
      return `[${holders || "-"} ${primary.counter}${state}]`;
    }),
    ...world.clients.map((client, i) => {
      const renewed = client.renewed > 0 ? `, renewed ${client.renewed}` : "";
      const over =
        clocks === "right" && rules.leaseOf(i) === i ? `, over ${client.over}/${client.begun}` : "";
      return showAttempt(clientName(i), client) + renewed + over;
    }),
  ].join("  ");
}

/** Who is in the hold, + where a renewal counted it, the counter at the grant where it differs, and the counter. */
function showHold(primary: Primary, lease: number, rules: Rules): string {
  const { noted, granted, kept, buried } = at(primary.links, lease);
  if (buried) return `†${clientName(lease)}`;
  if (noted === 0) return "";
  const nonces = rules.nonces(primary, lease).map(clientName).join("");
  const from = granted === noted ? "" : `(${granted})`;
  return `${nonces || `(${clientName(lease)})`}${kept ? "+" : ""}${from}${noted}`;
}

function landmarksOf({
  variant,
  second,
  ending,
  wipes,
}: RepairOptions): NonNullable<Model<RepairShape>["landmarks"]> {
  return {
    "both leases have tokens": ({ clients }) =>
      clients.slice(0, -1).some(({ token }) => token > 0) && at(clients, clients.length - 1).token > 0,
    "a lease is renewed": ({ clients }) => clients.some(({ renewed }) => renewed > 0),
    ...(variant !== "a repair is a vote" && {
      "a repair is under way": ({ primaries }: RepairWorld) =>
        primaries.some(({ links }) => links.some((link) => link.repair === DONE)),
    }),
    ...(ending !== "none" && {
      "a lease is ended": ({ clients }: RepairWorld) => clients.some(({ ended }) => ended === DONE),
    }),
    ...(second !== "none" && {
      "a clean-up is under way where a renewal has counted": ({ primaries }: RepairWorld) =>
        primaries.some(({ links }) => at(links, 0).kept && at(links, 1).nonce && at(links, 1).cleanUp),
    }),
    ...(wipes > 0 && {
      "a readmitted primary has a hold": ({ primaries }: RepairWorld) =>
        primaries.every(({ configuration }) => configuration === 2) &&
        primaries.every(({ quarantine, links }) => quarantine === 0 && links.some(({ noted }) => noted > 0)),
    }),
  };
}
