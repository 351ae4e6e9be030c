/**
 * A sandbox whose guest waits uses next to no CPU: all of its processes together, over ten seconds.
 */

import { assert } from "@std/assert";
import { doCommand, platforms } from "../harness/dvisor.ts";
import { alive, cpuTicks } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";
import { named, PYTHON } from "../harness/machine.ts";

const SECONDS = 10;
/** LIMIT: part of one core. */
const MAX_SHARE = 0.01;
const TICKS_PER_SECOND = 100;
/** Time until the work of the start (caches, compilers) is over. */
const SETTLE_MS = 3000;

/** Processes and threads that wait in each kind of wait. */
const WAITERS = `import os, select, signal, socket, threading, time
r, w = os.pipe()
def fork(fn):
    if os.fork() == 0:
        fn()
        os._exit(0)
fork(lambda: os.read(r, 1))
fork(lambda: select.select([r], [], []))
fork(lambda: time.sleep(1000))
fork(signal.pause)
a, b = socket.socketpair()
fork(lambda: a.recv(1))
ep = select.epoll()
ep.register(r, select.EPOLLIN)
fork(lambda: ep.poll())
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
os.wait()`;

const GUESTS: Readonly<Record<string, readonly string[]>> = {
  "one process that sleeps": ["sh", "-c", "echo ready; exec sleep 1000"],
  "many that wait": [PYTHON ?? "", "-c", WAITERS],
};

async function share(argv: readonly string[]): Promise<number> {
  const session = await Session.start(argv);
  try {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const pids = session.processes().map((p) => p.pid);
    const ticks = () => pids.reduce((sum, pid) => sum + cpuTicks(pid), 0);
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    assert(alive(pids).length === pids.length, "all of it lives");
    return (ticks() - before) / TICKS_PER_SECOND / SECONDS;
  } finally {
    await session.destroy();
  }
}

Deno.test({
  name: `an idle sandbox uses under ${MAX_SHARE * 100} % of a core`,
  // All at once: one that waits does not slow the others.
  fn: async (t) => {
    const runs: Promise<boolean>[] = [];
    for (const platform of platforms("systrap", "ptrace")) {
      for (const [name, guest] of Object.entries(GUESTS)) {
        const noPython = guest[0] === "" ? "no python3 on this machine" : null;
        runs.push(t.step({
          ...named(`${platform}: ${name}`, noPython),
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
          fn: async () => {
            const used = await share([...doCommand(platform), ...guest]);
            console.log(`${platform}, ${name}: ${(used * 100).toFixed(2)} % of a core`);
            assert(used < MAX_SHARE, `${(used * 100).toFixed(2)} % of a core`);
          },
        }));
      }
    }
    await Promise.all(runs);
  },
});
