import { createHash } from "node:crypto";
import { Lua } from "wasmoon-lua5.1";
import { Failure, type Reply, Status } from "./reply.js";

/** `redis.call` of a script. */
export type RedisCall = (command: string, args: string[]) => Reply;

/** A script that was compiled. */
export type Compiled = number & { readonly compiled: unique symbol };

/**
 * Lua 5.1, as Redis has it, for the scripts of src/redis/lua: the C implementation, compiled to WebAssembly. Only what
 * Redis gives to scripts is there: base functions, string, table, math, and of `redis` what ours use. Numbers and
 * replies are converted as Redis does it. One machine serves all primaries of all runs: a script keeps nothing.
 */
export class LuaMachine {
  #call: RedisCall = () => null;
  #crash: unknown = null;
  readonly #state: number;
  readonly #scratch: number;
  readonly #compiled = new Map<string, Compiled>();
  readonly #names = new Map<string, number>();
  /** Texts that Lua keeps for us, so that neither side has to copy them again: by text, and by their address in Lua. */
  readonly #kept = new Map<string, number>();
  readonly #keptAt = new Map<number, string>();
  #view: Buffer = Buffer.alloc(0);

  static async create(): Promise<LuaMachine> {
    const { lua, wasm } = await instantiate();
    return new LuaMachine(wasm, lua.luaApi.module as unknown as Glue, lua.global.address);
  }

  private constructor(
    private readonly wasm: Wasm,
    private readonly glue: Glue,
    state: number,
  ) {
    this.#state = state;
    this.#scratch = wasm.malloc(SCRATCH_BYTES);
    this.#pushFunction(() => this.#redisCall());
    this.#setGlobal("__call");
    this.#pushFunction(() => this.#sha1hex());
    this.#setGlobal("__sha1hex");
    this.#do(BOOT);
  }

  /** Each text once, however often it is asked for. Throws what the compiler says. */
  compile(text: string): Compiled {
    let script = this.#compiled.get(text);
    if (script === undefined) {
      script = this.#compile(text);
      this.#compiled.set(text, script);
    }
    return script;
  }

