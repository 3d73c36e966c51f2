import { Places } from "../algorithms/places.js";
import type { Clock, Random } from "../clock.js";
import { AllowList } from "../outbound/allow-list.js";
import { type Post, postingBy } from "../outbound/post.js";
import { Instances, inRounds } from "../primitives/instances.js";
import type { Membership } from "../primitives/members/membership.js";
import {
  CALLBACKS_MAX,
  type Callbacks,
  type Callees,
  type TransactionName,
} from "../primitives/transactions/callbacks.js";
import { tooManyTransactions } from "../primitives/transactions/transaction-failures.js";
import type { Transactions } from "../primitives/transactions/transactions.js";
import { assertAllowed } from "./allowed.js";
import { type CallObserver, TransactionCalls } from "./transaction-calls.js";

export interface CallbackDependencies {
  readonly callbacks: Callbacks;
  readonly transactions: Transactions;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: CallObserver | undefined;
  /** Makes a request, if not over the network. */
  readonly post?: Post;
}

/**
 * Calls the participants of transactions that ask for it. The instance that began a transaction calls them; where it is gone,
 * a ring of the others says which one goes on. Two may do so for a moment: participants are told the same twice then, which
 * they must bear anyway. Where nothing is allowed it does nothing at all.
 */
export class CallbackDeliveries {
  readonly #allow: AllowList;
  readonly #post: Post;
  readonly #instances: Instances;
  readonly #places = new Places(UNDER_WAY_MAX);
  readonly #running = new Map<string, TransactionCalls>();
  /** Who calls the participants of other transactions, as far as was read. */
  #callers = new Map<string, string>();
  /** How many there are: by the last look, and those that were begun here since. */
  #stored = 0;
  readonly #stopping = new AbortController();

  /** `allow`: as `QUORATE_CALLBACK_ALLOW` has it. `id`: of this instance. */
  constructor(
    allow: readonly string[],
    id: string,
    private readonly dependencies: CallbackDependencies,
  ) {
    this.#allow = new AllowList(allow);
    this.#post = dependencies.post ?? postingBy(this.#allow, dependencies.clock);
    this.#instances = new Instances("callbacks", dependencies.membership, id);
  }

  /** How many transactions this instance calls the participants of. */
  get transactions(): number {
    return this.#running.size;
  }

  /** Throws `invalid_request` where a URL is none, or not allowed, and `too_many_transactions`. */
  check(urls: Callees["urls"]): void {
    for (const [participant, url] of Object.entries(urls))
      assertAllowed(this.#allow, `callbacks.${participant}`, url, "QUORATE_CALLBACK_ALLOW");
    if (this.#stored >= CALLBACKS_MAX) throw tooManyTransactions();
  }

  /** Begins to call the participants of a transaction that was begun. Throws as `Changes.change` does. */
  async begin(name: TransactionName, terms: Omit<Callees, "caller">): Promise<void> {
    const callees = { ...terms, caller: this.#instances.id };
    if (!(await this.dependencies.callbacks.put(name, callees))) return;
    this.#stored += 1;
    this.#run(name, callees);
  }

  start(): void {
    if (this.#allow.isEmpty) return;
    const { clock } = this.dependencies;
    void inRounds(() => this.#round(), ROUND_MS, clock, this.#stopping.signal);
  }

  stop(): void {
    this.#stopping.abort();
    this.#endAll();
    this.#instances.leave().catch(() => {});
  }

  /** Goes on with the transactions of instances that are gone. */
  async #round(): Promise<void> {
    const { callbacks } = this.dependencies;
    const mayBeTaken = await this.#instances.meet();
    const names = await callbacks.list(CALLBACKS_MAX + 1);
    this.#stored = names.length;
    const callers = this.#callers;
    this.#callers = new Map();
    for (const name of names) {
      const key = keyOf(name);
      if (this.#stopping.signal.aborted) return;
      if (this.#running.has(key) && !mayBeTaken) continue;
      const known = callers.get(key);
      const caller =
        known !== undefined && this.#instances.isLive(known) ? known : await this.#takeOver(name);
      if (caller !== null) this.#callers.set(key, caller);
    }
  }

  /** Returns who calls its participants; null: nobody has to any more, or this instance does. */
  async #takeOver(name: TransactionName): Promise<string | null> {
    const { callbacks } = this.dependencies;
    const { id } = this.#instances;
    const callees = await callbacks.read(name);
    if (!callees) return null;
    const { caller } = callees;
    if (caller === id) this.#run(name, callees);
    else if (this.#instances.isLive(caller)) this.#end(keyOf(name));
    else if (this.#instances.isOwn(keyOf(name))) {
      const claimed = await callbacks.claim(name, id, caller);
      if (claimed) this.#run(name, claimed);
    }
    return caller === id ? null : caller;
  }

  #run(name: TransactionName, callees: Callees): void {
    const key = keyOf(name);
    if (this.#running.has(key) || this.#stopping.signal.aborted || this.#allow.isEmpty) return;
    const calls = new TransactionCalls(name, callees, {
      ...this.dependencies,
      allow: this.#allow,
      post: this.#post,
      places: this.#places,
    });
    this.#running.set(key, calls);
    void calls.run().then(() => {
      if (this.#running.get(key) === calls) this.#running.delete(key);
    });
  }

  #end(key: string): void {
    this.#running.get(key)?.stop();
    this.#running.delete(key);
  }

  #endAll(): void {
    for (const key of [...this.#running.keys()]) this.#end(key);
  }
}

const keyOf = ({ namespace, id }: TransactionName) => `${namespace}/${id}`;

/** How often instances look at each other and at which transactions there are. */
const ROUND_MS = 1_500;
/** Calls of this instance at a time: those of participants that hang must leave room for others. */
const UNDER_WAY_MAX = 256;
