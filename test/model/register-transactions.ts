/**
 * Two registers that change together or not at all: intents, and the record in which a transaction is decided. Each
 * register is linearizable by itself (test/model/registers.ts), so that here a change or a read of one is a single step.
 * Any step may come late or never, which is how whoever takes it dies. What is true changes when a record is committed.
 */
import { clientName, type Done, type Model } from "./explore.js";
import { at, Layout, type World } from "./world.js";

export type TransactionsVariant =
  | "right"
  /** A reader takes a record that is gone for an aborted one, and does not look at the register again. */
  | "an intent whose transaction is unknown taken for aborted"
  | "a reader shows the new value of an active one"
  /** What is only read or checked is looked at, and nothing is noted. */
  | "no intents on what is read"
  /** A record that is not there is committed as well. */
  | "commit without comparing the creation"
  /** The record goes as soon as it is decided. */
  | "a record that goes before its intents"
  /** A writer clears the intent of an active one, and does not abort it. */
  | "a writer that does not abort what it clears";

/** `move`: changes both. `sum`: reads both. `left`, `right`: checks the one and changes the other. */
type Transaction = "move" | "sum" | "left" | "right";
/** `put`: changes the first. `get`: reads the second, and then the first. */
type Single = "put" | "get";

export interface TransactionsOptions {
  readonly variant: TransactionsVariant;
  readonly clients: readonly (Transaction | Single)[];
}

const fields = {
  primaries: 1,
  primary: [],
  link: [],
  client: [
    "phase",
    /** Of a transaction: its record. */
    "record",
    /** Of a transaction: what it found when it noted its intents. Of a reader: what it found, and whose intent. */
    "seen0",
    "seen1",
    "intent",
    /** Of a reader: the register that it reads, and what that has been worth since it began, as bits. */
    "key",
    "worth",
  ],
  shared: [
    "value0",
    "value1",
    /** Whose intent is there: a client + 1. */
    "intent0",
    "intent1",
    "true0",
    "true1",
    /** 1: a transaction was committed on what is not true any more; 2: a reader was told what was never true. */
    "wrong",
    "readersAborted",
  ],
  naming: [],
  alike: 0,
} as const;

type TransactionsShape = typeof fields & { clients: number };
type TransactionsWorld = World<TransactionsShape>;
type Client = TransactionsWorld["clients"][number];
type Key = 0 | 1;

const IDLE = 0;
/** Of a transaction: notes its intent in the first register, in the second, commits. */
const FIRST = 1;
const SECOND = 2;
const COMMITTING = 3;
/** Of a reader: knows the register, and looks at the record; looks at the register again; aborts the record. */
const LOOKING = 1;
const AGAIN = 2;
const ABORTING = 3;
const DONE = 4;

const ACTIVE = 1;
const COMMITTED = 2;
const ABORTED = 3;
const GONE = 4;

const KEYS: readonly Key[] = [0, 1];
const START = 2;

export function registerTransactions(options: TransactionsOptions): Model<TransactionsShape> {
  const { variant, clients } = options;
  return {
    name: `transactions of registers (${variant}), ${clients.join(", ")}`,
    layout: new Layout<TransactionsShape>({ ...fields, clients: clients.length }),
    initial({ shared }, done) {
      shared.value0 = shared.value1 = shared.true0 = shared.true1 = START;
      done();
    },
    steps(now, fork, done) {
      clients.forEach((kind, i) => {
        if (kind === "get") readerSteps(now, fork, done, i, options);
        else if (kind === "put") putSteps(now, fork, done, i, options);
        else {
          transactionSteps(now, fork, done, i, options);
          upkeepSteps(now, fork, done, i, options);
        }
      });
    },
    violation({ shared }) {
      if (shared.wrong === 1) return "a transaction was committed on what is not true any more";
      return shared.wrong === 2 ? "a reader was told what was never true" : null;
    },
    show,
    landmarks: landmarks(clients),
  };
}

type Fork = () => TransactionsWorld;

