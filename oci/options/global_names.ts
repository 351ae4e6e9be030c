/**
 * Names of the options in front of the verb; globals.ts has their meaning. The names have a file of
 * their own because parts.ts needs them to find the verb before it loads a part.
 */

export const GLOBAL_NAMES = {
  strings: [
    "root",
    "log",
    "log-format",
    "rootless",
    "criu",
    "platform",
    "debug-log",
    "network",
    "overlay",
    "host-uds",
    "speculation",
    "core-scheduling",
  ],
  booleans: [
    "debug",
    "systemd-cgroup",
    "strace",
    "require-sandbox",
    "panic-on-bug",
    "allow-annotated-logs",
  ],
  go: {},
} as const;

const WITH_VALUE: readonly string[] = GLOBAL_NAMES.strings;

/**
 * The first word that is neither an option nor an option's value; undefined if there is none. For a
 * command line that is not valid it may be any word.
 */
export function verbOf(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (!arg.startsWith("-")) return arg;
    const hasValue = WITH_VALUE.includes(arg.replace(/^--?/, ""));
    if (hasValue) i++;
  }
  return undefined;
}