  #compile(text: string): Compiled {
    const { wasm } = this;
    // Equal texts are one object in Lua: what is kept here is found again when the script passes its constants.
    for (const [, constant = ""] of text.matchAll(/'([^'\\\n]*)'/g)) this.#keep(constant);
    const bytes = new TextEncoder().encode(text);
    const at = wasm.malloc(bytes.length + 1);
    this.glue.HEAPU8.set(bytes, at);
    const error = wasm.luaL_loadbuffer(this.#state, at, bytes.length, this.#name("@user_script"));
    wasm.free(at);
    if (error !== 0) {
      const message = this.#text(-1);
      this.#pop(1);
      throw new SyntaxError(message);
    }
    return wasm.luaL_ref(this.#state, REGISTRY) as Compiled;
  }

  run(script: Compiled, keys: readonly string[], args: readonly string[], call: RedisCall): Reply {
    const { wasm } = this;
    const top = wasm.lua_gettop(this.#state);
    this.#call = call;
    this.#crash = null;
    wasm.lua_createtable(this.#state, keys.length, 0);
    keys.forEach((key, place) => {
      this.#pushKey(key);
      wasm.lua_rawseti(this.#state, -2, place + 1);
    });
    this.#setGlobal("KEYS");
    this.#pushTexts(args);
    this.#setGlobal("ARGV");
    wasm.lua_rawgeti(this.#state, REGISTRY, script);
    const error = wasm.lua_pcall(this.#state, 0, 1, 0);
    // A mistake of the simulation itself must not pass for an error of the script.
    if (this.#crash !== null) throw this.#crash;
    const reply = error === 0 ? this.#reply() : this.#failure();
    wasm.lua_settop(this.#state, top);
    return reply;
  }

  #do(text: string): void {
    const { wasm } = this;
    wasm.lua_rawgeti(this.#state, REGISTRY, this.compile(text));
    if (wasm.lua_pcall(this.#state, 0, 0, 0) !== 0) throw new Error(this.#text(-1));
  }

  /** What Lua code calls; an exception must not cross Lua's frames. */
  #pushFunction(body: () => number): void {
    const guarded = () => {
      try {
        return body();
      } catch (error) {
        this.#crash ??= error;
        return 0;
      }
    };
    this.wasm.lua_pushcclosure(this.#state, this.glue.addFunction(guarded, "ii"), 0);
  }

  #redisCall(): number {
    const count = this.wasm.lua_gettop(this.#state);
    const args: string[] = [];
    for (let i = 2; i <= count; i++) args.push(this.#argument(i));
    const reply = this.#call(this.#text(1).toUpperCase(), args);
    if (reply instanceof Failure) {
      this.#pushText(reply.text);
      this.wasm.lua_pushboolean(this.#state, 1);
      return 2;
    }
    this.#pushReply(reply);
    return 1;
  }

  #sha1hex(): number {
    this.#pushText(sha1hex(this.#text(1)));
    return 1;
  }

  /** Redis turns numbers into text by `%.17g`. */
  #argument(place: number): string {
    if (this.wasm.lua_type(this.#state, place) !== NUMBER) return this.#text(place);
    const value = this.wasm.lua_tonumber(this.#state, place);
    if (Number.isInteger(value) && Math.abs(value) < 1e17) return String(value);
    return value.toPrecision(17).replace(/\.?0+$/, "");
  }

  #reply(): Reply {
    const { wasm } = this;
    switch (wasm.lua_type(this.#state, -1)) {
      case NUMBER:
        return Math.trunc(wasm.lua_tonumber(this.#state, -1));
      case STRING:
        return this.#text(-1);
      case BOOLEAN:
        return wasm.lua_toboolean(this.#state, -1) ? 1 : null;
      case TABLE:
        return this.#tableReply();
      default:
        return null;
    }
  }

  #tableReply(): Reply {
    const { wasm } = this;
    const error = this.#field("err");
    if (error !== null) return new Failure(error);
    const status = this.#field("ok");
    if (status !== null) return new Status(status);
    const replies: Reply[] = [];
    for (let i = 1; ; i++) {
      wasm.lua_rawgeti(this.#state, -1, i);
      // As in Redis, the first nil ends the table.
      const end = wasm.lua_type(this.#state, -1) === NIL;
      if (!end) replies.push(this.#reply());
      this.#pop(1);
      if (end) return replies;
    }
  }

  /** A field of the table on top, where it is a text. */
  #field(name: string): string | null {
    this.wasm.lua_getfield(this.#state, -1, this.#name(name));
    const text = this.wasm.lua_type(this.#state, -1) === STRING ? this.#text(-1) : null;
    this.#pop(1);
    return text;
  }

  #failure(): Failure {
    const raised = this.#reply();
    if (raised instanceof Failure) return raised;
    return new Failure(`ERR ${typeof raised === "string" ? raised : "a script failed"}`);
  }

  #pushReply(reply: Reply): void {
    const { wasm } = this;
    if (typeof reply === "string") this.#pushText(reply);
    else if (typeof reply === "number") wasm.lua_pushnumber(this.#state, reply);
    else if (reply === null) wasm.lua_pushboolean(this.#state, 0);
    else if (reply instanceof Status) {
      wasm.lua_createtable(this.#state, 0, 1);
      this.#pushText(reply.text);
      wasm.lua_setfield(this.#state, -2, this.#name("ok"));
    } else if (reply instanceof Failure) {
      wasm.lua_createtable(this.#state, 0, 1);
      this.#pushText(reply.text);
      wasm.lua_setfield(this.#state, -2, this.#name("err"));
    } else {
      wasm.lua_createtable(this.#state, reply.length, 0);
      reply.forEach((one, place) => {
        this.#pushReply(one);
        wasm.lua_rawseti(this.#state, -2, place + 1);
      });
    }
  }

  #pushTexts(texts: readonly string[]): void {
    this.wasm.lua_createtable(this.#state, texts.length, 0);
    for (let i = 0; i < texts.length; i++) {
      this.#pushText(texts[i] as string);
      this.wasm.lua_rawseti(this.#state, -2, i + 1);
    }
  }

  #pushKey(text: string): void {
    if (text.length > SHORT_KEY) {
      this.#pushText(text);
      return;
    }
    this.#keep(text);
    this.wasm.lua_rawgeti(this.#state, REGISTRY, this.#kept.get(text) as number);
  }

  #keep(text: string): void {
    if (this.#kept.has(text)) return;
    const { wasm } = this;
    this.#pushText(text);
    this.#keptAt.set(wasm.lua_tolstring(this.#state, -1, this.#scratch), text);
    this.#kept.set(text, wasm.luaL_ref(this.#state, REGISTRY));
  }

  #pushText(text: string): void {
    const heap = this.glue.HEAPU8;
    const { length } = text;
    if (length * 3 > SCRATCH_BYTES) throw new RangeError("a text is too long for the simulation");
    let at = this.#scratch;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.#pushEncoded(text);
        return;
      }
      heap[at++] = unit;
    }
    this.wasm.lua_pushlstring(this.#state, this.#scratch, length);
  }

  #pushEncoded(text: string): void {
    const room = this.glue.HEAPU8.subarray(this.#scratch, this.#scratch + SCRATCH_BYTES);
    this.wasm.lua_pushlstring(this.#state, this.#scratch, new TextEncoder().encodeInto(text, room).written);
  }

  #text(place: number): string {
    const { wasm } = this;
    const at = wasm.lua_tolstring(this.#state, place, this.#scratch);
    const kept = this.#keptAt.get(at);
    if (kept !== undefined) return kept;
    const heap = this.#heap;
    const end = at + (this.glue.HEAPU32[this.#scratch >> 2] as number);
    for (let i = at; i < end; i++) if ((heap[i] as number) > 0x7f) return heap.toString("utf8", at, end);
    // Far quicker than to decode, or to put it together letter by letter.
    return heap.toString("latin1", at, end);
  }

  /** The memory of Lua, which is another one once it has grown. */
  get #heap(): Buffer {
    const { buffer } = this.glue.HEAPU8;
    if (this.#view.buffer !== buffer) this.#view = Buffer.from(buffer);
    return this.#view;
  }

  #setGlobal(name: string): void {
    this.wasm.lua_setfield(this.#state, GLOBALS, this.#name(name));
  }

  #pop(count: number): void {
    this.wasm.lua_settop(this.#state, -count - 1);
  }

  /** A C string that is kept. */
  #name(text: string): number {
    let at = this.#names.get(text);
    if (at === undefined) {
      at = this.wasm.malloc(text.length + 1);
      for (let i = 0; i < text.length; i++) this.glue.HEAPU8[at + i] = text.charCodeAt(i);
      this.glue.HEAPU8[at + text.length] = 0;
      this.#names.set(text, at);
    }
    return at;
  }
}

/** Redis' SHA-1, remembered: a run asks for the same few again and again. */
export function sha1hex(text: string): string {
  let digest = digests.get(text);
  if (digest === undefined) {
    digest = createHash("sha1").update(text).digest("hex");
    if (digests.size > 10_000) digests.clear();
    digests.set(text, digest);
  }
  return digest;
}

const digests = new Map<string, string>();

const SCRATCH_BYTES = 1 << 18;
/** Keys without an id in them, which come again and again. */
const SHORT_KEY = 24;
/** Of lua.h. */
const REGISTRY = -10_000;
const GLOBALS = -10_002;
const NIL = 0;
const BOOLEAN = 1;
const NUMBER = 3;
const STRING = 4;
const TABLE = 5;

/** Makes `redis`, and takes away what Redis does not give to scripts. As in Redis, scripts have no globals. */
const BOOT = `
local call, sha1hex = __call, __sha1hex
local error = error
redis = {
  call = function(...)
    local reply, failed = call(...)
    if failed then error({ err = reply }, 0) end
    return reply
  end,
  pcall = function(...)
    local reply, failed = call(...)
    if failed then return { err = reply } end
    return reply
  end,
  sha1hex = sha1hex,
  error_reply = function(text) return { err = text } end,
  status_reply = function(text) return { ok = text } end,
}
KEYS, ARGV = {}, {}
for _, name in ipairs({ '__call', '__sha1hex', 'os', 'io', 'debug', 'package', 'require', 'module', 'print', 'dofile',
  'loadfile', 'newproxy', 'collectgarbage', 'getfenv', 'setfenv' }) do _G[name] = nil end
math.random, math.randomseed = nil, nil
setmetatable(_G, {
  __index = function(_, name) error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 0) end,
  __newindex = function() error('Attempt to modify a readonly table', 0) end,
})
`;

/**
 * Takes the functions as WebAssembly made them: those of the package check their every call, which costs more than what
 * they do.
 */
async function instantiate(): Promise<{ lua: Lua; wasm: Wasm }> {
  const assembly = (globalThis as unknown as { WebAssembly: { instantiate: Instantiate } }).WebAssembly;
  const { instantiate } = assembly;
  let wasm: Wasm | undefined;
  assembly.instantiate = async (...args) => {
    const source = await instantiate(...args);
    wasm = source.instance.exports;
    return source;
  };
  try {
    const lua = await Lua.create();
    if (!wasm) throw new Error("the package of Lua has changed how it starts");
    return { lua, wasm };
  } finally {
    assembly.instantiate = instantiate;
  }
}

type Instantiate = (...args: unknown[]) => Promise<{ instance: { exports: Wasm } }>;

/** What we use of what the package makes of it. */
interface Glue {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  addFunction(body: () => number, signature: string): number;
}

/** What we use of the compiled C of Lua 5.1: lua.h and lauxlib.h, by addresses. */
interface Wasm {
  malloc(bytes: number): number;
  free(at: number): void;
  luaL_loadbuffer(state: number, at: number, length: number, name: number): number;
  luaL_ref(state: number, table: number): number;
  lua_createtable(state: number, array: number, record: number): void;
  lua_getfield(state: number, place: number, name: number): void;
  lua_gettop(state: number): number;
  lua_pcall(state: number, args: number, results: number, handler: number): number;
  lua_pushboolean(state: number, value: number): void;
  lua_pushcclosure(state: number, body: number, upvalues: number): void;
  lua_pushlstring(state: number, at: number, length: number): void;
  lua_pushnumber(state: number, value: number): void;
  lua_rawgeti(state: number, place: number, index: number): void;
  lua_rawseti(state: number, place: number, index: number): void;
  lua_setfield(state: number, place: number, name: number): void;
  lua_settop(state: number, place: number): void;
  lua_toboolean(state: number, place: number): number;
  lua_tolstring(state: number, place: number, length: number): number;
  lua_tonumber(state: number, place: number): number;
  lua_type(state: number, place: number): number;
}
