/**
 * What happens when a part of a sandbox dies, or the host runs out of disk: the rest goes at once,
 * says why, and leaves nothing behind.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  describe,
  doCommand,
  PLATFORM,
  type PlatformName,
  platforms,
  run,
} from "../harness/dvisor.ts";
import { alive, eventually } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";
import { isRoot, lacks, named, PYTHON } from "../harness/machine.ts";

const noPython = PYTHON === null ? "no python3 on this machine" : null;

/** LIMIT: ms until all processes are gone. */
const SOON_MS = 3000;

/** A guest with a few processes, one of which computes. */
const GUEST = "sleep 1000 & (while :; do :; done) & echo ready; wait";

async function whileRunning(
  platform: PlatformName,
  fn: (session: Session, pids: number[]) => Promise<void>,
): Promise<void> {
  const session = await Session.start([...doCommand(platform), "sh", "-c", GUEST]);
  try {
    const pids = session.processes().map((p) => p.pid);
    assert(session.pids("sentry").length === 1, JSON.stringify(session.processes()));
    assert(session.pids("gofer").length === 1, JSON.stringify(session.processes()));
    await fn(session, pids);
    assert(
      await eventually(() => alive(pids).length === 0, SOON_MS),
      `still there: ${alive(pids)}`,
    );
  } finally {
    await session.destroy();
  }
}

for (const platform of platforms("systrap", "ptrace")) {
  Deno.test(`${platform}: the Sentry is killed: all of it goes at once, with a message`, () =>
    whileRunning(platform, async (session) => {
      Deno.kill(session.pids("sentry")[0]!, "SIGKILL");
      const start = performance.now();
      const ended = await session.end();
      assert(performance.now() - start < SOON_MS, "at once");
      assert(ended.code === 1 || ended.code === 137, `exit code ${ended.code}`);
      assertMatch(ended.stderr, /^dvisor: .*kernel.*\n$/);
    }));

  Deno.test(`${platform}: dvisor itself is killed: nothing of it lives on`, () =>
    whileRunning(platform, async (session) => {
      session.kill("SIGKILL");
      assertEquals((await session.end()).code, 137);
    }));

  Deno.test(`${platform}: a stopped command ends by SIGTERM and SIGCONT`, async () => {
    const script = "(while :; do sleep 0.1; done) & echo ready; kill -STOP $$";
    const session = await Session.start([...doCommand(platform), "sh", "-c", script]);
    try {
      session.kill("SIGTERM");
      session.kill("SIGCONT");
      assertEquals((await session.end()).code, 143);
    } finally {
      await session.destroy();
    }
  });

  Deno.test(`${platform}: SIGTERM ends the guest and the sandbox`, () =>
    whileRunning(platform, async (session) => {
      session.kill("SIGTERM");
      assertEquals((await session.end()).code, 143);
    }));
}

/** Looks into one new directory after the other until that fails. */
const LOOKER = `import os, time
print("ready", flush=True)
time.sleep(0.5)
def fail(e):
    print("saw", e.strerror, flush=True)
    time.sleep(100)
for place in ("/usr/share", "/usr/lib", "/usr", "/var", "/etc"):
    for directory, dirs, files in os.walk(place, onerror=fail):
        pass
print("never failed")`;

Deno.test({
  ...named(
    "the Gofer is killed: the guest sees EIO, and the sandbox ends with a message",
    noPython,
  ),
  fn: async () => {
    const session = await Session.start([...doCommand(PLATFORM), PYTHON ?? "", "-c", LOOKER]);
    try {
      const pids = session.processes().map((p) => p.pid);
      Deno.kill(session.pids("gofer")[0]!, "SIGKILL");
      assert(await session.saw(/saw Input\/output error/), session.stdout);
      const ended = await session.end();
      assertEquals(ended.code, 1, ended.stderr);
      assertMatch(ended.stderr, /^dvisor: .*file server.*\n$/m);
      assert(await eventually(() => alive(pids).length === 0, SOON_MS), "nothing is left");
    } finally {
      await session.destroy();
    }
  },
});

const noProcesses = PLATFORM === "kvm" ? "guests on kvm are no processes of the host" : null;

Deno.test({
  ...named(
    "a process of the guest killed by the host is a dead process for the guest",
    noProcesses,
  ),
  fn: async () => {
    const script = 'sleep 1000 & p=$!; echo ready; wait $p; echo "it gave $?"; echo alive; exit 3';
    const session = await Session.start([...doCommand(PLATFORM), "sh", "-c", script]);
    try {
      // Whichever stub holds the shell must live: kill them one by one until the guest has noticed.
      const stubs = session.pids("stub");
      assert(stubs.length >= 2, "a stub for each address space");
      Deno.kill(stubs.at(-1)!, "SIGKILL");
      if (!await session.saw(/alive/, 2000)) {
        for (const stub of alive(stubs).reverse()) {
          Deno.kill(stub, "SIGKILL");
          if (await session.saw(/alive/, 500)) break;
        }
      }
      const ended = await session.end();
      const noticed = /it gave 137\nalive/.test(ended.stdout) && ended.code === 3;
      // The shell's own stub was hit: its death is the sandbox's end, as by SIGKILL.
      assert(noticed || ended.code === 137, `${ended.code}\n${ended.stdout}\n${ended.stderr}`);
    } finally {
      await session.destroy();
    }
  },
});

Deno.test({
  ...named(
    "the host's disk is full: ENOSPC in the guest, and written data is intact",
    isRoot ? lacks(["mount"]) : "mounting needs root",
  ),
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "dvisor-full-" });
    try {
      const mounted = await run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", dir]);
      assertEquals(mounted.code, 0, mounted.stderr);
      const script =
        "cd /mnt; echo first > kept; while head -c 65536 /dev/zero | tr '\\0' x >> big; " +
        "do :; done; " +
        "cat kept; echo more > other || echo refused; rm big; echo again > other && cat other";
      const result = await run([
        ...doCommand(PLATFORM, "--volume", `${dir}:/mnt`),
        "bash",
        "-o",
        "pipefail",
        "-c",
        script,
      ]);
      assertMatch(result.stderr, /No space left on device/);
      assertEquals(result.stdout, "first\nrefused\nagain\n", describe(result));
      assertEquals(await Deno.readTextFile(`${dir}/kept`), "first\n");
      assertEquals(await Deno.readTextFile(`${dir}/other`), "again\n");
    } finally {
      await run(["umount", dir]);
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  ...named(
    "twenty sandboxes after each other leave no descriptor behind",
    noPython,
  ),
  fn: async () => {
    const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = count();
    for (let i = 0; i < 20; i++) {
      const result = await run([...doCommand(PLATFORM), "true"]);
      assertEquals(result.code, 0, describe(result));
    }
    assertEquals(count(), before);
  },
});
