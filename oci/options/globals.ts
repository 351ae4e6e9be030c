/**
 * Options in front of the verb: runc's, and dvisor's own about sandboxes. A client's configuration
 * of its runtime can hold both.
 */

import { type Flags, readFlags } from "./flags.ts";
import { GLOBAL_NAMES } from "./global_names.ts";
import { defaultRoot } from "../state/root_dir.ts";
import { StateStore } from "../state/store.ts";

type StringOption =
  | "platform"
  | "debug-log"
  | "network"
  | "overlay"
  | "host-uds"
  | "speculation"
  | "core-scheduling";
type BooleanOption = "strace" | "require-sandbox" | "panic-on-bug";
export type OptionName = StringOption | BooleanOption;

/** The options in front of the verb. */
export class Globals {
  readonly #flags: Flags;
  readonly #others: ReadonlyMap<OptionName, string>;

  constructor(flags: Flags, others: ReadonlyMap<OptionName, string> = new Map()) {
    this.#flags = flags;
    this.#others = others;
    this.logFormat;
    this.rootless;
  }

  /** @throws UserError if there is no directory for containers */
  get store(): StateStore {
    return new StateStore(this.root);
  }
  get root(): string {
    return this.#flags.string("root") || defaultRoot(this.rootless);
  }
  get log(): string | null {
    return this.#flags.string("log") || null;
  }
  get logFormat(): "text" | "json" {
    return this.#flags.choice("log-format", ["text", "json"]);
  }
  get debug(): boolean {
    return this.#flags.has("debug");
  }
  get systemdCgroup(): boolean {
    return this.#flags.has("systemd-cgroup");
  }
  /** Whether annotations may switch debug logs. */
  get allowsAnnotatedLogs(): boolean {
    return this.#flags.has("allow-annotated-logs");
  }
  get rootless(): boolean | "auto" {
    const text = this.#flags.choice("rootless", ["auto", "true", "false"]);
    return text === "auto" ? text : text === "true";
  }
  /** One of dvisor's own options; null if it was not given. */
  string(name: StringOption): string | null {
    return this.#others.get(name) ?? this.#flags.string(name);
  }
  has(name: BooleanOption): boolean {
    const other = this.#others.get(name);
    return other === undefined ? this.#flags.has(name) : other === "true";
  }
  /** A copy with other values for some options; booleans are "true" or "false". */
  with(others: ReadonlyMap<OptionName, string>): Globals {
    return new Globals(this.#flags, new Map([...this.#others, ...others]));
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
  const flags = readFlags(args, {
    ...GLOBAL_NAMES,
    booleans: [...GLOBAL_NAMES.booleans, "version", "help"],
    go: { v: "version", h: "help" },
  });
  const [verb, ...rest] = flags.rest;
  const asks = flags.has("version") ? "version" : flags.has("help") ? "help" : null;
  return { globals: new Globals(flags), verb, rest, asks };
}

/** No options at all. */
export function noGlobals(): Globals {
  return new Globals(readFlags([], GLOBAL_NAMES));
}
