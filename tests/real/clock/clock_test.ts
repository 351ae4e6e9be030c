/**
 * Clocks of a kernel that a restore moves, as guests read them: by calls, by the vDSO, by timers.
 * dvisor runs from its sources with another main module (moved_dvisor.ts), because the product has
 * no way to move a clock alone; host, platform and confinement are the product's own.
 */

import { assertEquals } from "@std/assert";
import { describe, PLATFORM, ROOT, run } from "../../harness/dvisor.ts";
import { named, PYTHON } from "../../harness/machine.ts";

const FOLDER = `${ROOT}/tests/real/clock`;
/** LIMIT: how long the program may take on a busy machine. */
const TIMEOUT_S = 200;

Deno.test({
  ...named(
    "calls, the vDSO and timers agree when the clocks of a kernel move",
    PYTHON === null ? "no python3 on this machine" : null,
  ),
  fn: async () => {
    const dvisor = [
      ...[
        Deno.execPath(),
        "run",
        "-A",
        "--no-lock",
        "--v8-flags=--no-enable-lazy-source-positions",
      ],
      ...[`${FOLDER}/moved_dvisor.ts`, `--platform=${PLATFORM}`, "--panic-on-bug"],
    ];
    const guest = ["do", "--show", FOLDER, "--", PYTHON ?? "", "-B", `${FOLDER}/clock.py`];
    const result = await run([...dvisor, ...guest], { timeoutS: TIMEOUT_S });
    assertEquals(result.code, 0, describe(result));
  },
});
