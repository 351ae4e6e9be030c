/** `do --memory`: the process that takes too much memory is killed, and no other. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { doCommand, PLATFORM, run } from "../harness/dvisor.ts";

const SCRIPT = `
tail /dev/zero; echo "tail $?"
dd if=/dev/zero of=/dev/null bs=200M count=1; echo "dd $?"
(echo 1000 > /proc/self/oom_score_adj; exec sleep 50) & chosen=$!
until grep -qx 1000 /proc/$chosen/oom_score_adj; do sleep 0.01; done
head -c 30M /dev/zero | tail -c 30M | sleep 0.1
tail /dev/zero; echo "tail $?"
wait $chosen; echo "chosen $?"
grep oom_kill /proc/vmstat
awk '/MemTotal/ {print $2}' /proc/meminfo`;

Deno.test("a memory limit is held by the kernel of the sandbox", async () => {
  const argv = [...doCommand(PLATFORM, "--memory=64M"), "bash", "-c", SCRIPT];
  const { code, stdout } = await run(argv);
  const [first, second, third, fourth, kills, total] = stdout.trim().split("\n");
  assertEquals([code, first, second, third], [0, "tail 137", "dd 137", "tail 137"]);
  assertEquals([fourth, kills, total], ["chosen 137", "oom_kill 4", String(64 << 10)]);
});

Deno.test("a memory limit that makes no sense is refused", async () => {
  for (const text of ["0", "x", "3M", "-1", "1e9", "10T"]) {
    const { code, stderr } = await run([...doCommand(PLATFORM, `--memory=${text}`), "true"]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, `--memory ${text}`);
  }
});
