/** `dvisor syscalls --flags` as text: each set of flags, commands or options, and what becomes of each. */

import type { Flag, FlagSet } from "../../../kernel/syscalls/flags/flag_set.ts";

/** "works", "partial", or the error that it gives. */
export function verdict(flag: Flag): string {
  return flag.support === "refused" ? flag.error : flag.support;
}

function line(flag: Flag, width: number): string {
  const what = `  ${flag.name.padEnd(width)}  ${verdict(flag).padEnd(11)}`;
  return `${what}  ${[flag.note, flag.shown].filter((text) => text !== "").join("; ")}`.trimEnd();
}

export function flagsText(sets: readonly FlagSet[]): string {
  const flags = sets.flatMap((set) => set.flags);
  const width = Math.max(...flags.map((flag) => flag.name.length));
  const parts = sets.map(({ calls, argument, flags }) =>
    [`${calls}: ${argument}`, ...flags.map((flag) => line(flag, width))].join("\n")
  );
  const count = (support: string) => flags.filter((flag) => flag.support === support).length;
  const sum = ["works", "partial", "refused"].map((s) => `${count(s)} ${s}`).join(", ");
  return `${parts.join("\n\n")}\n\n${sum}`;
}
