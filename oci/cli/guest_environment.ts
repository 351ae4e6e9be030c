/**
 * The environment of a guest of `do`: a short list of the caller's variables, because the others
 * often hold tokens and addresses that a command does not need.
 */

import { fromText } from "../../kernel/core/bytes.ts";
import { nameOf } from "../environment.ts";
import { usageError } from "../user_error.ts";

/** Names of variables that every guest gets. */
export const PASSED_NAMES = [
  ..."PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ".split(" "),
  ..."TERM COLORTERM COLUMNS LINES LS_COLORS NO_COLOR FORCE_COLOR CLICOLOR".split(" "),
] as const;

/** And those that begin so. */
export const PASSED_PREFIX = "LC_";

interface EnvironmentRequest {
  /** Byte strings, as execve(2) has them. */
  readonly caller: readonly string[];
  readonly passesAll: boolean;
  /** NAME=VALUE, or NAME for the caller's value. */
  readonly set: readonly string[];
  /** Names. */
  readonly unset: readonly string[];
}

function isPassed(name: string): boolean {
  return PASSED_NAMES.some((passed) => passed === name) || name.startsWith(PASSED_PREFIX);
}

/** @throws UserError for what is no name */
export function guestEnvironment({ caller, passesAll, set, unset }: EnvironmentRequest): string[] {
  const all = new Map(caller.map((entry) => [nameOf(entry), entry]));
  const env = new Map([...all].filter(([name]) => passesAll || isPassed(name)));
  for (const text of set) {
    const entry = fromText(text), name = nameOf(entry);
    if (name === "") throw usageError(`--env is "${text}", expected NAME=VALUE or NAME`);
    const value = text.includes("=") ? entry : all.get(name);
    if (value !== undefined) env.set(name, value);
  }
  for (const text of unset) {
    if (text === "" || text.includes("=")) throw usageError(`--unset is "${text}", expected NAME`);
    env.delete(fromText(text));
  }
  return [...env.values()];
}
