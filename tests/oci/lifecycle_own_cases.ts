/** The life of containers where dvisor differs from runc, or says more. Not a test. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { alive, cpuTicks, eventually, processesOf } from "../harness/processes.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const WAIT = 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done';
const SOON_MS = 5000;
const notRunc = "it has no processes beside the container's";

/** The record of the container. */
function record(t: Lifecycle): { sentry: { pid: number }; gofer: { pid: number } } {
  return JSON.parse(Deno.readTextFileSync(`${t.root}/${t.id}/state.json`));
}

export const DVISOR_CASES: readonly LifecycleCase[] = [
  ...["sentry", "gofer"].map((part): LifecycleCase => ({
    name: `the ${part} is killed: the container ends, and can be deleted`,
    notRunc,
    async run(t) {
      await t.running(WAIT);
      const { sentry, gofer } = record(t);
      Deno.kill(part === "sentry" ? sentry.pid : gofer.pid, "SIGKILL");
      assert(await t.reap() !== 0);
      assertEquals(await t.status(), "stopped");
      await t.must("delete", t.id);
      assert(await eventually(() => alive([sentry.pid, gofer.pid]).length === 0, SOON_MS));
    },
  })),
  {
    name: "all processes are in the control group, and none is left",
    notRunc,
    async run(t) {
      t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
      await t.running(WAIT);
      const { sentry, gofer } = record(t);
      for (const pid of [sentry.pid, gofer.pid]) {
        assertMatch(Deno.readTextFileSync(`/proc/${pid}/cgroup`), new RegExp(t.id));
      }
      await t.must("delete", "--force", t.id);
      assertEquals(alive([sentry.pid, gofer.pid, t.pid]).filter((pid) => pid !== t.pid), []);
    },
  },
  {
    name: "create is killed at some moment: delete --force leaves nothing",
    notRunc,
    async run(t) {
      t.bundle.write(t.config);
      for (const ms of [5, 25, 45, 65, 90, 120, 160]) {
        const id = `${t.id}-${ms}`;
        const argv = t.argv("create", "--bundle", t.bundle.dir, id);
        const child = new Deno.Command(argv[0] ?? "", {
          args: argv.slice(1),
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
        await new Promise((resolve) => setTimeout(resolve, ms));
        try {
          child.kill("SIGKILL");
        } catch {
          // The container ended before the command.
        }
        await child.status;
        await t.must("delete", "--force", id);
        assertEquals((await t.must("list", "-q")).trim(), "");
      }
      const left = new Deno.Command("pgrep", { args: ["-f", `${t.id}-`] }).outputSync();
      assertEquals(new TextDecoder().decode(left.stdout), "");
    },
  },
  {
    name: "an unsupported member of config.json is named",
    notRunc,
    async run(t) {
      t.config.linux["intelRdt"] = { closID: "x" };
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /config\.json: linux\.intelRdt/);
    },
  },
  {
    name: "a paused container takes no CPU time, even with a busy program",
    notRunc,
    async run(t) {
      await t.running("echo up; while :; do :; done");
      await t.until("up");
      const pids = processesOf(record(t).sentry.pid).map((process) => process.pid);
      const ticks = () => pids.reduce((sum, pid) => sum + cpuTicks(pid), 0);
      await t.must("pause", t.id);
      const before = ticks();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const used = ticks() - before;
      assert(used < 10, `${used} ticks`);
      await t.must("resume", t.id);
      assert(await eventually(() => ticks() > before + 10, SOON_MS), "it goes on");
    },
  },
  {
    name: "debug shows processes, what they wait for, and mounts",
    notRunc: "it has no such verb",
    async run(t) {
      await t.running("exec sleep 1000 3</dev/null");
      assert(await eventually(() => t.text("err") === "" && alive([t.pid]).length === 1, SOON_MS));
      let text = "";
      for (let i = 0; i < 50 && !text.includes("clock_nanosleep"); i++) {
        text = await t.must("debug", t.id);
      }
      assertMatch(text, /process 1 \(sleep\).*\n {2}thread 1 waits in clock_nanosleep\(/);
      assertMatch(text, /\n {2}fd 2: [a-z_]+:/);
      assertMatch(text, /\n {2}fd 3: \/dev\/null\n/);
      assertMatch(text, /\/proc rw.* - proc proc/);
    },
  },
  {
    name: "metrics are numbers of all containers",
    notRunc: "it has no such verb",
    async run(t) {
      await t.running(WAIT);
      const text = await t.must("metrics");
      assertMatch(
        text,
        new RegExp(`dvisor_container_running\\{id="${t.id}",sandbox="${t.id}"\\} 1`),
      );
      assertMatch(text, /^dvisor_container_processes\{.*\} [1-9]/m);
      for (const line of text.trim().split("\n")) {
        assertMatch(line, /^(# (HELP|TYPE) \w+ .*|\w+\{[^}]*\} [\d.e+-]+)$/);
      }
    },
  },
  {
    name: "the kernel keeps nothing of execs that have ended or failed",
    notRunc: "it has no processes beside the container's",
    async run(t) {
      await t.running(WAIT);
      const { sentry } = record(t);
      const count = () => [...Deno.readDirSync(`/proc/${sentry.pid}/fd`)].length;
      const twice = async () => {
        for (let i = 0; i < 3; i++) {
          await t.must("exec", t.id, "true");
          assert((await t.call("exec", t.id, "no-such-command")).code !== 0);
        }
      };
      await twice();
      const before = count();
      await twice();
      await twice();
      assert(await eventually(() => count() <= before, SOON_MS), `${before} -> ${count()}`);
    },
  },
  {
    name: "wait waits",
    notRunc: "it has no such verb",
    async run(t) {
      await t.running("sleep 0.3");
      await t.must("wait", t.id);
      assertEquals(await t.status(), "stopped");
    },
  },
  {
    name: "a further container joins the sandbox of the one whose namespace it names",
    notRunc,
    async run(t) {
      await t.running(WAIT);
      const other = `${t.id}-b`;
      const config = structuredClone(t.config);
      config.linux["namespaces"] = [
        { type: "mount" },
        { type: "uts" },
        { type: "network", path: `/proc/${t.pid}/ns/net` },
        { type: "ipc", path: `/proc/${t.pid}/ns/ipc` },
        { type: "pid", path: `/proc/${t.pid}/ns/pid` },
      ];
      config.process["args"] = ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; exit 3"];
      t.bundle.write(config);
      const args = ["create", "--bundle", t.bundle.dir, "--pid-file", t.file("pid-b"), other];
      assertEquals((await t.detached(args)).code, 0, t.text("err"));
      const sandboxOf = (id: string) =>
        JSON.parse(Deno.readTextFileSync(`${t.root}/${id}/state.json`)).sandboxId;
      assertEquals([sandboxOf(t.id), sandboxOf(other)], [t.id, t.id]);
      await t.must("start", other);
      assertEquals(await t.reap(Number(t.text("pid-b"))), 3);
      assertMatch(t.text("out"), /trap/);
      await t.must("delete", other);
      assertEquals(await t.status(), "running");
    },
  },
];
