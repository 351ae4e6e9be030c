/** `dvisor syscalls`: the system call table, as it is compiled in. */

import { NAMES } from "../../../ffi/abi/syscall_numbers.ts";
import { FLAG_SETS } from "../../../kernel/syscalls/flags/flag_sets.ts";
import type { Row } from "../../../kernel/syscalls/table.ts";
import { LAST_CALL, ROWS } from "../../../kernel/syscalls/x86_64.ts";
import { defineCommand } from "../command.ts";
import { SYSCALLS } from "../kernel_verbs.ts";
import type { Flag, FlagSet } from "../../../kernel/syscalls/flags/flag_set.ts";

interface Entry {
  readonly nr: number;
  readonly name: string;
  /** "full", "partial", "refused" (by a handler), or "missing": ENOSYS. */
  readonly support: string;
  readonly note: string;
}

/** Every call that Linux 6.12 has on x86-64, by number. */
export function syscallEntries(
  rows: readonly (Row | undefined)[],
  names: readonly string[],
): Entry[] {
  const entries: Entry[] = [];
  for (const [nr, name] of names.slice(0, LAST_CALL + 1).entries()) {
    const row = rows[nr];
    if (row !== undefined) {
      entries.push({ nr, name: row.name, support: row.support, note: row.note });
    } else if (name !== "" && name !== undefined) {
      entries.push({ nr, name, support: "missing", note: "ENOSYS" });
    }
  }
  return entries;
}

export const command = defineCommand({
  ...SYSCALLS,
  run(flags) {
    if (flags.options.flags) {
      const asJson = flags.options.json;
      console.log(asJson ? JSON.stringify(FLAG_SETS, null, 2) : flagsText(FLAG_SETS));
      return 0;
    }
    const entries = syscallEntries(ROWS, NAMES);
    console.log(flags.options.json ? JSON.stringify(entries, null, 2) : table(entries));
    return 0;
  },
});

function table(entries: readonly Entry[]): string {
  const width = Math.max(...entries.map((e) => e.name.length));
  const lines = entries.map((e) =>
    `${String(e.nr).padStart(3)}  ${e.name.padEnd(width)}  ${e.support.padEnd(7)}  ${e.note}`
      .trimEnd()
  );
  const count = (support: string) => entries.filter((e) => e.support === support).length;
  const sum = ["full", "partial", "refused", "missing"].map((s) => `${count(s)} ${s}`).join(", ");
  return `${lines.join("\n")}\n${sum}`;
}

/** "works", "partial", or the errno of a refused flag. */
export function verdict(flag: Flag): string {
  return flag.support === "refused" ? flag.error : flag.support;
}

function line(flag: Flag, width: number): string {
  const what = `  ${flag.name.padEnd(width)}  ${verdict(flag).padEnd(11)}`;
  return `${what}  ${[flag.note, flag.shown].filter((text) => text !== "").join("; ")}`.trimEnd();
}

function flagsText(sets: readonly FlagSet[]): string {
  const flags = sets.flatMap((set) => set.flags);
  const width = Math.max(...flags.map((flag) => flag.name.length));
  const parts = sets.map(({ calls, argument, flags }) =>
    [`${calls}: ${argument}`, ...flags.map((flag) => line(flag, width))].join("\n")
  );
  const count = (support: string) => flags.filter((flag) => flag.support === support).length;
  const sum = ["works", "partial", "refused"].map((s) => `${count(s)} ${s}`).join(", ");
  return `${parts.join("\n\n")}\n\n${sum}`;
}
