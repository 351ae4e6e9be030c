/**
 * Options in front of the verb: runc's, and dvisor's own about sandboxes. A client's configuration
 * of its runtime can hold both.
 */

import { type Flags, readFlags, withValues } from "./flags.ts";
import { GLOBAL_OPTIONS, type SHARED_OPTIONS } from "./global_options.ts";
import type { Values } from "./option.ts";
import { defaultRoot } from "../state/root_dir.ts";
import { StateStore } from "../state/store.ts";

type GlobalOptions = typeof GLOBAL_OPTIONS;
type GlobalValues = Values<GlobalOptions>;
/** The options that annotations of a container may replace. */
export type OptionName = keyof typeof SHARED_OPTIONS | "overlay";

/** The options in front of the verb. */
export class Globals {
  readonly #flags: Flags<GlobalOptions>;

  constructor(flags: Flags<GlobalOptions>) {
    this.#flags = flags;
  }

  /** @throws UserError if there is no directory for containers */
  get store(): StateStore {
    return new StateStore(this.root);
  }

  get root(): string {
    return this.options.root || defaultRoot(this.rootless);
  }

  get log(): string | null {
    return this.options.log || null;
  }

  get rootless(): boolean | "auto" {
    const text = this.options.rootless;
    return text === "auto" ? text : text === "true";
  }

  get options(): GlobalValues {
    return this.#flags.options;
  }

  /** The value of an option; null if it was not given, whatever its default. */
  given<N extends keyof GlobalValues>(name: N): GlobalValues[N] | null {
    return this.#flags.given.has(name) ? this.options[name] : null;
  }

  /** A copy with other values for some options; switches are "true" or "false". */
  with(others: ReadonlyMap<OptionName, string>): Globals {
    return new Globals(withValues(this.#flags, GLOBAL_OPTIONS, others));
  }
}

export interface SplitCommandLine {
  readonly globals: Globals;
  /** The verb; undefined if there is none. */
  readonly verb: string | undefined;
  readonly rest: readonly string[];
  /** `--version` or `--help` in place of a verb. */
  readonly asks: "version" | "help" | null;
}

/** @throws UserError */
export function splitCommandLine(args: readonly string[]): SplitCommandLine {
  const flags = readFlags(args, { options: GLOBAL_OPTIONS, isGoStyle: true });
  const [verb, ...rest] = flags.rest;
  const { version, help } = flags.options;
  const asks = version ? "version" : help ? "help" : null;
  return { globals: new Globals(flags), verb, rest, asks };
}

/** No options at all. */
export function noGlobals(): Globals {
  return splitCommandLine([]).globals;
}
