/**
 * `parseArgs`: a command line as an object, by the rules of `minimist` that `@std/cli` follows.
 * Not a command parser: no help text, no checks. Neighbour: `types.ts`.
 */

import type { Args, Names, ParseOptions } from "./types.ts";

interface Rules {
  readonly booleans: ReadonlySet<string>;
  readonly isAllBoolean: boolean;
  readonly strings: ReadonlySet<string>;
  readonly collected: ReadonlySet<string>;
  readonly negatable: ReadonlySet<string>;
  readonly aliases: ReadonlyMap<string, ReadonlySet<string>>;
  readonly unknown: ParseOptions["unknown"];
}

type Tree = Record<string, unknown>;

const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/i;
const HEX = /^0x[0-9a-f]+$/i;

function looksNumeric(text: string): boolean {
  return NUMBER.test(text) || HEX.test(text);
}

function list(names: Names | boolean | undefined): readonly string[] {
  if (names === undefined || typeof names === "boolean") return [];
  return (typeof names === "string" ? [names] : names).filter((n) => n !== "");
}

/** Every name of a flag to the set of its other names. */
function aliasMap(alias: Record<string, Names>): Map<string, Set<string>> {
  const out = new Map<string, Set<string>>();
  for (const [key, value] of Object.entries(alias)) {
    const group = [key, ...list(value)];
    for (const name of group) out.set(name, new Set(group.filter((other) => other !== name)));
  }
  return out;
}

function withAliases(names: readonly string[], aliases: Rules["aliases"]): Set<string> {
  const out = new Set<string>();
  for (const name of names) {
    out.add(name);
    for (const other of aliases.get(name) ?? []) out.add(other);
  }
  return out;
}

/** `args` as an object of flags, with the positional arguments in `_`. */
export function parseArgs<
  const B extends Names | boolean = never,
  const S extends Names = never,
  const C extends Names = never,
  const N extends Names = never,
  const D extends Record<string, unknown> = Record<never, never>,
  const A extends Record<string, Names> = Record<never, never>,
  const DD extends boolean = false,
>(
  args: string[],
  options?: ParseOptions<B, S, C, N, D, A, DD>,
): Args<B, S, C, D, A, DD>;
export function parseArgs(args: string[], options: ParseOptions = {}): Tree {
  const aliases = aliasMap(options.alias ?? {});
  const rules: Rules = {
    booleans: withAliases(list(options.boolean), aliases),
    isAllBoolean: options.boolean === true,
    strings: withAliases(list(options.string), aliases),
    collected: withAliases(list(options.collect), aliases),
    negatable: withAliases(list(options.negatable), aliases),
    aliases,
    unknown: options.unknown,
  };
  const parser = new Parser(rules);
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  const rest = end < 0 ? [] : args.slice(end + 1);
  parser.run(flags, options.stopEarly ?? false);
  parser.fillDefaults(options.default ?? {});
  if (options["--"]) parser.out["--"] = [...rest];
  else parser.positional.push(...rest);
  return parser.out;
}

