/**
 * Primaries that forget. One is wiped and readmitted while clients take the lock: a new configuration is agreed on by
 * prepare and accept, put on a majority of the others, which fences all that is under way, and counters are copied.
 * Several reconcilers readmit at once, and each may stop for ever after any step: no step is ever forced to come.
 */
import { ASKING, begin, end, GAVE_UP, IDLE, REFUSED, showAttempt, tokenViolation } from "./attempt.js";
import { Configurations, FIRST, NO_CONFIGURATION } from "./configurations.js";
import { clientName, type Done, type Model } from "./explore.js";
import { Reconcilers } from "./reconciler.js";
import { messageSteps, type Voting } from "./messages.js";
import {
  eff,
  fields,
  type Primary,
  type ReadmissionOptions,
  type ReadmissionShape,
  type ReadmissionVariant,
  type ReadmissionWorld,
} from "./readmission-world.js";
import { at, Layout } from "./world.js";

/** What a floor is rounded up to a multiple of. */
const FLOOR_STEP = 2;

export function readmission(options: ReadmissionOptions): Model<ReadmissionShape> {
  const { variant, primaries, clients, reconcilers } = options;
  const configurations = new Configurations(
    Math.max(1, reconcilers * options.ballots),
    variant === "each writes its own configuration" ? "by version" : "with their nonce",
  );
  const voting = votingOf(options, configurations);
  const readmitters = new Reconcilers(options, configurations);
  return {
    name: nameOf(options),
    layout: new Layout<ReadmissionShape>({ ...fields, primaries, clients, reconcilers, alike: clients }),
    initial(world, done) {
      world.shared.wipes = options.wipes;
      world.shared.drops = options.drops;
      for (const primary of world.primaries) primary.configuration = FIRST;
      done();
    },
    steps(now, fork, done) {
      for (let i = 0; i < clients; i++) {
        if (at(now.clients, i).phase === IDLE) beginnings(now, fork, done, i);
        else messageSteps(now, fork, done, i, voting);
        clientSteps(now, fork, done, i, options);
      }
      for (let j = 0; j < primaries; j++) primarySteps(now, fork, done, j, options);
      for (let r = 0; r < reconcilers; r++) readmitters.steps(now, fork, done, r);
    },
    violation: (world) =>
      world.shared.split
        ? "two configurations of one version are in force"
        : (tokenViolation(world.clients) ?? (options.clocks === "right" ? holderViolation(world) : null)),
    stuck: (world) =>
      clients === 0 && readmitters.isStuck(world) ? "a readmission cannot be finished" : null,
    show: (world) =>
      [
        ...world.primaries.map(showPrimary),
        ...world.clients.map(
          (client, i) => showAttempt(clientName(i), client) + (client.over ? ", over" : ""),
        ),
        ...world.reconcilers.map((reconciler, r) => `K${r + 1}: ${readmitters.stageName(reconciler)}`),
      ].join("  "),
    landmarks: landmarksOf(options, readmitters),
  };
}

function nameOf(options: ReadmissionOptions): string {
  const { variant, primaries, clients, reconcilers, ballots, wipes, drops, clocks } = options;
  const agreement = options.agreement === "by ballots" ? ` of ${ballots} ballots` : "";
  const marks = options.marksLost ? ", marks lost" : "";
  const read = drops > 0 ? `, ${drops} drops, read ${options.reading}` : "";
  return `readmission (${variant}), N=${primaries}, ${clients} clients, ${reconcilers} reconcilers${agreement}, ${wipes} wipes${marks}${read}, clocks ${clocks}`;
}

type Fork = () => ReadmissionWorld;

function beginnings(now: ReadmissionWorld, fork: Fork, done: Done, i: number): void {
  for (const configuration of knownConfigurations(now)) {
    const next = fork();
    begin(next, i);
    at(next.clients, i).configuration = configuration;
    done(`{client} asks all primaries, in configuration ${configuration}`, 0, i);
  }
}

/** What a client may hold: one that no primary has any more gets it nothing. */
function knownConfigurations(world: ReadmissionWorld): number[] {
  const all = world.primaries.map(({ configuration }) => configuration);
  return all.filter((one, j) => one !== NO_CONFIGURATION && all.indexOf(one) === j);
}

function clientSteps(
  now: ReadmissionWorld,
  fork: Fork,
  done: Done,
  i: number,
  { variant, clocks }: ReadmissionOptions,
): void {
  const client = at(now.clients, i);
  if (client.phase === IDLE) return;
  if (variant === "an attempt changes its configuration")
    for (const configuration of knownConfigurations(now)) {
      if (configuration <= client.configuration) continue;
      at(fork().clients, i).configuration = configuration;
      done(`{client} goes on in configuration ${configuration}`, 0, i);
    }
  if (clocks === "right" && client.over === 0) {
    const next = fork();
    at(next.clients, i).over = 1;
    // What it is granted from now on has nothing left, and is not returned.
    if (client.phase === ASKING) end(next, i, GAVE_UP);
    done("the lease of {client} is over", 0, i);
  }
}

