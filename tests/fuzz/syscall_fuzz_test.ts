/**
 * Random hostile system calls, tens of thousands a second from several processes of one sandbox: the kernel outlives
 * them, none keeps it busy, and it fails in no way of its own. `syscall_fuzz.py` is the guest; it never runs natively.
 * A failure prints the seed and, from the kernel's report, the call.
 */

import { assert, assertEquals } from "@std/assert";
import { ALL_ROWS } from "../../kernel/syscalls/x86_64.ts";
import { describe, type PlatformName, ROOT, runIn } from "../harness/dvisor.ts";
import { isFull, named, PYTHON } from "../harness/machine.ts";

/** LIMIT: seconds beyond the fuzzer's own until it counts as hung. */
const PATIENCE_S = 40;

/** Any seed as `DVISOR_SEED`; else one that repeats, and in the full run one that nobody has tried. */
function seeds(): number[] {
  const wanted = Deno.env.get("DVISOR_SEED");
  if (wanted !== undefined) return [Number(wanted)];
  const fresh = Math.floor(Math.random() * 2 ** 31);
  return isFull ? [1, 2, 3, 4, 5, 6, 7, 8, fresh] : [1];
}

const table = ALL_ROWS.map((row) => `${row.nr} ${row.name} ${row.args}`).join("\n");

async function fuzz(platform: PlatformName, seed: number, seconds: number): Promise<void> {
  const argv = [PYTHON ?? "", `${ROOT}/tests/fuzz/syscall_fuzz.py`, `${seed}`, `${seconds}`];
  const result = await runIn(platform, argv, { timeoutS: seconds + PATIENCE_S, stdin: table });
  const what = `seed ${seed}: ${describe(result)}`;
  assertEquals(result.code, 0, what);
  assert(/^done$/m.test(result.stdout), what);
  assert(!/^stall/m.test(result.stdout), what);
  assert(!/bug in dvisor|panic/i.test(result.stderr), what);
  const calls = Number(/^calls (\d+)/m.exec(result.stdout)?.[1]);
  assert(calls > 1000, what);
}

for (const platform of ["systrap", "ptrace"] as const) {
  Deno.test({
    ...named(
      `${platform}: the kernel outlives random calls`,
      PYTHON === null ? "no python3 on this machine" : null,
    ),
    fn: async (t) => {
      const seconds = isFull ? 60 : 6;
      for (const seed of platform === "ptrace" ? seeds().slice(-1) : seeds()) {
        await t.step(`seed ${seed}`, () => fuzz(platform, seed, seconds));
      }
    },
  });
}
