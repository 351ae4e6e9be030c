/** The checks of `ctr`. Not a test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { type EngineCase, until } from "../engines/engine_case.ts";
import { type Ctr, IMAGE, STATE } from "./ctr.ts";

const SERVICE = 'trap "echo got-term; exit 7" TERM; echo up; while :; do sleep 0.1; done';

/** ctr prints the exit code of a task when it deletes it. */
async function deleted(c: Ctr, name: string, code: number): Promise<void> {
  const { stdout, stderr } = await c.call("task", "delete", name);
  assertMatch(stdout + stderr, new RegExp(`non-zero exit code ${code}\\b`));
}

function shimOf(name: string): number {
  for (const { name: pid } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    if (args[0]?.endsWith("containerd-shim-runc-v2") && args.includes(name)) return Number(pid);
  }
  throw new Error(`no shim of ${name}`);
}

export const CTR_CASES: readonly EngineCase<Ctr>[] = [
  {
    name: "run --rm: output, errors and codes",
    async run(c) {
      const args = ["run", "--rm", ...c.chosen, IMAGE];
      const result = await c.call(...args, c.name(), "sh", "-c", "echo out; echo err >&2; exit 42");
      assertEquals([result.code, result.stdout], [42, "out\n"], describe(result));
      assertMatch(result.stderr, /err/);
      await c.fails(/\/nosuch/, ...args, c.name(), "/nosuch");
    },
  },
  {
    name: "run --rm leaves no state",
    async run(c) {
      await c.shell("true");
      assertEquals(await c.must("task", "ls", "-q"), "");
      assertEquals([...Deno.readDirSync(STATE)].length, 0);
    },
  },
  {
    name: "standard input",
    async run(c) {
      const argv = c.argv("run", "--rm", ...c.chosen, IMAGE, c.name(), "wc", "-c");
      const result = await c.host(argv, { stdin: "x".repeat(200_000) });
      assertEquals(result.stdout.trim(), "200000", describe(result));
    },
  },
  {
    name: "run -t",
    async run(c) {
      const script = "test -t 0 && tty; exit 6";
      const result = await c.terminal(
        ["run", "--rm", "-t", ...c.chosen, IMAGE, c.name(), "sh", "-c", script],
      );
      assertEquals(result.code, 6, describe(result));
      assertMatch(result.stdout, /\/dev\/(pts|console)/);
    },
  },
  {
    name: "variables, directory, user, mounts, read-only",
    async run(c) {
      const path = c.folder("m");
      c.file("m/x", "bound\n");
      const mount = `type=bind,src=${path},dst=/m,options=rbind:ro`;
      const options = ["--env", "A=b", "--cwd", "/tmp", "--user", "1000:1000", "--mount", mount];
      const script = "echo $A; pwd; id -u; cat /m/x; touch /x 2>/dev/null || echo no";
      assertEquals(await c.shell(script, ...options, "--read-only"), "b\n/tmp\n1000\nbound\nno\n");
    },
  },
  {
    name: "--net-host, --privileged, and --seccomp",
    async run(c) {
      const links = await c.shell("ls /sys/class/net", "--net-host");
      assertMatch(links, /^lo$/m);
      const mounts = await c.shell("mount -t tmpfs t /tmp && echo mounted", "--privileged");
      assertEquals(mounts, "mounted\n");
      assertMatch(await c.shell("grep Seccomp: /proc/self/status", "--seccomp"), /\t2/);
    },
  },
  {
    name: "a task in the background: exec, kill, its code",
    async run(c) {
      const name = await c.background(SERVICE);
      await c.logged(name, "up");
      const result = await c.exec(name, "sh", "-c", "echo e; exit 3");
      assertEquals([result.code, result.stdout], [3, "e\n"], describe(result));
      await c.must("task", "kill", "-s", "TERM", name);
      await c.logged(name, "got-term");
      await until("end", async () => await c.status(name) === "STOPPED");
      await deleted(c, name, 7);
    },
  },
  {
    name: "exec on a terminal",
    async run(c) {
      const name = await c.background(SERVICE);
      const args = ["task", "exec", "-t", "--exec-id", "e1", name];
      const result = await c.terminal([...args, "sh", "-c", "tty; exit 5"]);
      assertEquals(result.code, 5, describe(result));
      assertStringIncludes(result.stdout, "/dev/pts/");
    },
  },
  {
    name: "exec in the background, and kill of it alone",
    async run(c) {
      const name = await c.background(SERVICE);
      const options = ["--detach", "--exec-id", "bg"];
      await c.must("task", "exec", ...options, name, "sleep", "1234");
      const list = async () => (await c.exec(name, "ps")).stdout;
      assertStringIncludes(await list(), "sleep 1234");
      await c.must("task", "kill", "--exec-id", "bg", "-s", "KILL", name);
      await until("end", async () => !(await list()).includes("sleep 1234"));
      assertEquals(await c.status(name), "RUNNING");
    },
  },
  {
    name: "pause and resume",
    async run(c) {
      const name = await c.background("while :; do echo t; sleep 0.1; done");
      await c.logged(name, "t");
      await c.must("task", "pause", name);
      assertEquals(await c.status(name), "PAUSED");
      const before = c.log(name).length;
      await c.fails(/paused/, "task", "exec", "--exec-id", "x", name, "true");
      assertEquals(c.log(name).length, before);
      await c.must("task", "resume", name);
      await until("more", () => c.log(name).length > before);
    },
  },
  {
    name: "ps has pids of the host",
    async run(c) {
      const name = await c.background(SERVICE);
      const pids = (await c.must("task", "ps", name)).match(/^\d+/gm) ?? [];
      assert(pids.length > 0);
      for (const pid of pids) assert(Deno.statSync(`/proc/${pid}`).isDirectory);
    },
  },
  {
    name: "metrics are numbers of its control group",
    async run(c) {
      const name = await c.background("while :; do :; done");
      const ask = async () => await c.must("task", "metrics", name);
      assertMatch(await ask(), /memory\.usage_in_bytes +[1-9]|memory\.usage +[1-9]/);
      const cpu = async () => {
        return Number(/cpuacct\.usage +(\d+)|cpu.usage_usec +(\d+)/.exec(await ask())?.[1] ?? 0);
      };
      const before = await cpu();
      await until("cpu time", async () => await cpu() > before);
    },
  },
  {
    name: "a pid file, and removal of the container by itself",
    async run(c) {
      const pid = `${c.dir}/pid`;
      const name = await c.background("exec sleep 1000", "--pid-file", pid);
      const list = await c.must("task", "ps", name);
      assertMatch(list, new RegExp(`^${Deno.readTextFileSync(pid)}\\b`, "m"));
    },
  },
  {
    name: "a task that ignores SIGTERM is killed, and delete needs its end",
    async run(c) {
      const name = await c.background("trap '' TERM; echo up; while :; do sleep 0.1; done");
      await c.logged(name, "up");
      await c.fails(/running|stop/i, "task", "delete", name);
      await c.must("task", "kill", "-s", "KILL", name);
      await until("end", async () => await c.status(name) === "STOPPED");
      await deleted(c, name, 137);
    },
  },
  {
    name: "kill --all ends what exec started",
    async run(c) {
      const name = await c.background("trap '' TERM; sleep 1000 & wait; wait");
      await c.must("task", "exec", "--detach", "--exec-id", "bg", name, "sleep", "1234");
      await c.must("task", "kill", "--all", "-s", "KILL", name);
      await until("end", async () => await c.status(name) === "STOPPED");
    },
  },
  {
    name: "a task is saved in a directory or in an image, and runs on; with --exit it ends",
    notRunc: "needs criu",
    async run(c) {
      const name = await c.background(SERVICE), path = `${c.dir}/checkpoint`;
      await c.logged(name, "up");
      await c.must("task", "checkpoint", "--image-path", path, name);
      assert(isThere(`${path}/dvisor.dvsnap`));
      await c.must("task", "checkpoint", name);
      assertEquals((await c.exec(name, "echo", "alive")).stdout, "alive\n");
      await c.must("task", "checkpoint", "--exit", "--image-path", path, name);
      await until("end", async () => await c.status(name) === "STOPPED");
      await deleted(c, name, 137);
    },
  },
  {
    name: "containerd is killed and started again: tasks live, and their codes are known",
    async run(c) {
      const name = await c.background(SERVICE);
      await c.logged(name, "up");
      await c.containerd.stop("SIGKILL");
      await c.containerd.start();
      assertEquals(await c.status(name), "RUNNING");
      assertEquals((await c.exec(name, "echo", "alive")).stdout, "alive\n");
      await c.must("task", "kill", "-s", "TERM", name);
      await until("end", async () => await c.status(name) === "STOPPED");
      await deleted(c, name, 7);
    },
  },
  {
    name: "the shim is killed: the task can be removed, without leftovers",
    async run(c) {
      const name = await c.background("exec sleep 4321");
      const pid = /^\d+/m.exec(await c.must("task", "ps", name))?.[0] ?? "";
      Deno.kill(shimOf(name), "SIGKILL");
      await until("end of the process", () => !isThere(`/proc/${pid}`));
      await until("no task", async () => {
        await c.call("task", "delete", "--force", name);
        return !(await c.must("task", "ls", "-q")).includes(name);
      });
      // runc keeps its directory.
      const left = [...Deno.readDirSync(STATE)].length;
      if (c.peer === "dvisor") assertEquals(left, 0);
    },
  },
];

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
