/**
 * Several containers in one sandbox: the processes, groups and files of the host that each has. Not
 * a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import { close, socketpair } from "../../ffi/sys/files.ts";
import { ContainerCgroup } from "../../oci/launch/cgroup/container_cgroup.ts";
import { askForFds } from "../../oci/container/control_client.ts";
import { StateStore } from "../../oci/state/store.ts";
import { PLATFORM } from "../harness/dvisor.ts";
import { noKvm } from "../harness/machine.ts";
import { cpuTicks, eventually } from "../harness/processes.ts";
import { endAll, Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const MIB = 1 << 20;
const SOON_MS = 10_000;
const notRunc = "its containers share no kernel but the host's";
const noProcesses = PLATFORM === "kvm" ? "guests on kvm are no processes of the host" : null;
/** A script with two idle processes. */
const WAIT = "echo up; sleep 60; echo";
/** A program that allocates 100 MiB for a moment. */
const BIG = "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo dd=$?";
/** A program that uses a processor for a while. */
const BUSY = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo busy";

/** A container with a control group of its own. */
function inGroup(t: Lifecycle, resources: Record<string, unknown> = {}): Lifecycle {
  t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
  t.config.linux["resources"] = resources;
  return t;
}

function groupOf(t: Lifecycle): ContainerCgroup {
  return ContainerCgroup.load(record(t)["cgroup"]);
}

function record(t: Lifecycle): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(`${t.root}/${t.id}/state.json`));
}

