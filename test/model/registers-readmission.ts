/**
 * A primary restarts and is readmitted: the others are fenced into the next configuration, it drops what it kept, takes
 * what a majority have, and then takes part. (How the configuration is agreed on is the model of readmission.)
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import type { Done } from "./explore.js";
import { copy, forgetDisk, noteTombstone, restart, save } from "./registers-primary.js";
import { PRIMARIES, type Primary, type RegistersOptions, type RegistersWorld } from "./registers-world.js";
import { at } from "./world.js";

type Fork = () => RegistersWorld;

export function readmissionSteps(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  options: RegistersOptions,
): void {
  const { variant } = options;
  const outside = now.primaries.findIndex(({ member }) => member === 0);
  if (outside < 0) restarts(now, fork, done, options);
  else {
    fences(now, fork, done);
    copies(now, fork, done, outside, variant);
  }
}

function restarts(now: RegistersWorld, fork: Fork, done: Done, { variant }: RegistersOptions): void {
  // One at a time, and the next when all take part.
  if (now.primaries.some(({ configuration }) => configuration !== now.shared.configuration)) return;
  now.primaries.forEach(({ saved }, j) => {
    if (now.shared.saves > 0 && !saved) {
      const next = fork();
      save(at(next.primaries, j));
      next.shared.saves--;
      done("{primary} writes its state to disk, for the last time", j);
    }
    if (now.shared.restarts === 0) return;
    const next = fork();
    const primary = at(next.primaries, j);
    restart(primary, saved === 1);
    forgetDisk(primary);
    next.shared.restarts--;
    if (variant !== "a primary that forgot goes on") {
      primary.member = 0;
      if (variant !== "no fence") next.shared.configuration++;
    }
    done(`{primary} restarts with ${saved ? "what is on its disk" : "nothing"}`, j);
  });
}

function fences(now: RegistersWorld, fork: Fork, done: Done): void {
  now.primaries.forEach(({ member, configuration }, j) => {
    if (member === 0 || configuration === now.shared.configuration) return;
    const primary = at(fork().primaries, j);
    primary.configuration = now.shared.configuration;
    noteTombstone(primary);
    done("{primary} goes on in the next configuration", j);
  });
}

function copies(
  now: RegistersWorld,
  fork: Fork,
  done: Done,
  outside: number,
  variant: RegistersOptions["variant"],
): void {
  const isFresh = now.primaries.every(({ read }) => read === 0);
  now.primaries.forEach(({ member, configuration, read }, j) => {
    if (member === 0 || configuration !== now.shared.configuration || read) return;
    const next = fork();
    const to = at(next.primaries, outside);
    if (isFresh && !keepsItsOwn(variant)) restart(to, false);
    copy(at(next.primaries, j), to, variant);
    at(next.primaries, j).read = 1;
    done("the copy reads {primary}", j);
  });
  if (now.primaries.filter(({ read }) => read).length < majorityOf(PRIMARIES)) return;
  const next = fork();
  for (const primary of next.primaries) primary.read = 0;
  admit(at(next.primaries, outside), now.shared.configuration);
  done("{primary} is readmitted", outside);
}

const keepsItsOwn = (variant: RegistersOptions["variant"]) =>
  variant === "readmission that keeps its own registers" || variant === "copying by the highest ballot alone";

function admit(primary: Primary, configuration: number): void {
  primary.member = 1;
  primary.configuration = configuration;
  noteTombstone(primary);
}
