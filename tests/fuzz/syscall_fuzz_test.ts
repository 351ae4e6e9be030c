/**
 * Random hostile system calls, tens of thousands a second from several processes of one sandbox:
 * the kernel outlives them, none keeps it busy, and it fails in no way of its own.
 * `syscall_fuzz.py` is the guest; it never runs natively. A failure prints the seed and, from the
 * kernel's report, the call.
 */

import { ALL_ROWS } from "../../kernel/syscalls/x86_64.ts";
import { named, PYTHON } from "../harness/machine.ts";
import { fuzz, secondsOf, seeds } from "./guest_fuzz.ts";

const stdin = ALL_ROWS.map((row) => `${row.nr} ${row.name} ${row.args}`).join("\n");

const PLATFORMS = ["systrap", "ptrace"] as const;

for (const platform of PLATFORMS) {
  Deno.test({
    ...named(
      `${platform}: the kernel outlives random calls`,
      PYTHON === null ? "no python3 on this machine" : null,
    ),
    fn: async (t) => {
      const fuzzer = { script: "syscall_fuzz.py", stdin, least: 1000 };
      const seconds = secondsOf(60, 6, PLATFORMS.length);
      const all = seeds([1, 2, 3, 4, 5, 6, 7, 8]);
      for (const seed of platform === "ptrace" ? all.slice(-1) : all) {
        await t.step(`seed ${seed}`, () => fuzz(platform, fuzzer, seed, seconds));
      }
    },
  });
}
