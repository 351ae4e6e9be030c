/**
 * Hostile rings of io_uring: requests that make no sense, changed together with heads, tails, files
 * and buffers while the kernel reads them. The kernel stays alive, and no request keeps it busy.
 * `io_uring_fuzz.py` is the guest; it never runs natively. A failure prints the seed. Neighbour:
 * `syscall_fuzz_test.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, ROOT, runIn } from "../harness/dvisor.ts";
import { named, PYTHON } from "../harness/machine.ts";
import { secondsOf, seeds } from "./guest_fuzz.ts";

const SECONDS = secondsOf(600, 6);
/** LIMIT: seconds beyond the fuzzer's own until it counts as hung. */
const PATIENCE_S = 40;
const [seed = 1] = seeds([]);

Deno.test({
  ...named(
    `the kernel outlives hostile rings, ${SECONDS} s`,
    PYTHON === null ? "no python3 on this machine" : null,
  ),
  fn: async () => {
    const fuzzer = `${ROOT}/tests/fuzz/io_uring_fuzz.py`;
    const argv = [PYTHON ?? "", "-B", fuzzer, `${seed}`, `${SECONDS}`];
    const result = await runIn("systrap", argv, { timeoutS: SECONDS + PATIENCE_S });
    const what = `seed ${seed}: ${describe(result)}`;
    assertEquals(result.code, 0, what);
    assert(/^done$/m.test(result.stdout), what);
    assert(!/^stall/m.test(result.stdout), what);
    assert(!/bug in dvisor|panic/i.test(result.stderr), what);
    const [, submissions, succeeded] =
      /^submissions (\d+).* succeeded (\d+)/m.exec(result.stdout) ?? [];
    assert(Number(submissions) > 100 && Number(succeeded) > 10, what);
  },
});
