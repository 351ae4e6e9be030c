/**
 * Reads a verb's options: checks that each is known and has its value, and splits off a command
 * that follows them.
 *
 * `@std/cli` parses. This file decides where the options end: at `--`, or at the first word that is
 * no option.
 */

import { parseArgs } from "@std/cli";
import { usageError } from "../user_error.ts";

export interface FlagNames {
  /** Options with a value. The last one of several counts. */
  readonly strings?: readonly string[];
  /** Options with a value that may be given several times. */
  readonly lists?: readonly string[];
  readonly booleans?: readonly string[];
  /**
   * Options in the style of Go programs, such as the clients of OCI runtimes: one hyphen is enough,
   * and a boolean may have a value. Maps one-letter options to names.
   */
  readonly go?: Readonly<Record<string, string>>;
}

export class Flags {
  /** The words after the options. */
  readonly rest: readonly string[];
  readonly #strings: ReadonlyMap<string, string>;
  readonly #lists: ReadonlyMap<string, readonly string[]>;
  readonly #booleans: ReadonlySet<string>;

  constructor(
    rest: readonly string[],
    strings: ReadonlyMap<string, string>,
    lists: ReadonlyMap<string, readonly string[]>,
    booleans: ReadonlySet<string>,
  ) {
    this.rest = rest;
    this.#strings = strings;
    this.#lists = lists;
    this.#booleans = booleans;
  }

  string(name: string): string | null {
    return this.#strings.get(name) ?? null;
  }
  list(name: string): readonly string[] {
    return this.#lists.get(name) ?? [];
  }
  has(name: string): boolean {
    return this.#booleans.has(name);
  }
  /** One of `choices`, the first if the option was not given. */
  choice<T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.string(name);
    if (value === null) return choices[0];
    const found = choices.find((c) => c === value);
    if (found === undefined) {
      throw usageError(`--${name} is "${value}", expected ${choices.join(", ")}`);
    }
    return found;
  }
}

/** How many words from the start are options and their values. Throws for an unknown option. */
function optionCount(args: readonly string[], names: FlagNames): number {
  const withValue = new Set([...names.strings ?? [], ...names.lists ?? []]);
  const booleans = new Set(names.booleans ?? []);
  let i = 0;
  while (i < args.length) {
    const arg = args[i] ?? "";
    if (arg === "--" || !arg.startsWith("-") || arg === "-") break;
    const name = arg.replace(/^--/, "").split("=", 1)[0] ?? "";
    const isKnown = arg.startsWith("--") && (withValue.has(name) || booleans.has(name));
    if (!isKnown) throw usageError(`there is no option ${arg.split("=", 1)[0]}`);
    if (booleans.has(name)) {
      if (arg.includes("=")) throw usageError(`--${name} takes no value`);
    } else if (!arg.includes("=")) {
      const value = args[++i];
      if (value === undefined) throw usageError(`--${name} needs a value`);
      if (value.startsWith("-")) {
        throw usageError(`--${name} needs a value; write --${name}=${value} if that is it`);
      }
    }
    i++;
  }
  return i;
}

const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

/**
 * The same options as `--name`, without booleans that are false. Words after the options are not
 * changed.
 */
function fromGoStyle(args: readonly string[], names: FlagNames): string[] {
  const short = names.go ?? {};
  const withValue = new Set([...names.strings ?? [], ...names.lists ?? []]);
  const booleans = new Set(names.booleans ?? []);
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    const match = /^--?([^-=][^=]*)(=.*)?$/s.exec(arg);
    if (match === null) return [...out, ...args.slice(i)];
    const written = match[1] ?? "", value = match[2] ?? "";
    const name = Object.hasOwn(short, written) ? short[written] ?? written : written;
    if (booleans.has(name) && value !== "") {
      const said = value.slice(1);
      if (TRUE.includes(said)) out.push(`--${name}`);
      else if (!FALSE.includes(said)) {
        throw usageError(`--${name} is "${said}", expected true or false`);
      }
    } else if (withValue.has(name) && value === "") {
      const next = args[++i];
      if (next === undefined) throw usageError(`--${name} needs a value`);
      out.push(`--${name}=${next}`);
    } else out.push(withValue.has(name) || booleans.has(name) ? `--${name}${value}` : arg);
  }
  return out;
}

/** Reads `args`. Throws a usage error. */
export function readFlags(given: readonly string[], names: FlagNames): Flags {
  const args = names.go === undefined ? given : fromGoStyle(given, names);
  const count = optionCount(args, names);
  const rest = args.slice(args[count] === "--" ? count + 1 : count);
  const strings = [...names.strings ?? []], lists = [...names.lists ?? []];
  const booleans = [...names.booleans ?? []];
  const parsed: Record<string, unknown> = parseArgs(args.slice(0, count), {
    string: [...strings, ...lists],
    collect: lists,
    boolean: booleans,
  });
  const stringValues = new Map<string, string>();
  for (const name of strings) {
    const value = parsed[name];
    if (typeof value === "string") stringValues.set(name, value);
  }
  const listValues = new Map<string, readonly string[]>();
  for (const name of lists) {
    const value = parsed[name];
    if (Array.isArray(value)) listValues.set(name, value.map(String));
  }
  const set = new Set(booleans.filter((name) => parsed[name] === true));
  return new Flags(rest, stringValues, listValues, set);
}

/** For verbs that take no arguments besides options. */
export function refuseRest(flags: Flags): void {
  const extra = flags.rest[0];
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
}
