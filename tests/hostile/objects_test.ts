/**
 * A guest makes kernel objects of one kind until the kernel refuses, in a small sandbox: it gets an
 * errno, or the OOM killer ends it, and the sandbox serves the next guest. A sample of
 * `guests/objects.py`: the kinds with few objects, so that a busy machine is fast enough.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, doCommand, ROOT, run } from "../harness/dvisor.ts";
import { isRoot, named, PYTHON } from "../harness/machine.ts";

const GUEST = `${ROOT}/tests/hostile/guests/objects.py`;

/** LIMIT: for each way, s; it takes less than one where nothing else runs. */
const WAY_S = 60;

/** From each family: files, network, processes, keys, IPC, memory. */
const WAYS: readonly string[] = [
  "fanotify_groups",
  "aio_contexts",
  "addresses",
  "rights_in_flight",
  "fd_tables",
  "key_bytes",
  "mqueues",
  "supplementary_groups",
];

const SCRIPT = `for way in ${WAYS.join(" ")}; do
  ${PYTHON} -B ${GUEST} $way ${WAY_S} > /tmp/said 2>&1; code=$?
  echo "$way: $code $(grep -a ^ended /tmp/said)"
done
echo the end`;

Deno.test({
  ...named(
    "a guest that makes kernel objects of many kinds is refused or killed, and others are not",
    PYTHON === null ? "no python3 on this machine" : isRoot ? null : "needs root: limits of memory",
  ),
  fn: async () => {
    const command = [...doCommand("systrap", "--memory", "256M"), "sh", "-c", SCRIPT];
    const result = await run(command, { timeoutS: WAY_S * WAYS.length });
    assertEquals(result.code, 0, describe(result));
    const lines = result.stdout.trim().split("\n");
    assertEquals(lines.length, WAYS.length + 1, describe(result));
    WAYS.forEach((way, i) => {
      const isEnded = new RegExp(`^${way}: (0 ended E[A-Z]+|137 )$`).test(lines[i] ?? "");
      assert(isEnded, describe(result));
    });
    assertEquals(lines.at(-1), "the end");
    assert(!/bug in dvisor|Fatal JavaScript/.test(result.stderr), describe(result));
  },
});