function primarySteps(
  now: ReadmissionWorld,
  fork: Fork,
  done: Done,
  j: number,
  { variant, clocks }: ReadmissionOptions,
): void {
  const { held, counter } = at(now.primaries, j);
  if (held !== 0 && (clocks === "wrong" || at(now.clients, held - 1).over)) {
    const primary = at(fork().primaries, j);
    primary.held = primary.noted = 0;
    done("the hold on {primary} ends", j);
  }
  if (now.shared.drops > 0 && counter > 0) {
    const next = fork();
    const primary = at(next.primaries, j);
    primary.floor = Math.max(primary.floor, Math.ceil(counter / FLOOR_STEP) * FLOOR_STEP);
    primary.counter = 0;
    next.shared.drops--;
    done("{primary} drops its counter into its floor", j);
  }
  if (mayBeWiped(now, j)) {
    const next = fork();
    wipe(at(next.primaries, j), variant);
    next.shared.wipes--;
    done("{primary} is WIPED", j);
  }
}

/** Not so many at once that a majority would have forgotten together: that no protocol survives. */
function mayBeWiped(world: ReadmissionWorld, place: number): boolean {
  const empty = world.primaries.filter((one, j) => j === place || one.configuration === NO_CONFIGURATION);
  return world.shared.wipes > 0 && empty.length * 2 < world.primaries.length;
}

function wipe(primary: Primary, variant: ReadmissionVariant): void {
  primary.held = primary.noted = primary.counter = primary.floor = 0;
  primary.promised = primary.accepted = primary.value = primary.marked = 0;
  for (const link of primary.links) link.granted = link.waits = 0;
  if (variant === "a wiped primary just goes on") return;
  primary.configuration = NO_CONFIGURATION;
  primary.incarnation++;
}

function votingOf(options: ReadmissionOptions, configurations: Configurations): Voting<ReadmissionWorld> {
  const matches = (primary: Primary, client: number, world: ReadmissionWorld) =>
    configurations.same(primary.configuration, at(world.clients, client).configuration);
  const inQuarantine = (primary: Primary, world: ReadmissionWorld) =>
    primary.links.some(({ waits }, i) => waits && !at(world.clients, i).over);
  return {
    rule: "exactly",
    replies: "at once",
    acquire(primary, client, world) {
      if (!matches(primary, client, world)) return REFUSED;
      if (primary.held !== 0 && primary.held !== client + 1) return REFUSED;
      if (primary.held === 0) {
        if (inQuarantine(primary, world)) return REFUSED;
        primary.held = client + 1;
        primary.noted = primary.counter = eff(primary) + 1;
        if (options.clocks === "right") at(primary.links, client).granted = 1;
      }
      return primary.noted;
    },
    raise(primary, client, target, world) {
      if (primary.held !== client + 1 || !matches(primary, client, world)) return REFUSED;
      primary.noted = primary.counter = Math.max(eff(primary), target);
      return primary.noted;
    },
  };
}

function holderViolation(world: ReadmissionWorld): string | null {
  const holders = world.clients.filter(({ token, over }) => token > 0 && !over);
  return holders.length > 1 ? "two clients hold the lock" : null;
}

function showPrimary({
  held,
  counter,
  floor,
  configuration,
  marked,
  promised,
  accepted,
  value,
}: Primary): string {
  const data = `${held ? clientName(held - 1) : "-"} ${counter}${floor ? ` floor ${floor}` : ""}`;
  const vote = promised ? ` ballot ${promised}${accepted ? `, took ${value}` : ""}` : "";
  return `[${data} c${configuration}${marked ? ` to be c${marked}` : ""}${vote}]`;
}

function landmarksOf(
  { clients, reconcilers, agreement, wipes }: ReadmissionOptions,
  readmitters: Reconcilers,
): NonNullable<Model<ReadmissionShape>["landmarks"]> {
  const readmitted = (world: ReadmissionWorld) =>
    world.primaries.some((one) => one.incarnation > 0 && one.configuration !== NO_CONFIGURATION);
  return {
    "a primary is readmitted": readmitted,
    ...(clients > 1 && {
      "every client has a token, one in a new configuration": (world: ReadmissionWorld) =>
        readmitted(world) &&
        world.clients.every(({ token }) => token > 0) &&
        world.clients.some((c) => c.configuration > 1),
    }),
    ...(reconcilers > 1 && {
      ...(agreement === "by ballots" && {
        "a reconciler takes over what another proposed": (world: ReadmissionWorld) =>
          world.reconcilers.some((reconciler, r) => readmitters.tookOver(reconciler, r)),
      }),
      "a reconciler finishes what another began": (world: ReadmissionWorld) =>
        readmitted(world) && world.reconcilers.some(({ stage, used }) => stage > 0 && used === 0),
    }),
    ...(wipes > 1 && { "a third version is in force": (world: ReadmissionWorld) => world.shared.third > 0 }),
  };
}
