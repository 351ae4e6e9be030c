/**
 * What calls know of flags, commands and options, as data beside the rows: which work, shown by which guest test, and
 * which fail, with which error. `dvisor syscalls --flags` and the compatibility page print it, tidy tests hold each
 * claim against the tests that there are. No handler reads it.
 */

export type FlagSupport = "works" | "partial" | "refused";

export interface Flag {
  readonly name: string;
  readonly support: FlagSupport;
  /** What the call fails with; "" when it does not. */
  readonly error: string;
  /** The guest test that shows it, as script.case; "" for what fails here and works on Linux. */
  readonly shown: string;
  readonly note: string;
}

export interface FlagSet {
  /** Names of calls, separated by spaces; behind them the level or command that the set belongs to. */
  readonly calls: string;
  /** What the flags are: the argument or field. */
  readonly argument: string;
  readonly flags: readonly Flag[];
}

/** These work, each shown by a case of its own: the row with its name of the table `cases` (script.table). */
export function each(cases: string, names: string): Flag[] {
  return split(names).map((name) => flag(name, "works", "", `${cases}_${name}`, ""));
}

/** These work, all shown by one case. */
export function by(shown: string, names: string, note = ""): Flag[] {
  return split(names).map((name) => flag(name, "works", "", shown, note));
}

/** These fail on Linux too, with this error; each is shown by a case of its own. */
export function refused(error: string, cases: string, names: string): Flag[] {
  const note = "as on Linux";
  return split(names).map((name) => flag(name, "refused", error, `${cases}_${name}`, note));
}

/** These fail here. */
export function fails(error: string, names: string, note = ""): Flag[] {
  return split(names).map((name) => flag(name, "refused", error, "", note));
}

/** These are taken, and do not do all that Linux does. */
export function inPart(names: string, note = "not for all values"): Flag[] {
  return split(names).map((name) => flag(name, "partial", "", "", note));
}

export function flagSet(calls: string, argument: string, parts: readonly Flag[][]): FlagSet {
  return { calls, argument, flags: parts.flat() };
}

function flag(
  name: string,
  support: FlagSupport,
  error: string,
  shown: string,
  note: string,
): Flag {
  return { name, support, error, shown, note };
}

function split(names: string): string[] {
  return names.trim().split(/\s+/);
}
