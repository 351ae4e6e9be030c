/**
 * Options of verbs that clients seldom use. Cases hold with runc too, unless they say otherwise.
 * Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { close } from "../../ffi/sys/files.ts";
import { describe } from "../harness/dvisor.ts";
import { FdSocket } from "./fd_socket.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const WAIT = "echo up; while :; do sleep 0.05; done";
const NEWER = "runc 1.1 does not have it";

async function fails(t: Lifecycle, message: RegExp, ...args: string[]): Promise<void> {
  const result = await t.call(...args);
  assert(result.code !== 0, describe(result));
  assertMatch(result.stderr, message);
}

/** The pid of a pidfd's process. */
function pidOf(pidfd: number): number {
  return Number(/^Pid:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${pidfd}`))?.[1]);
}

export const VERB_CASES: readonly LifecycleCase[] = [
  {
    name: "exec in a created container runs, and its program does not",
    async run(t) {
      await t.script("echo started; cat /left; sleep 20").created();
      const script = "echo word >/left; hostname; id -u";
      assertEquals(await t.must("exec", t.id, "sh", "-c", script), "box\n0\n");
      assertEquals([t.text("out"), await t.status()], ["", "created"]);
      await t.must("start", t.id);
      await t.until("started\nword\n");
      assertEquals(await t.status(), "running");
    },
  },
  {
    name: "a process of exec in a created container continues after start",
    async run(t) {
      await t.script("until [ -e /done ]; do sleep 0.05; done; exit 4").created();
      const script = "until [ -e /go ]; do sleep 0.05; done; exit 6";
      const detach = ["exec", "--detach", "--pid-file", t.file("exec.pid"), t.id];
      assertEquals((await t.detached([...detach, "sh", "-c", script])).code, 0);
      await t.must("start", t.id);
      assertEquals(await t.status(), "running");
      await t.must("exec", t.id, "touch", "/go");
      assertEquals(await t.reap(Number(t.text("exec.pid"))), 6);
      // All processes end with the first one, so it has to be the last to end.
      await t.must("exec", t.id, "touch", "/done");
      assertEquals(await t.reap(), 4);
    },
  },
  {
    name: "a process of exec in a created container ends with its deletion",
    async run(t) {
      await t.created();
      const detach = ["exec", "--detach", "--pid-file", t.file("exec.pid"), t.id];
      assertEquals((await t.detached([...detach, "sleep", "1000"])).code, 0);
      const deletion = t.must("delete", "--force", t.id);
      // A PID namespace ends when all its processes are reaped.
      assertEquals(await t.reap(Number(t.text("exec.pid"))), 137);
      await deletion;
    },
  },
  {
    name: "exec in the container's own control group, by its name",
    async run(t) {
      await t.running(WAIT);
      assertEquals(await t.must("exec", "--cgroup", "/", t.id, "echo", "in"), "in\n");
      await fails(t, /cgroup/, "exec", "--cgroup", "nowhere", t.id, "true");
      await fails(t, /invalid --cgroup argument/, "exec", "--cgroup", "a:b:c", t.id, "true");
    },
  },
  {
    name: "exec --ignore-paused starts a process that waits",
    async run(t) {
      await t.running(WAIT);
      await t.must("pause", t.id);
      await fails(t, /paused/, "exec", t.id, "true");
      const detach = ["exec", "--ignore-paused", "--detach", "--pid-file", t.file("exec.pid")];
      assertEquals((await t.detached([...detach, t.id, "echo", "late"])).code, 0);
      assertEquals(t.text("out").includes("late"), false);
      await t.must("resume", t.id);
      await t.until("late");
      assertEquals(await t.reap(Number(t.text("exec.pid"))), 0);
    },
    notRunc: "runc waits for the process to start",
  },
  {
    name: "a created container is paused, and is created again after resume",
    async run(t) {
      await t.created();
      await t.must("pause", t.id);
      assertEquals(await t.status(), "paused");
      await t.must("resume", t.id);
      assertEquals(await t.status(), "created");
      await t.must("start", t.id);
      assertEquals(await t.reap(), 0);
    },
  },
  {
    name: "labels of security modules that the host lacks are errors",
    async run(t) {
      await t.running(WAIT);
      await fails(t, /apparmor/i, "exec", "--apparmor", "some-profile", t.id, "true");
      await t.must("exec", "--apparmor", "", t.id, "true");
    },
  },
  {
    name: "ps passes options on",
    async run(t) {
      await t.running(WAIT);
      const out = await t.must("ps", t.id, "-e", "-o", "pid,comm");
      assertMatch(out, /^ *PID +COMMAND\n/);
      await fails(t, /./, "ps", t.id, "-o", "pid,no-such-column");
    },
  },
  {
    name: "--pidfd-socket gets a descriptor of the process",
    notRunc: NEWER,
    async run(t) {
      const socket = new FdSocket(t.bundle.dir, "pidfd");
      const option = ["--pidfd-socket", socket.path];
      try {
        await t.script(WAIT).created(...option);
        const fd = socket.receive();
        assertEquals(pidOf(fd), t.pid);
        close(fd);
        const detach = ["exec", "--detach", "--pid-file", t.file("pid"), ...option, t.id];
        assertEquals((await t.detached([...detach, "sleep", "9"])).code, 0, t.text("err"));
        const other = socket.receive();
        assertEquals(pidOf(other), t.pid);
        close(other);
        await t.must("kill", t.id, "KILL");
        await t.reap();
      } finally {
        socket.close();
      }
    },
  },
  {
    name: "the name of the host is that of the UTS namespace that is joined",
    async run(t) {
      const args = ["--uts", "sh", "-c", "hostname joined; sleep 30 & echo $!; wait"];
      const other = new Deno.Command("unshare", { args, stdout: "piped" }).spawn();
      const reader = other.stdout.getReader();
      const pid = Number(new TextDecoder().decode((await reader.read()).value));
      try {
        delete t.config["hostname"];
        const namespaces = t.config.linux["namespaces"] as { type: string; path?: string }[];
        for (const ns of namespaces) if (ns.type === "uts") ns.path = `/proc/${pid}/ns/uts`;
        await t.running("hostname");
        await t.until("joined\n");
      } finally {
        Deno.kill(pid, "SIGKILL");
        await reader.cancel();
        await other.status;
      }
    },
  },
  {
    name: "spec -b writes the configuration there",
    async run(t) {
      Deno.mkdirSync(t.file("new"));
      await t.must("spec", "-b", t.file("new"));
      assertEquals(JSON.parse(t.text("new/config.json")).root.path, "rootfs");
    },
  },
];