class Parser {
  readonly positional: (string | number)[] = [];
  readonly out: Tree = { _: this.positional };
  readonly #rules: Rules;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** Reads all arguments, with `stopEarly` only up to the first positional one. */
  run(args: readonly string[], stopEarly: boolean): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] ?? "";
      if (/^--./.test(arg)) i += this.#long(arg, args[i + 1]);
      else if (/^-[^-]/.test(arg)) i += this.#short(arg, args[i + 1]);
      else {
        if (this.#rules.unknown?.(arg) === false) continue;
        this.positional.push(
          this.#rules.strings.has("_") || !looksNumeric(arg) ? arg : Number(arg),
        );
        if (stopEarly) {
          this.positional.push(...args.slice(i + 1));
          return;
        }
      }
    }
  }

  /** Reads `--name`, `--name=value`, `--name value`, `--no-name`; how many more it consumed. */
  #long(arg: string, next: string | undefined): number {
    const equals = arg.indexOf("=");
    if (equals > 2) {
      const key = arg.slice(2, equals);
      const text = arg.slice(equals + 1);
      this.#set(key, this.#isBoolean(key) ? text !== "false" : text, arg);
      return 0;
    }
    const key = arg.slice(2);
    if (key.startsWith("no-") && this.#rules.negatable.has(key.slice(3))) {
      this.#set(key.slice(3), false, arg, false);
      return 0;
    }
    return this.#flagWithNext(key, arg, next, this.#isBoolean(key) || this.#rules.isAllBoolean);
  }

  /** Sets a flag that has no value of its own; 1 when it took the next argument. */
  #flagWithNext(key: string, arg: string, next: string | undefined, isBoolean: boolean): number {
    const isLong = arg.startsWith("--");
    const canTake = next !== undefined && (!next.startsWith("-") || (!isLong && next === "-"));
    if (canTake && !isBoolean) {
      this.#set(key, next, arg);
      return 1;
    }
    if (next === "true" || next === "false") {
      this.#set(key, next === "true", arg);
      return 1;
    }
    this.#set(key, this.#rules.strings.has(key) ? "" : true, arg);
    return 0;
  }

  /** Reads `-abc`, `-n5`, `-a=value`, `-a value`; how many more it consumed. */
  #short(arg: string, next: string | undefined): number {
    const letters = arg.slice(1);
    const last = letters.length - 1;
    for (let j = 0; j < last; j++) {
      const key = letters.charAt(j);
      const rest = letters.slice(j + 1);
      if (rest === "-") {
        this.#set(key, "-", arg);
        return 0;
      }
      if (/[A-Za-z]/.test(key) && rest.startsWith("=")) {
        this.#set(key, rest.slice(1), arg);
        return 0;
      }
      if (/[A-Za-z]/.test(key) && /^-?\d+(\.\d*)?(e-?\d+)?$/.test(rest)) {
        this.#set(key, rest, arg);
        return 0;
      }
      if (/^\W/.test(rest)) {
        this.#set(key, rest, arg);
        return 0;
      }
      this.#set(key, this.#rules.strings.has(key) ? "" : true, arg);
    }
    const key = letters.charAt(last);
    return this.#flagWithNext(key, arg, next, this.#isBoolean(key));
  }

  #isBoolean(key: string): boolean {
    return this.#rules.booleans.has(key);
  }

  #isKnown(key: string, arg: string): boolean {
    const r = this.#rules;
    return r.booleans.has(key) || r.strings.has(key) || r.aliases.has(key) ||
      (r.isAllBoolean && /^--[^=]+$/.test(arg));
  }

  #set(key: string, value: unknown, arg: string, canCollect = true): void {
    const { strings, collected, aliases, unknown } = this.#rules;
    if (unknown && !this.#isKnown(key, arg) && unknown(arg, key, value) === false) return;
    const typed = typeof value === "string" && !strings.has(key) && looksNumeric(value)
      ? Number(value)
      : value;
    const isCollected = canCollect && collected.has(key);
    for (const name of [key, ...(aliases.get(key) ?? [])]) put(this.out, name, typed, isCollected);
  }

  /** Gives every flag that was not set its default. */
  fillDefaults(defaults: Record<string, unknown>): void {
    const { booleans, collected, aliases } = this.#rules;
    for (const [key, value] of Object.entries(defaults)) {
      for (const name of [key, ...(aliases.get(key) ?? [])]) {
        if (!has(this.out, name)) put(this.out, name, value, false);
      }
    }
    for (const name of booleans) {
      if (!has(this.out, name)) put(this.out, name, collected.has(name) ? [] : false, false);
    }
    for (const name of collected) if (!has(this.out, name)) put(this.out, name, [], false);
  }
}

function isTree(v: unknown): v is Tree {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

/** Stores at a dotted name; a collected one appends. */
function put(root: Tree, name: string, value: unknown, isCollected: boolean): void {
  const path = name.split(".");
  if (path.includes("__proto__")) return;
  const last = path.pop() ?? "";
  let at = root;
  for (const part of path) {
    const next = Object.hasOwn(at, part) ? at[part] : undefined;
    if (isTree(next)) at = next;
    else {
      const made: Tree = {};
      at[part] = made;
      at = made;
    }
  }
  const old = Object.hasOwn(at, last) ? at[last] : undefined;
  at[last] = !isCollected ? value : Array.isArray(old) ? [...old, value] : [value];
}

function has(root: Tree, name: string): boolean {
  let at: unknown = root;
  for (const part of name.split(".")) {
    if (!isTree(at) || !Object.hasOwn(at, part)) return false;
    at = at[part];
  }
  return true;
}
