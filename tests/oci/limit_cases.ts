/**
 * Limits: what they do on the host and inside, and what is reported of them. Cases hold with runc
 * too, unless they say otherwise. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const MIB = 1 << 20;
const WAIT = "echo up; sleep 30";
/** A program that allocates 100 MiB for a moment. */
const BIG = "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo dd=$?";

/** The container's group of a controller of v1, or its group of v2. */
export function groupOf(t: Lifecycle, controller: string): { dir: string; isV1: boolean } {
  const groups = Deno.readTextFileSync(`/proc/${t.pid}/cgroup`).split("\n");
  for (const line of groups) {
    const [, names = "", path = ""] = line.split(":", 3);
    if (!names.split(",").includes(controller)) continue;
    return { dir: `/sys/fs/cgroup/${names}${path}`, isV1: true };
  }
  const path = groups.find((line) => line.startsWith("0::"))?.slice(3) ?? "/";
  return { dir: `/sys/fs/cgroup${path}`, isV1: false };
}

/** A file of the container's groups: by its name in v1 with the controller, and in v2. */
export function groupFile(t: Lifecycle, controller: string, v1: string, v2: string): string {
  const { dir, isV1 } = groupOf(t, controller);
  return Deno.readTextFileSync(`${dir}/${isV1 ? v1 : v2}`).trim();
}

