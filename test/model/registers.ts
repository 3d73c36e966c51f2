/**
 * Registers by CASPaxos: prepare and accept, deletion with a floor of ballots, and the readmission of a primary with the
 * change of the configuration that it takes. One register. A message may arrive at any time, late and again and again,
 * or never, and so may be heard what came of it. What clients are told must be linearizable.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { clientName, type Done, type Model } from "./explore.js";
import { after, registersJudge } from "./registers-judge.js";
import { accept, knownTombstones, prepare, remove, save } from "./registers-primary.js";
import { readmissionSteps } from "./registers-readmission.js";
import {
  ACCEPTING,
  CHANGED,
  type Client,
  fields,
  IDLE,
  isDone,
  PREPARING,
  PRIMARIES,
  type Primary,
  READ,
  READING,
  type RegistersOptions,
  type RegistersShape,
  type RegistersWorld,
} from "./registers-world.js";
import { at, Layout } from "./world.js";

type Fork = () => RegistersWorld;

export function registers(options: RegistersOptions): Model<RegistersShape> {
  const { variant, clients, restarts, removals } = options;
  const layout = new Layout<RegistersShape>({ ...fields, clients: clients.length });
  return {
    name: `registers (${variant}), ${clients.join(", ")} from ${options.from}, ${restarts} restarts with ${options.restartsWith}${removals ? ", removals" : ""}`,
    layout,
    initial(world, done) {
      for (const primary of world.primaries) primary.member = primary.configuration = 1;
      world.shared.configuration = 1;
      world.shared.restarts = restarts;
      world.shared.saves = options.restartsWith === "nothing" ? 0 : restarts;
      if (options.from === "a deleted one") deleted(world, options);
      if (options.from === "a deletion under way") deleting(world, options);
      done();
    },
    steps(now, fork, done) {
      clients.forEach((kind, i) => {
        for (let j = 0; j < PRIMARIES; j++) {
          const { phase } = at(now.clients, i);
          if (phase === READING || (phase === IDLE && kind === "read")) read(now, fork, done, i, j, options);
          if (phase === PREPARING || (phase === IDLE && kind !== "read"))
            prepares(now, fork, done, i, j, options);
          if (phase === ACCEPTING || phase === CHANGED) accepts(now, fork, done, i, j, options);
          acceptsLate(now, fork, done, i, j, options);
        }
        if (kind === "create") triesAgain(now, fork, done, i);
      });
      if (removals) removalSteps(now, fork, done, options);
      if (variant === "a TTL in Redis") expirySteps(now, fork, done);
      if (restarts > 0) readmissionSteps(now, fork, done, options);
    },
    violation: registersJudge(clients),
    show,
    landmarks: landmarks(options),
  };
}

/** The first client's append reached all primaries, and the second's tombstone a majority. All may come once more. */
function deleted(world: RegistersWorld, options: RegistersOptions): void {
  const [first, second] = world.clients as [Client, Client];
  Object.assign(first, { phase: CHANGED, configuration: 1, content: 1 });
  Object.assign(second, { phase: CHANGED, configuration: 1, before: 1 });
  world.primaries.forEach((primary, j) => {
    accept(primary, ballotOf(0, options), 1, options.variant);
    if (j === 0 && options.restartsWith !== "nothing") save(primary);
    if (j < majorityOf(PRIMARIES)) accept(primary, ballotOf(1, options), 0, options.variant);
  });
}

/** The first client's append is on a majority, and the second's tombstone on the other primary. */
function deleting(world: RegistersWorld, options: RegistersOptions): void {
  const [first, second] = world.clients as [Client, Client];
  Object.assign(first, { phase: CHANGED, configuration: 1, content: 1 });
  Object.assign(second, { phase: ACCEPTING, configuration: 1, before: 1 });
  world.primaries.forEach((primary, j) => {
    if (j > 0) accept(primary, ballotOf(0, options), 1, options.variant);
    if (j < majorityOf(PRIMARIES)) prepare(primary, ballotOf(1, options), options.variant);
    if (j === 0) accept(primary, ballotOf(1, options), 0, options.variant);
  });
}

function ballotOf(i: number, { variant, clients }: RegistersOptions, again = 0): number {
  if (variant === "a ballot reused for another value") return Math.max(1, i);
  return i + 1 + again + clients.slice(0, i).filter((kind) => kind === "create").length;
}