function transactionSteps(
  now: TransactionsWorld,
  fork: Fork,
  done: Done,
  i: number,
  options: TransactionsOptions,
): void {
  const { phase, record } = at(now.clients, i);
  if (phase === IDLE) {
    Object.assign(at(fork().clients, i), { phase: FIRST, record: ACTIVE });
    done("the record of {client} is made", 0, i);
  }
  if (phase === FIRST || phase === SECOND) {
    const key: Key = phase === FIRST ? 0 : 1;
    const by = intentOn(now, key);
    if (by > 0) settleSteps(now, fork, done, i, key, options);
    else {
      const next = fork();
      const client = at(next.clients, i);
      setSeen(client, key, valueIn(next, key));
      if (writes(kindOf(options, i), key) || options.variant !== "no intents on what is read")
        setIntent(next, key, i + 1);
      client.phase = phase + 1;
      done(`the intent of {client} in ${key}`, 0, i);
    }
  }
  if (phase === COMMITTING) {
    const next = fork();
    const client = at(next.clients, i);
    client.phase = DONE;
    const mayCommit =
      record === ACTIVE || (record === GONE && options.variant === "commit without comparing the creation");
    if (mayCommit) commit(next, i, kindOf(options, i));
    done(mayCommit ? "{client} commits" : "{client} finds that it was aborted", 0, i);
  }
}

function commit(world: TransactionsWorld, i: number, kind: Transaction): void {
  const client = at(world.clients, i);
  client.record = COMMITTED;
  if (KEYS.some((key) => seenOf(client, key) !== trueOf(world, key))) world.shared.wrong = 1;
  for (const key of KEYS) if (writes(kind, key)) setTrue(world, key, newValue(client, kind, key));
}

const writes = (kind: Transaction, key: Key) =>
  kind === "move" || (kind === "left" && key === 0) || (kind === "right" && key === 1);

/** What a transaction makes of a register: less of the first, more of the second. */
const newValue = (client: Client, kind: Transaction, key: Key): number =>
  seenOf(client, key) + (!writes(kind, key) ? 0 : key === 0 ? -1 : 1);

/** A writer that meets the intent of another. */
function settleSteps(
  now: TransactionsWorld,
  fork: Fork,
  done: Done,
  i: number,
  key: Key,
  { variant }: TransactionsOptions,
): void {
  const other = intentOn(now, key) - 1;
  const { record } = at(now.clients, other);
  // Whoever finds one that is decided clears it: see below.
  if (record !== ACTIVE && record !== GONE) return;
  const next = fork();
  if (variant === "a writer that does not abort what it clears") setIntent(next, key, 0);
  else at(next.clients, other).record = ABORTED;
  done(`a writer for {client} aborts ${clientName(other)}`, 0, i);
}

/** Anybody: clears what is decided, and then its record goes. */
function upkeepSteps(
  now: TransactionsWorld,
  fork: Fork,
  done: Done,
  i: number,
  options: TransactionsOptions,
): void {
  const { record } = at(now.clients, i);
  if (record !== COMMITTED && record !== ABORTED) return;
  const left = KEYS.filter((key) => intentOn(now, key) === i + 1);
  for (const key of left) {
    const next = fork();
    const client = at(next.clients, i);
    if (record === COMMITTED) setValue(next, key, newValue(client, kindOf(options, i), key));
    setIntent(next, key, 0);
    done(`the intent of {client} in ${key} is cleared`, 0, i);
  }
  if (left.length > 0 && options.variant !== "a record that goes before its intents") return;
  at(fork().clients, i).record = GONE;
  done("the record of {client} goes", 0, i);
}

function putSteps(
  now: TransactionsWorld,
  fork: Fork,
  done: Done,
  i: number,
  options: TransactionsOptions,
): void {
  if (at(now.clients, i).phase === DONE) return;
  if (intentOn(now, 0) > 0) {
    settleSteps(now, fork, done, i, 0, options);
    return;
  }
  const next = fork();
  at(next.clients, i).phase = DONE;
  setValue(next, 0, PUT);
  setTrue(next, 0, PUT);
  done("{client} puts", 0, i);
}

const PUT = 5;

