/**
 * Reads options by their table (option.ts): checks that each is known, has its value, and that the
 * value is one of its choices. Options end at `--`, or at the first word that is no option.
 */

import { usageError } from "../user_error.ts";
import { suggestion } from "../closest_name.ts";
import { checkChoice, type Option, type Options, takesValue, type Values } from "./option.ts";

/** What a verb says about its options. */
export interface OptionSyntax<O extends Options = Options> {
  readonly options: O;
  /**
   * As Go programs such as runc have it: one hyphen is enough, a switch may have a value, and any
   * word behind an option that needs a value is that value.
   */
  readonly isGoStyle?: true;
  /** Options may also stand behind words that are none. */
  readonly anywhere?: true;
}

/** A command line that was read. */
export interface Flags<O extends Options = Options> {
  /** The value of each option of the table. */
  readonly options: Values<O>;
  /** Names of the options that were given. */
  readonly given: ReadonlySet<string>;
  /** `--help` or `-h`, which every table has. */
  readonly asksHelp: boolean;
  /** The words besides the options. */
  readonly rest: readonly string[];
  /** How many of them stood in front of `--`. */
  readonly countBeforeDashes: number;
}

/** @throws UserError */
export function readFlags<const O extends Options>(
  args: readonly string[],
  syntax: OptionSyntax<O>,
): Flags<O> {
  const given = new Map<string, readonly string[]>(), rest: string[] = [];
  let countBeforeDashes = -1;
  for (let i = 0; i < args.length && countBeforeDashes < 0; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      countBeforeDashes = rest.length;
      rest.push(...args.slice(i + 1));
    } else if (!arg.startsWith("-") || arg === "-") {
      rest.push(arg);
      if (syntax.anywhere) continue;
      rest.push(...args.slice(i + 1));
      break;
    } else if (readOption(arg, args[i + 1], syntax, given)) i++;
  }
  return {
    options: valuesOf(syntax.options, given),
    given: new Set(given.keys()),
    asksHelp: given.has(HELP),
    rest,
    countBeforeDashes: countBeforeDashes < 0 ? rest.length : countBeforeDashes,
  };
}

/**
 * Reads one option into `given`.
 *
 * @param next the word behind it
 * @returns whether that word is its value
 */
function readOption(
  arg: string,
  next: string | undefined,
  syntax: OptionSyntax,
  given: Map<string, readonly string[]>,
): boolean {
  const [written = ""] = arg.split("=", 1);
  const inside = written === arg ? null : arg.slice(written.length + 1);
  const name = nameOf(written, syntax), option = syntax.options[name] ?? HELP_OPTION;
  if (!takesValue(option)) {
    if (isOn(name, inside, syntax)) given.set(name, []);
    else given.delete(name);
    return false;
  }
  const value = checkValue(name, inside ?? nextValue(name, next, syntax), option);
  given.set(name, option.repeats ? [...given.get(name) ?? [], value] : [value]);
  return inside === null;
}

function valuesOf<O extends Options>(
  options: O,
  given: ReadonlyMap<string, readonly string[]>,
): Values<O> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<Option>(options)) {
    const texts = given.get(name);
    values[name] = option.repeats
      ? texts ?? []
      : takesValue(option)
      ? texts?.at(-1) ?? option.default ?? null
      : texts !== undefined;
  }
  // Each value has the type that the table says: the loop above goes by the same members.
  return values as Values<O>;
}

/**
 * A copy with other values; those of switches are "true" or "false".
 *
 * @throws UserError for a value that is no choice
 */
export function withValues<O extends Options>(
  flags: Flags<O>,
  table: O,
  others: ReadonlyMap<keyof O & string, string>,
): Flags<O> {
  const options = { ...flags.options }, given = new Set(flags.given);
  for (const [name, value] of others) {
    const option = table[name]!,
      hasValue = takesValue(option),
      isOff = !hasValue && value !== "true";
    Object.assign(options, { [name]: hasValue ? checkValue(name, value, option) : !isOff });
    if (isOff) given.delete(name);
    else given.add(name);
  }
  return { ...flags, options, given };
}

function checkValue(name: string, value: string, { choices }: Option): string {
  return choices === undefined ? value : checkChoice(name, value, choices);
}

const HELP = "help";
const HELP_OPTION: Option = { short: "h", help: "show this" };

/** The name in the table. @param written with its hyphens, without a value */
function nameOf(written: string, { options, isGoStyle }: OptionSyntax): string {
  const name = written.replace(/^--?/, ""), isLong = written.startsWith("--");
  if ((isLong || isGoStyle) && Object.hasOwn(options, name)) return name;
  if (!isLong || isGoStyle) {
    const found = Object.keys(options).find((long) => options[long]?.short === name);
    if (found !== undefined) return found;
  }
  if (written === `--${HELP}` || written === `-${HELP_OPTION.short}`) return HELP;
  const hint = name.length > 1 ? suggestion(name, Object.keys(options), "--") : "";
  throw usageError(`there is no option ${written}${hint}`);
}

const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

/** Whether a switch is on. */
function isOn(name: string, value: string | null, { isGoStyle }: OptionSyntax): boolean {
  if (value === null) return true;
  if (!isGoStyle) throw usageError(`--${name} takes no value`);
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw usageError(`--${name} is "${value}", expected true or false`);
}

/** @param next the word behind the option */
function nextValue(name: string, next: string | undefined, { isGoStyle }: OptionSyntax): string {
  if (next === undefined) throw usageError(`--${name} needs a value`);
  if (isGoStyle || !next.startsWith("-")) return next;
  throw usageError(`--${name} needs a value; write --${name}=${next} if that is it`);
}