function oomKills(t: Lifecycle): number {
  const text = groupFile(t, "memory", "memory.oom_control", "memory.events");
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** A container with a control group of its own and these limits. */
function limit(t: Lifecycle, resources: Record<string, unknown>): Lifecycle {
  t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
  t.config.linux["resources"] = resources;
  return t;
}

function memory(bytes: number): Record<string, unknown> {
  return { memory: { limit: bytes, swap: bytes } };
}

export const LIMIT_CASES: readonly LifecycleCase[] = [
  {
    name: "limits are the host's, from the start",
    async run(t) {
      const cpu = { quota: 50_000, period: 100_000, cpus: "0" };
      await limit(t, { pids: { limit: 77 }, cpu, ...memory(64 * MIB) }).created();
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "77");
      assertEquals(groupFile(t, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
      assertMatch(groupFile(t, "cpu", "cpu.cfs_quota_us", "cpu.max"), /^50000( 100000)?$/);
      const bytes = Number(groupFile(t, "memory", "memory.limit_in_bytes", "memory.max"));
      assert(bytes >= 64 * MIB && bytes <= 512 * MIB, String(bytes));
    },
  },
  {
    name: "a limit that the host refuses fails create and leaves no group",
    async run(t) {
      limit(t, { cpu: { cpus: "4000" } });
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /cpuset/);
      const left = [...Deno.readDirSync("/sys/fs/cgroup")].filter((entry) => {
        try {
          return Deno.statSync(`/sys/fs/cgroup/${entry.name}/dvisor-test/${t.id}`).isDirectory;
        } catch {
          return false;
        }
      });
      assertEquals(left.map((entry) => entry.name), []);
    },
  },
  {
    name: "a program over the limit is killed, alone, and the group counts it",
    async run(t) {
      await limit(t, memory(48 * MIB)).running(`${BIG}; sleep 30`);
      await t.until("dd=137");
      assertEquals(await t.status(), "running");
      assert(oomKills(t) > 0);
    },
  },
  {
    name: "a container whose only process is over the limit ends with 137",
    async run(t) {
      t.config.process["args"] = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"];
      await limit(t, memory(48 * MIB)).created();
      await t.must("start", t.id);
      assertEquals(await t.reap(), 137);
    },
  },
  {
    name: "update raises a limit for what runs",
    async run(t) {
      const tries = `while [ ! -e /go ]; do sleep 0.05; done; ${BIG}; sleep 30`;
      await limit(t, memory(48 * MIB)).running(tries);
      await t.must("update", "--memory", "200m", "--memory-swap", "200m", t.id);
      Deno.writeTextFileSync(`${t.bundle.root}/go`, "");
      await t.until("dd=0");
    },
  },
  {
    name: "update takes options, and resources as JSON",
    async run(t) {
      await limit(t, {}).running(WAIT);
      await t.must("update", "--pids-limit", "99", "--cpu-quota", "30000", t.id);
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "99");
      assertMatch(groupFile(t, "cpu", "cpu.cfs_quota_us", "cpu.max"), /^30000( 100000)?$/);
      Deno.writeTextFileSync(
        t.file("resources"),
        '{"pids": {"limit": 88}, "cpu": {"shares": 512}}',
      );
      await t.must("update", `--resources=${t.file("resources")}`, t.id);
      assertEquals(groupFile(t, "pids", "pids.max", "pids.max"), "88");
      assertMatch(groupFile(t, "cpu", "cpu.cfs_quota_us", "cpu.max"), /^30000/);
    },
  },
  {
    name: "update that the host refuses, of nothing, and of what has ended fails",
    async run(t) {
      await limit(t, {}).running("exit 0");
      assertEquals(await t.reap(), 0);
      assert((await t.call("update", "--pids-limit", "9", t.id)).code !== 0);
      assert((await t.call("update", "--pids-limit", "9", "no-such-container")).code !== 0);
    },
  },
  {
    name: "fork fails where there may be no more tasks",
    async run(t) {
      const forks = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 9 & done; echo all";
      await limit(t, { pids: { limit: 8 } }).running(forks);
      await t.until("fork", "err");
      assertEquals(t.text("out"), "");
    },
  },
  {
    name: "events --stats has numbers in runc's shape",
    async run(t) {
      await limit(t, { pids: { limit: 300 } }).running(WAIT);
      await t.until("up");
      const event = JSON.parse(await t.must("events", "--stats", t.id));
      assertEquals([event.type, event.id], ["stats", t.id]);
      const { data } = event;
      assert(
        data.cpu.usage.total > 0 && data.memory.usage.usage > 0 && data.memory.raw.pgfault > 0,
      );
      assert(data.pids.current >= 1 && data.pids.current <= 5, String(data.pids.current));
      assertEquals(data.pids.limit, 300);
    },
  },
  {
    name: "events tells of the OOM killer, and ends with the container",
    notRunc: "its events end only when the container is deleted",
    async run(t) {
      await limit(t, memory(48 * MIB)).running(`sleep 1; ${BIG}; sleep 0.5`);
      const { stdout } = await t.call("events", "--interval", "30s", t.id);
      assertMatch(stdout, new RegExp(`"type":"oom","id":"${t.id}"`));
    },
  },
  {
    name: "events of a container that has ended, or never was, fails",
    async run(t) {
      await limit(t, {}).running("exit 0");
      await t.reap();
      assert((await t.call("events", "--stats", t.id)).code !== 0);
      assert((await t.call("events", "--stats", "no-such-container")).code !== 0);
    },
  },
  {
    name: "features is JSON that clients can read",
    async run(t) {
      const features = JSON.parse(await t.must("features"));
      assertMatch(features.ociVersionMax, /^1\./);
      assert(features.hooks.includes("createRuntime") && features.mountOptions.includes("rbind"));
      assert(features.linux.namespaces.includes("network"));
      assertEquals(features.linux.cgroup.v2, true);
      assert(features.linux.seccomp.actions.includes("SCMP_ACT_ERRNO"));
    },
  },
  {
    name: "a guest sees its limits, and changes of them",
    notRunc: "its groups are the host's",
    async run(t) {
      t.config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" });
      const script =
        "cd /sys/fs/cgroup; cat memory.max pids.max; while [ ! -e /go ]; do sleep 0.05; " +
        "done; cat memory.max pids.max; echo end";
      await limit(t, { ...memory(64 * MIB), pids: { limit: 50 } }).running(script);
      await t.until("50");
      await t.must("update", "--memory", "80m", "--memory-swap", "-1", "--pids-limit", "-1", t.id);
      Deno.writeTextFileSync(`${t.bundle.root}/go`, "");
      await t.until("end");
      assertEquals(t.text("out"), `${64 * MIB}\n50\n${80 * MIB}\nmax\nend\n`);
    },
  },
];