const quorum = ({ variant }: RegistersOptions) => (variant === "a quorum of one" ? 1 : majorityOf(PRIMARIES));

function reaches(client: Client, primary: Primary, { variant }: RegistersOptions): boolean {
  if (primary.member === 0) return false;
  return client.phase === IDLE || variant === "no fence" || client.configuration === primary.configuration;
}

/** A client begins when the first of its messages arrives: nothing can tell whether it asked before. */
function begin(world: RegistersWorld, i: number, phase: number, primary: Primary): Client {
  const client = at(world.clients, i);
  if (client.phase !== IDLE) return client;
  client.phase = phase;
  client.configuration = primary.configuration;
  client.before = world.clients.reduce((bits, other, k) => bits | (isDone(other) ? 1 << k : 0), 0);
  return client;
}

function enter(world: RegistersWorld, i: number, phase: number): void {
  const client = at(world.clients, i);
  client.phase = phase;
  client.best = client.bestContent = client.unlike = 0;
  for (const { links } of world.primaries) at(links, i).heard = 0;
}

/** Notes an answer; true when there are enough. */
function hear(world: RegistersWorld, i: number, j: number, enough: number): boolean {
  at(at(world.primaries, j).links, i).heard = 1;
  return world.primaries.filter(({ links }) => at(links, i).heard === 1).length >= enough;
}

/** One round trip, and where the primaries differ an identity change. An answer that is not heard is as good as none. */
function read(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  i: number,
  j: number,
  options: RegistersOptions,
): void {
  if (!reaches(at(now.clients, i), at(now.primaries, j), options)) return;
  if (at(at(now.primaries, j).links, i).heard) return;
  const next = fork();
  const primary = at(next.primaries, j);
  const isFirst = at(next.clients, i).phase === IDLE;
  const client = begin(next, i, READING, primary);
  if (isFirst) {
    client.best = primary.accepted;
    client.bestContent = primary.content;
  }
  const isSame = client.best === primary.accepted;
  const isEnough = hear(next, i, j, options.variant === "read from one primary" ? 1 : quorum(options));
  if (!isSame) enter(next, i, PREPARING);
  else if (isEnough) {
    client.content = client.bestContent;
    enter(next, i, READ);
  }
  done("{client} reads {primary}", j, i);
}

function prepares(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  i: number,
  j: number,
  options: RegistersOptions,
): void {
  if (!reaches(at(now.clients, i), at(now.primaries, j), options)) return;
  for (const heard of [true, false]) {
    const next = fork();
    const primary = at(next.primaries, j);
    if (!prepare(primary, ballotOf(i, options, at(next.clients, i).again), options.variant)) return;
    const client = begin(next, i, PREPARING, primary);
    if (heard) {
      const isFirst = next.primaries.every(({ links }) => at(links, i).heard === 0);
      if (!isFirst && primary.accepted !== client.best) client.unlike = 1;
      if (primary.accepted > client.best) {
        client.best = primary.accepted;
        client.bestContent = primary.content;
      }
      if (hear(next, i, j, quorum(options))) {
        // Of a change that was made in its first try there is nothing more to be shown.
        if (client.again && client.bestContent & (1 << i)) return;
        decides(next, i, options);
      }
    }
    done(`prepare of {client} reaches {primary}${heard ? "" : ", unheard"}`, j, i);
  }
}

/** What a majority promised it is told, or proposed: unchanged where nothing is to be changed and it is not decided. */
function decides(world: RegistersWorld, i: number, { clients, variant }: RegistersOptions): void {
  const client = at(world.clients, i);
  const { again, bestContent, unlike } = client;
  client.content = after(at(clients, i), bestContent, i);
  const mayTell = !again || variant === "telling what was found below its own proposal";
  const isKept = at(clients, i) === "create" && client.content === bestContent;
  enter(world, i, isKept && !unlike && mayTell ? READ : ACCEPTING);
}

/** Nobody answers, or not in time: the same change under another ballot. */
function triesAgain(now: RegistersWorld, fork: Fork, done: Done, i: number): void {
  const { phase, again } = at(now.clients, i);
  if (phase !== ACCEPTING || again) return;
  const next = fork();
  const client = at(next.clients, i);
  client.again = 1;
  client.first = client.content;
  enter(next, i, PREPARING);
  done("{client} tries again", 0, i);
}

