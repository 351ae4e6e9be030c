/**
 * The supported flags, commands and options of calls, as data beside the rows: which ones work,
 * with the guest test that shows it, and which ones fail, with the error. `dvisor syscalls --flags`
 * and the compatibility page print the data; tidy tests compare each claim with the existing tests.
 * No handler reads it.
 */

type FlagSupport = "works" | "partial" | "refused";

export interface Flag {
  readonly name: string;
  readonly support: FlagSupport;
  /** The error of the call; "" when it succeeds. */
  readonly error: string;
  /**
   * The guest test that shows it, as script.case; "" for flags that fail here and work on Linux.
   */
  readonly shown: string;
  readonly note: string;
}

export interface FlagSet {
  /**
   * Names of calls, separated by spaces; behind them the level or command that the set belongs to.
   */
  readonly calls: string;
  /** The argument or field that holds the flags. */
  readonly argument: string;
  readonly flags: readonly Flag[];
}

/**
 * Flags that work, each shown by a case of its own: the row with its name in the table `cases`
 * (script.table).
 */
export function each(cases: string, names: string): Flag[] {
  return split(names).map((name) => flag(name, "works", "", `${cases}_${name}`, ""));
}

/** Flags that work, all shown by one case. */
export function by(shown: string, names: string, note = ""): Flag[] {
  return split(names).map((name) => flag(name, "works", "", shown, note));
}

/** Flags that fail on Linux too, with this error; each is shown by a case of its own. */
export function refused(error: string, cases: string, names: string): Flag[] {
  const note = "as on Linux";
  return split(names).map((name) => flag(name, "refused", error, `${cases}_${name}`, note));
}

/** Flags that fail here and work on Linux. */
export function fails(error: string, names: string, note = ""): Flag[] {
  return split(names).map((name) => flag(name, "refused", error, "", note));
}

/** Flags that are accepted, without all of Linux's effects. */
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
