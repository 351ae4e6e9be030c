/**
 * Limits of `do` that the kernel of the sandbox keeps, for every user and without control groups of
 * the host: `--disk`, `--cpus`, `--pids`; and the caller's own (ulimit). Memory: memory_test.ts.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, doCommand, PLATFORM, run } from "../harness/dvisor.ts";
import { named, PYTHON } from "../harness/machine.ts";

function inSandbox(options: readonly string[], script: string) {
  return run([...doCommand(PLATFORM, ...options), "bash", "-c", script]);
}

/** Writes until an error, says how many bytes it wrote, removes them and writes again. */
const FILL = `
fill() { dd if=/dev/zero of=$1 bs=64K count=20000 2>&1 | grep -o 'No space left on device'; }
fill /filled; stat -c %s /filled
mkdir -p /var/tmp/d && fill /var/tmp/d/more; stat -c %s /var/tmp/d/more
rm /filled && echo again > /again && cat /again`;

Deno.test("writes of 1 GB end with ENOSPC at half of the memory, or at --disk", async () => {
  const full = "No space left on device\n";
  const half = await inSandbox(["--memory=64M"], FILL);
  assertEquals(half.stdout, `${full}${32 << 20}\n${full}0\nagain\n`, describe(half));
  const small = await inSandbox(["--memory=64M", "--disk=3M"], FILL);
  assertEquals(small.stdout, `${full}${3 << 20}\n${full}0\nagain\n`, describe(small));
  const shown = await inSandbox(["--disk=5M"], "df --output=size -B1 / | tail -n 1");
  assertEquals(shown.stdout.trim(), String(5 << 20), describe(shown));
});

Deno.test("a fork beyond --pids is EAGAIN, and one that ends makes room", async () => {
  const script = `
import os, errno
def fill():
    r, w = os.pipe(); children = []
    try:
        while True:
            pid = os.fork()
            if pid == 0:
                os.close(w); os.read(r, 1); os._exit(0)
            children.append(pid)
    except OSError as e: print(errno.errorcode[e.errno], len(children))
    os.close(w)
    for pid in children: os.waitpid(pid, 0)
fill(); fill()`;
  for (const [options, count] of [[["--pids=8"], 7], [["--pids=300"], 299]] as const) {
    const argv = [...doCommand(PLATFORM, ...options), PYTHON ?? "python3", "-c", script];
    const result = await run(argv);
    assertEquals(result.stdout, `EAGAIN ${count}\n`.repeat(2), describe(result));
  }
});

Deno.test("limits that were reached are named at the end, unless --quiet is given", async () => {
  const kill = "tail /dev/zero; echo end";
  const used =
    /^dvisor: process \d+ \(tail\) was killed: the sandbox used more than --memory 64M\n$/m;
  const cases: readonly (readonly [option: string, script: string, message: RegExp])[] = [
    ["--memory=64M", kill, used],
    [
      "--pids=3",
      "echo end; exec sh -c 'sleep 9 & sleep 9 & sleep 9 & wait'",
      /^dvisor: a fork or a new thread failed with EAGAIN: .* as --pids 3\n$/m,
    ],
    [
      "--disk=1M",
      "head -c 2M /dev/zero > /filled; echo end",
      /^dvisor: a write failed with ENOSPC: the sandbox wrote more than --disk 1M\n$/m,
    ],
    ["--memory=64M", "echo end", /^$/],
  ];
  for (const [option, script, message] of cases) {
    const result = await inSandbox([option], script);
    assertEquals(result.stdout, "end\n", describe(result));
    assertMatch(result.stderr, message);
  }
  const quiet = await inSandbox(["--quiet", "--memory=64M"], "exec tail /dev/zero");
  assertEquals([quiet.code, quiet.stderr], [137, ""], describe(quiet));
});

Deno.test({
  ...named("--cpus holds a busy command to its share", PYTHON === null ? "no python3" : null),
  fn: async () => {
    // Where the host itself gives less time, it takes longer.
    const script = `
import time
def throttles():
    with open("/sys/fs/cgroup/cpu.stat") as f: stat = dict(line.split() for line in f)
    return int(stat["nr_throttled"])
end = time.monotonic() + 50
while throttles() < 3 and time.monotonic() < end: sum(range(10 ** 5))
print(throttles() >= 3)`;
    const argv = [...doCommand(PLATFORM, "--cpus=0.1"), PYTHON ?? "", "-c", script];
    const result = await run(argv);
    assertEquals(result.stdout, "True\n", describe(result));
  },
});

Deno.test("resource limits are the caller's", async () => {
  const command = [
    ...doCommand(PLATFORM),
    "bash",
    "-c",
    "ulimit -Sn; ulimit -Hn; ulimit -Sf; ulimit -Sc",
  ];
  const script = 'ulimit -Sc 0; ulimit -Sn 700; ulimit -Hn 900; ulimit -Sf 123456; "$@"; exit $?';
  const result = await run(["bash", "-c", script, "bash", ...command]);
  assertEquals(result.stdout, "700\n900\n123456\n0\n", describe(result));
});

Deno.test("amounts that make no sense are refused by their names", async () => {
  for (
    const [option, message] of [
      ["--disk=1", "--disk 1 is no size of at least 4K, like 64M or 2G"],
      ["--cpus=0", "--cpus 0 is no number of processors of at least 0.01, like 0.5 or 2"],
      ["--pids=x", "--pids x is neither a number of processes of at least 1 nor max"],
    ] as const
  ) {
    const { code, stderr } = await run([...doCommand(PLATFORM, option), "true"]);
    assertEquals(code, 2);
    assert(stderr.includes(message), stderr);
  }
});