/** What was proposed in the first try arrives after the second began. */
function acceptsLate(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  i: number,
  j: number,
  options: RegistersOptions,
): void {
  const { again, first } = at(now.clients, i);
  if (!again || at(now.primaries, j).accepted === ballotOf(i, options)) return;
  if (!accept(at(fork().primaries, j), ballotOf(i, options), first, options.variant)) return;
  done("the first accept of {client} reaches {primary}", j, i);
}

function accepts(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  i: number,
  j: number,
  options: RegistersOptions,
): void {
  const { phase, configuration, again } = at(now.clients, i);
  const primary = at(now.primaries, j);
  const ballot = ballotOf(i, options, again);
  if (primary.member === 0) return;
  const goesOn = options.variant === "an accept that goes on in the next configuration";
  const isHeardThere = options.variant === "no fence" || configuration === primary.configuration;
  const isLate = goesOn && primary.configuration < configuration;
  const isNext = goesOn && primary.configuration > configuration && phase === ACCEPTING;
  if (!isHeardThere && !isLate && !isNext) return;
  const isThereAlready = primary.accepted === ballot;
  for (const heard of [true, false]) {
    if (
      heard ? phase !== ACCEPTING || isLate || (isHeardThere && at(primary.links, i).heard) : isThereAlready
    )
      continue;
    const next = fork();
    const client = at(next.clients, i);
    if (!accept(at(next.primaries, j), ballot, client.content, options.variant)) return;
    if (isNext) {
      enter(next, i, ACCEPTING);
      client.configuration = primary.configuration;
    }
    if (heard && hear(next, i, j, quorum(options))) enter(next, i, CHANGED);
    done(`accept of {client} reaches {primary}${heard ? "" : ", unheard"}`, j, i);
  }
}

/** Any instance: a tombstone that all primaries are known to have, or a promise to somebody who never came back. */
function removalSteps(now: RegistersWorld, fork: Fork, done: Done, { variant }: RegistersOptions): void {
  const enough =
    variant === "a key deleted that only a majority know as deleted" ? majorityOf(PRIMARIES) : PRIMARIES;
  now.primaries.forEach((primary, j) => {
    const { member, promised, accepted, content } = primary;
    if (member === 0 || promised === 0) return;
    const isTombstone = accepted > 0 && content === 0;
    if (accepted > 0 && !(isTombstone && knownTombstones(primary, now.primaries) >= enough)) return;
    remove(at(fork().primaries, j), variant);
    done(isTombstone ? "the tombstone on {primary} goes" : "a promise without a value on {primary} goes", j);
  });
}

function expirySteps(now: RegistersWorld, fork: Fork, done: Done): void {
  now.primaries.forEach(({ content }, j) => {
    if (content === 0) return;
    const next = fork();
    const primary = at(next.primaries, j);
    primary.promised = primary.accepted = primary.content = 0;
    next.shared.expired = 1;
    done("the register on {primary} expires", j);
  });
}

function landmarks({
  removals,
  restarts,
}: RegistersOptions): NonNullable<Model<RegistersShape>["landmarks"]> {
  const all = (world: RegistersWorld, holds: (primary: Primary) => boolean) => world.primaries.every(holds);
  return {
    "every client was told what came of it": (world) => world.clients.every(isDone),
    ...(removals && {
      "a deleted register left nothing behind": (world: RegistersWorld) =>
        all(world, ({ promised, floor }) => promised === 0 && floor > 0),
    }),
    ...(restarts > 0 && {
      "a primary that restarted took part in what was acknowledged": (world: RegistersWorld) =>
        world.shared.restarts === 0 &&
        all(world, ({ member }) => member === 1) &&
        world.clients.some(({ phase, configuration }) => phase === CHANGED && configuration > 1),
    }),
  };
}

const PHASES = ["-", "reading", "preparing", "accepting", "told", "told"];

function show({ primaries, clients }: RegistersWorld): string {
  const contentOf = (content: number) =>
    clients.map((_, i) => (content & (1 << i) ? clientName(i) : "")).join("") || "nothing";
  return [
    ...primaries.map(
      ({ promised, accepted, content, floor, configuration, member }) =>
        `[${member ? "" : "out "}${promised} ${accepted ? `${accepted}:${contentOf(content)}` : "-"} above ${floor} in ${configuration}]`,
    ),
    ...clients.map(
      ({ phase, content }, i) =>
        `${clientName(i)} ${PHASES[phase]}${phase >= ACCEPTING ? ` ${contentOf(content)}` : ""}`,
    ),
  ].join("  ");
}
