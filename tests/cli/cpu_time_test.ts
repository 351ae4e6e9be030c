/** CPU times on a busy host: a guest is not charged for time in which it had no processor. */

import { assert } from "@std/assert";
import { doCommand, platforms } from "../harness/dvisor.ts";
import { named, PYTHON } from "../harness/machine.ts";
import { Session } from "../harness/session.ts";

const SCRIPT = `
import os, sys, time
end = time.monotonic() + 2
while time.monotonic() < end:
    sum(range(100000))
print("user", os.times().user, flush=True)
print("ready", flush=True)
sys.stdin.readline()`;
/** The fields utime and stime of /proc/PID/stat behind the program's name; seconds of a tick. */
const UTIME = 11, STIME = 12, TICK_S = 0.01;
/** The host counts in ticks. */
const TOLERANCE_S = 0.1;

/** CPU time of processes of the host, s. */
function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ");
    ticks += Number(fields[UTIME]) + Number(fields[STIME]);
  }
  return ticks * TICK_S;
}

for (const platform of platforms("systrap", "ptrace")) {
  Deno.test({
    ...named(
      `${platform}: a busy host's time is not the guest's`,
      PYTHON === null ? "no python3 on this machine" : null,
    ),
    fn: async () => {
      const others = Array.from(
        { length: 4 * navigator.hardwareConcurrency },
        () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn(),
      );
      try {
        const session = await Session.start([...doCommand(platform), PYTHON!, "-c", SCRIPT]);
        const hostS = cpuSeconds(session.pids("stub"));
        const userS = Number(/^user (.*)$/m.exec(session.stdout)?.[1]);
        await session.write("\n");
        await session.end();
        assert(userS > 0 && userS <= hostS + TOLERANCE_S, `${userS} s, on the host ${hostS} s`);
      } finally {
        for (const other of others) other.kill("SIGKILL");
        for (const other of others) await other.status;
      }
    },
  });
}