function readerSteps(
  now: TransactionsWorld,
  fork: Fork,
  done: Done,
  i: number,
  options: TransactionsOptions,
): void {
  const { phase, key: place, intent } = at(now.clients, i);
  const key: Key = place === 0 ? 1 : 0;
  if (phase === DONE) return;
  const next = fork();
  const reader = at(next.clients, i);
  if (phase === IDLE || phase === AGAIN) {
    if (phase === IDLE) reader.worth = 1 << trueOf(next, key);
    const by = intentOn(next, key);
    if (phase === AGAIN && by === intent) reader.phase = ABORTING;
    else if (by === 0) tell(next, reader, valueIn(next, key));
    else Object.assign(reader, { phase: LOOKING, intent: by, seen0: valueIn(next, key) });
    done(`{client} reads ${key}`, 0, i);
    return;
  }
  const other = at(next.clients, intent - 1);
  const { variant } = options;
  if (phase === ABORTING) {
    if (other.record === GONE) {
      other.record = ABORTED;
      next.shared.readersAborted = 1;
    }
    reader.phase = LOOKING;
    done("{client} makes the record an aborted one", 0, i);
    return;
  }
  const isNew =
    other.record === COMMITTED ||
    (other.record === ACTIVE && variant === "a reader shows the new value of an active one");
  const isUnknown =
    other.record === GONE && variant !== "an intent whose transaction is unknown taken for aborted";
  if (isUnknown) reader.phase = AGAIN;
  else tell(next, reader, isNew ? newValue(other, kindOf(options, intent - 1), key) : reader.seen0);
  done("{client} looks at the record", 0, i);
}

/** The reader of a register is told its value. */
function tell(world: TransactionsWorld, reader: Client, value: number): void {
  if ((reader.worth & (1 << value)) === 0) world.shared.wrong = 2;
  const isLast = reader.key === 1;
  Object.assign(reader, { phase: isLast ? DONE : IDLE, key: 1, intent: 0, seen0: 0, worth: 0 });
}

const kindOf = ({ clients }: TransactionsOptions, i: number) => at(clients, i) as Transaction;

const valueIn = ({ shared }: TransactionsWorld, key: Key) => (key === 0 ? shared.value0 : shared.value1);
const trueOf = ({ shared }: TransactionsWorld, key: Key) => (key === 0 ? shared.true0 : shared.true1);
const intentOn = ({ shared }: TransactionsWorld, key: Key) => (key === 0 ? shared.intent0 : shared.intent1);
const seenOf = (client: Client, key: Key) => (key === 0 ? client.seen0 : client.seen1);

function setValue({ shared }: TransactionsWorld, key: Key, value: number): void {
  if (key === 0) shared.value0 = value;
  else shared.value1 = value;
}

function setIntent({ shared }: TransactionsWorld, key: Key, by: number): void {
  if (key === 0) shared.intent0 = by;
  else shared.intent1 = by;
}

function setSeen(client: Client, key: Key, value: number): void {
  if (key === 0) client.seen0 = value;
  else client.seen1 = value;
}

/** Whoever reads it now may be told the one or the other. */
function setTrue(world: TransactionsWorld, key: Key, value: number): void {
  if (key === 0) world.shared.true0 = value;
  else world.shared.true1 = value;
  for (const reader of world.clients)
    if (reader.worth > 0 && (reader.key === 0 ? 1 : 0) === key) reader.worth |= 1 << value;
}

function landmarks(kinds: TransactionsOptions["clients"]) {
  const transactions = kinds.flatMap((kind, i) => (kind === "get" || kind === "put" ? [] : [i]));
  const isGone = (world: TransactionsWorld, by: number) =>
    by > 0 && at(world.clients, by - 1).record === GONE;
  return {
    "every transaction is made, and its record has gone": (world: TransactionsWorld) =>
      transactions.every((i) => at(world.clients, i).phase === DONE && at(world.clients, i).record === GONE),
    ...(kinds.length > 1 && {
      "an intent came after its record had gone": (world: TransactionsWorld) =>
        KEYS.some((key) => isGone(world, intentOn(world, key))),
    }),
    ...(kinds.includes("get") &&
      kinds.length > 2 && {
        "a reader made a record an aborted one": (world: TransactionsWorld) =>
          world.shared.readersAborted === 1,
      }),
  };
}

const RECORDS = ["-", "active", "committed", "aborted", "gone"];

function show({ shared, clients }: TransactionsWorld): string {
  const register = (value: number, by: number, worth: number) =>
    `[${value}${by ? ` intent of ${clientName(by - 1)}` : ""}, true: ${worth}]`;
  return [
    register(shared.value0, shared.intent0, shared.true0),
    register(shared.value1, shared.intent1, shared.true1),
    ...clients.map(({ phase, record }, i) => `${clientName(i)} ${phase} ${RECORDS[record]}`),
  ].join("  ");
}
