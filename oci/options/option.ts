/**
 * The table of options: one declaration makes the parser (flags.ts), `help`, completion of shells,
 * the man pages and the page in docs/ (cli/manual/).
 */

import { usageError } from "../user_error.ts";

/** One option. Without `value` and `choices` it is a switch. */
export interface Option {
  /** The letter of `-x`. */
  readonly short?: string;
  /**
   * Name of the value in texts. DIR, FILE and PATH are completed as such. Without it the choices
   * are shown.
   */
  readonly value?: string;
  /** The values that there are; any other one is an error. */
  readonly choices?: readonly string[];
  /** The value if the option is not given; texts show it. */
  readonly default?: string;
  /** It may be given several times, and has a list of values. */
  readonly repeats?: true;
  /** What it does, without a full stop at the end. */
  readonly help: string;
}

/** By name, in the order in which help shows them. */
export type Options = Readonly<Record<string, Option>>;

type Repeated = { readonly repeats: true };
type Valued = { readonly value: string } | { readonly choices: readonly string[] };
type Text<P> = P extends { readonly choices: readonly (infer C extends string)[] } ? C : string;

/** The value of one option: null, false or an empty list where it was not given. */
type Value<P> = P extends Repeated ? readonly string[]
  : P extends Valued ? P extends { readonly default: string } ? Text<P> : Text<P> | null
  : boolean;

/** The values of the options of a table. */
export type Values<O> = { readonly [N in keyof O]: Value<O[N]> };

export function takesValue(option: Option): boolean {
  return option.value !== undefined || option.choices !== undefined;
}

/** The name of the value in texts. */
export function valueName({ value, choices = [] }: Option): string {
  return value ?? choices.join("|");
}

/**
 * The value, if it is one of the choices.
 *
 * @throws UserError
 */
export function checkChoice<T extends string>(
  name: string,
  value: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw usageError(`--${name} is "${value}", expected ${choices.join(", ")}`);
}