/** Host pids of the stubs, by their control group. */
function stubsOf(t: Lifecycle): number[] {
  return groupOf(t).processes().filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/comm`).startsWith("dvisor-stub");
    } catch {
      return false; // it has ended
    }
  });
}

/** Another container in the sandbox of `t`, which is deleted afterwards. */
async function withMember(
  t: Lifecycle,
  resources: Record<string, unknown>,
  body: (member: Lifecycle) => Promise<void>,
): Promise<void> {
  const member = inGroup(new Lifecycle("dvisor", t.root), resources);
  member.globals.push(...t.globals);
  member.config["annotations"] = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": t.id,
  };
  try {
    await body(member);
  } finally {
    await endAll([member]);
  }
}

/** The number of processes once it no longer changes. */
async function settled(t: Lifecycle): Promise<number> {
  let last = -1, same = 0;
  const isSettled = () => {
    const now = stubsOf(t).length;
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 10;
  };
  assert(await eventually(isSettled, SOON_MS), "its processes come and go");
  return last;
}

async function ownGroups(t: Lifecycle): Promise<void> {
  await inGroup(t).running(WAIT);
  await t.until("up");
  const before = await settled(t);
  await withMember(t, {}, async (member) => {
    await member.running(`sleep 60 & ${WAIT}`);
    await member.until("up");
    assertEquals(record(member)["sandboxId"], t.id);
    const own = await settled(member);
    assert(own >= 4, "what they are copies of, the shell, and two that sleep");
    assertEquals(await settled(t), before, "in the group of the first container");
    const pidFile = member.file("exec");
    const args = ["exec", "-d", "--pid-file", pidFile, member.id, "sleep", "60"];
    assertEquals((await member.detached(args)).code, 0);
    assertEquals(await settled(member), own + 1, "with the process that exec has started");
    await member.must("kill", member.id, "KILL");
    // It is in the PID namespace of the other, which ends behind it.
    await member.reap(Number(Deno.readTextFileSync(pidFile)));
    assertEquals(await member.reap(), 137);
    assert(await eventually(() => stubsOf(member).length === 0, SOON_MS), "what is left");
  });
  assertEquals(await t.status(), "running");
}

export const POD_CASES: readonly LifecycleCase[] = [
  {
    name: "host processes of a further container are in its own control groups",
    notRunc,
    skip: noProcesses,
    run: ownGroups,
  },
  {
    name: "also on the platform that traces",
    notRunc,
    skip: noProcesses,
    async run(t) {
      t.globals.push("--platform=ptrace");
      await ownGroups(t);
    },
  },
  {
    name: "on kvm the kernel of the sandbox keeps the limits of a further container",
    notRunc,
    skip: noKvm,
    async run(t) {
      t.globals.push("--platform=kvm");
      await inGroup(t).running(WAIT);
      const limits = { cpu: { quota: 8000, period: 10_000 }, pids: { limit: 12 } };
      await withMember(t, limits, async (member) => {
        member.config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup" });
        // None of them takes a process or a thread of the host: there is room for as many as the
        // limit says.
        const forks = (n: number) => `i=0; while [ $i -lt ${n} ]; do sleep 60 & i=$((i+1)); done`;
        const tooMany = `(${forks(9)}; echo all) 2>/dev/null`;
        const stat = "cat /sys/fs/cgroup/cpu.stat";
        await member.running(`${BUSY}; ${stat}; ${forks(7)}; ${tooMany}; ${WAIT}`);
        await member.until("nr_throttled");
        await member.until("up");
        assertEquals(stubsOf(member), []);
        const out = member.text("out"), throttles = /^nr_throttled (\d+)$/m.exec(out)?.[1];
        assert(Number(throttles) > 2, out);
        assert(!out.includes("all"), "more than the limit");
      });
      assertEquals(await t.status(), "running");
    },
  },
  {
    name: "the host's limit of CPU time is that of the container's own group",
    notRunc,
    skip: noProcesses,
    async run(t) {
      await inGroup(t).running(WAIT);
      const first = groupOf(t);
      // Less than one turn on a processor, so that it is met on a busy machine too.
      const quota = { cpu: { quota: 1000, period: 10_000 } };
      await withMember(t, quota, async (member) => {
        await member.running(`${BUSY}; ${WAIT}`);
        await member.until("busy");
        const { usage, throttling } = groupOf(member).stats().cpu;
        assert((usage.total ?? 0n) > 20_000_000n, `CPU time ${usage.total} ns`);
        assert((throttling?.throttledPeriods ?? 0n) > 0n, "it was held up");
        assertEquals(first.stats().cpu.throttling?.throttledPeriods ?? 0n, 0n, "the sandbox");
      });
    },
  },
  {
    name: "the host's freezer of a further container stops that one alone",
    notRunc,
    skip: noProcesses,
    async run(t) {
      await inGroup(t).running(WAIT);
      await withMember(t, {}, async (member) => {
        await member.running("echo up; while :; do :; done");
        await member.until("up");
        const group = groupOf(member), pids = stubsOf(member);
        const ticks = () => pids.reduce((sum, pid) => sum + cpuTicks(pid), 0);
        group.freeze();
        const frozen = ticks();
        assertEquals(await t.status(), "running");
        await t.must("exec", t.id, "true");
        assertEquals(ticks(), frozen);
        group.thaw();
        assert(await eventually(() => ticks() > frozen, SOON_MS), "it goes on");
      });
    },
  },
  {
    name: "a limit of memory is the container's own, and its group counts killed processes",
    notRunc,
    async run(t) {
      await inGroup(t).running(WAIT);
      const limit = { memory: { limit: 48 * MIB, swap: 48 * MIB } };
      await withMember(t, limit, async (member) => {
        await member.running(`${BIG}; ${WAIT}`);
        await member.until("dd=137");
        assertEquals([await member.status(), await t.status()], ["running", "running"]);
        assert(groupOf(member).oomCount() > 0, "killed in its group");
        assertEquals(groupOf(t).oomCount(), 0);
      });
    },
  },
  {
    name: "files of memory count for a limit of memory, whichever process has filled them",
    notRunc,
    async run(t) {
      await inGroup(t).running(WAIT);
      const limit = { memory: { limit: 48 * MIB, swap: 48 * MIB } };
      await withMember(t, limit, async (member) => {
        member.config.mounts.push({ destination: "/m", type: "tmpfs", source: "m" });
        // Each process is small, and gone when the next one writes.
        const write = "dd if=/dev/zero of=/m/$i bs=1M count=4 2>/dev/null";
        const fill = `i=0; while [ $i -lt 14 ]; do ${write}; i=$((i+1)); done`;
        await member.running(`${fill}; while :; do sleep 1; done`);
        assertEquals(await member.reap(), 137);
        assert(groupOf(member).oomCount() > 0, "killed in its group");
        assertEquals(groupOf(t).oomCount(), 0);
      });
      assertEquals(await t.status(), "running");
      await t.must("exec", t.id, "true");
    },
  },
  {
    name: "update gives a further container a limit that it had not",
    notRunc,
    async run(t) {
      await inGroup(t).running(WAIT);
      await withMember(t, {}, async (member) => {
        member.config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup" });
        const script = `echo up; while [ ! -e /go ]; do sleep 0.05; done; ${BIG}; ` +
          "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; echo end; sleep 60; echo";
        await member.running(script);
        await member.until("up");
        const options = ["--memory", "48m", "--memory-swap", "48m", "--pids-limit", "40"];
        await t.must("update", ...options, member.id);
        Deno.writeTextFileSync(`${member.bundle.root}/go`, "");
        await member.until("end");
        assertEquals(member.text("out"), `up\ndd=137\n${48 * MIB}\n40\nend\n`);
        assert(groupOf(member).oomCount() > 0, "killed in its group");
        await t.must("update", "--memory", "64m", "--memory-swap", "64m", member.id);
      });
    },
  },
  {
    name: "statistics of a further container are its own",
    notRunc,
    async run(t) {
      await inGroup(t).running(WAIT);
      await withMember(t, { pids: { limit: 200 } }, async (member) => {
        await member.running(`${BUSY}; x=$(head -c 5000000 /dev/zero | tr '\\0' x); ${WAIT}`);
        await member.until("up");
        const { data } = JSON.parse(await t.must("events", "--stats", member.id));
        assert(data.cpu.usage.total > 20_000_000, `CPU time ${data.cpu.usage.total}`);
        assert(data.memory.usage.usage > 5_000_000, `memory ${data.memory.usage.usage}`);
        assert(data.pids.current >= 1 && data.pids.current <= 5, String(data.pids.current));
        const first = JSON.parse(await t.must("events", "--stats", t.id)).data;
        assert(first.pids.current <= 3, String(first.pids.current));
      });
    },
  },
  {
    name: "a container that cannot be made leaves nothing in the sandbox",
    notRunc,
    async run(t) {
      await inGroup(t).running(WAIT);
      await t.until("up");
      const sentry = Number(Object(record(t)["sentry"]).pid);
      const count = () => [...Deno.readDirSync(`/proc/${sentry}/fd`)].length;
      const tries = async () => {
        // One fails at its mounts, one at its program.
        await withMember(t, {}, async (member) => {
          const options = ["size=64k", "nr_inodes=none"];
          member.config.mounts.push({ destination: "/x", type: "tmpfs", options });
          assert((await member.create()).code !== 0);
          assertMatch(member.text("err"), /mounts\[\d\]/);
        });
        await withMember(t, {}, async (member) => {
          member.config.process["args"] = ["/no/such/program"];
          assert((await member.create()).code !== 0);
          assertMatch(member.text("err"), /no such file/);
        });
      };
      await tries();
      const stubs = await settled(t), files = count();
      for (let i = 0; i < 3; i++) await tries();
      assert(await eventually(() => count() <= files, SOON_MS), `${count()} files, not ${files}`);
      assert(await eventually(() => stubsOf(t).length <= stubs, SOON_MS), "stubs");
    },
  },
  {
    name: "a reservation whose maker is gone is released",
    notRunc,
    skip: noProcesses,
    async run(t) {
      await inGroup(t).running(WAIT);
      await t.until("up");
      const before = await settled(t);
      const { dir } = new StateStore(t.root).load(t.id);
      const pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
      assert(typeof pair !== "number");
      const { fds } = askForFds(dir, { op: "reserve", id: "another" }, [pair[1]]);
      assertEquals([fds.length, stubsOf(t).length], [1, before + 1]);
      for (const fd of [...pair, ...fds]) close(fd);
      assert(await eventually(() => stubsOf(t).length === before, SOON_MS), "it is still there");
      assertEquals(await t.status(), "running");
    },
  },
];
