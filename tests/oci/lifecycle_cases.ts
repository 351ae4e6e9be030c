/**
 * The life of a container as a runtime has to serve it. Cases hold with runc too, unless they say
 * otherwise. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { alive, eventually } from "../harness/processes.ts";
import type { Lifecycle } from "./lifecycle.ts";

export interface LifecycleCase {
  readonly name: string;
  /** Why runc is not asked. */
  readonly notRunc?: string;
  /** Why the case cannot run on this machine; null when it can. */
  readonly skip?: string | null;
  run(t: Lifecycle): Promise<void>;
}

const WAIT = 'trap "exit 9" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done';
const SOON_MS = 10_000;

async function fails(t: Lifecycle, message: RegExp, ...args: string[]): Promise<void> {
  const result = await t.call(...args);
  assert(result.code !== 0, describe(result));
  assertMatch(result.stderr, message);
}

export const CREATE_CASES: readonly LifecycleCase[] = [
  {
    name: "a created container has a state, a pid, and does not run yet",
    async run(t) {
      await t.script("echo ran").created();
      const state = await t.state();
      assertEquals([state["status"], state["id"], state["pid"]], ["created", t.id, t.pid]);
      assertEquals([state["bundle"], typeof state["ociVersion"]], [t.bundle.dir, "string"]);
      assert(alive([t.pid]).length === 1);
      assertEquals(t.text("out"), "");
    },
  },
  {
    name: "start runs the program, with the streams that create had",
    async run(t) {
      await t.running("echo to-out; echo to-err >&2; exit 5");
      assertEquals(await t.reap(), 5);
      assertEquals([t.text("out"), t.text("err")], ["to-out\n", "to-err\n"]);
      assertEquals(await t.status(), "stopped");
    },
  },
  {
    name: "a stopped container has no pid, and delete removes it",
    async run(t) {
      await t.running("exit 0");
      await t.reap();
      assertEquals((await t.state())["pid"] ?? 0, 0);
      await t.must("delete", t.id);
      await fails(t, /does not exist/, "state", t.id);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
  {
    name: "annotations are in the state",
    async run(t) {
      t.config["annotations"] = { "org.example.a": "1" };
      await t.created();
      assertEquals((await t.state())["annotations"], { "org.example.a": "1" });
    },
  },
  {
    name: "an id is had once",
    async run(t) {
      await t.created();
      const again = await t.create();
      assert(again.code !== 0);
      assertMatch(t.text("err"), /exists/);
      assertEquals(await t.status(), "created");
    },
  },
  {
    name: "ids are names",
    async run(t) {
      t.bundle.write(t.config);
      for (const id of ["a/b", "..", "a b"]) {
        const result = await t.detached(["create", "--bundle", t.bundle.dir, id]);
        assert(result.code !== 0, id);
      }
    },
  },
  {
    name: "start happens once",
    async run(t) {
      await t.running(WAIT);
      await fails(t, /already running|not in the created/, "start", t.id);
      await t.must("kill", t.id, "KILL");
      await t.reap();
      await fails(t, /stopped/, "start", t.id);
    },
  },
  {
    name: "a missing container is an error, except for delete --force",
    async run(t) {
      for (const verb of ["start", "state", "kill", "delete", "pause", "resume", "ps"]) {
        await fails(t, /does not exist/, verb, "nobody");
      }
      const forced = await t.call("delete", "--force", "nobody");
      assertEquals([forced.code, forced.stdout, forced.stderr], [0, "", ""]);
    },
  },
  {
    name: "a missing command is found out at create, and nothing is left",
    async run(t) {
      t.config.process["args"] = ["no-such-command"];
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /executable file not found in \$PATH/);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
  {
    name: "a missing path and one that may not be executed are distinguished",
    async run(t) {
      t.config.process["args"] = ["/no/such"];
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /no such file or directory/);
      Deno.writeTextFileSync(`${t.bundle.root}/plain`, "x", { mode: 0o644 });
      t.config.process["args"] = ["/plain"];
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /permission denied/);
    },
  },
  {
    name: "a bundle without config.json is an error",
    async run(t) {
      const result = await t.detached(["create", "--bundle", t.file("rootfs"), t.id]);
      assert(result.code !== 0);
      assertMatch(t.text("err"), /config\.json/);
    },
  },
  {
    name: "errors are in the log as JSON",
    async run(t) {
      t.globals.push("--log", t.file("log"), "--log-format", "json");
      await fails(t, /does not exist/, "start", "nobody");
      const lines = t.text("log").trim().split("\n").map((line) => JSON.parse(line));
      const last = lines.at(-1);
      assertEquals(last.level, "error");
      assertMatch(last.msg, /does not exist/);
      assert(!Number.isNaN(Date.parse(last.time)), last.time);
    },
  },
  {
    name: "stdin is the container's",
    async run(t) {
      Deno.writeTextFileSync(t.file("in"), "from outside\n");
      t.script("cat; echo end").bundle.write(t.config);
      const args = ["create", "--bundle", t.bundle.dir, "--pid-file", t.file("pid"), t.id];
      assertEquals((await t.detached(args, t.file("in"))).code, 0);
      await t.must("start", t.id);
      assertEquals(await t.reap(), 0);
      assertEquals(t.text("out"), "from outside\nend\n");
    },
  },
  {
    name: "files from 3 on are the container's with --preserve-fds, and only then",
    async run(t) {
      const script = "echo three >&3; echo four >&4; (echo five >&5) 2>/dev/null || echo none";
      t.script(script).bundle.write(t.config);
      const files = [3, 4, 5].map((fd) => `${fd}>${t.file(`fd${fd}`)}`).join(" ");
      const argv = t.argv("run", "--preserve-fds", "2", "--bundle", t.bundle.dir, t.id);
      const result = await run(["sh", "-c", `"$@" ${files}`, "sh", ...argv], { timeoutS: 20 });
      assertEquals([result.code, result.stdout], [0, "none\n"], describe(result));
      assertEquals([t.text("fd3"), t.text("fd4"), t.text("fd5")], ["three\n", "four\n", ""]);
    },
  },
  {
    name: "list shows containers",
    async run(t) {
      await t.created();
      assertEquals((await t.must("list", "-q")).trim(), t.id);
      const [entry] = JSON.parse(await t.must("list", "--format", "json"));
      assertEquals([entry.id, entry.status, entry.pid], [t.id, "created", t.pid]);
      assertMatch(await t.must("list"), /^ID +PID +STATUS +BUNDLE/);
    },
  },
];

export const SIGNAL_CASES: readonly LifecycleCase[] = [
  ...["TERM", "SIGTERM", "15", "term"].map((name): LifecycleCase => ({
    name: `kill ${name} reaches a handler`,
    async run(t) {
      await t.running(WAIT);
      await t.until("up");
      await t.must("kill", t.id, name);
      assertEquals(await t.reap(), 9);
    },
  })),
  {
    name: "kill without a signal is TERM",
    async run(t) {
      await t.running(WAIT);
      await t.until("up");
      await t.must("kill", t.id);
      assertEquals(await t.reap(), 9);
    },
  },
  {
    name: "kill KILL ends the container by signal 9",
    async run(t) {
      await t.running(WAIT);
      await t.must("kill", t.id, "KILL");
      assertEquals(await t.reap(), 137);
      assertEquals(await t.status(), "stopped");
    },
  },
  {
    name: "a signal that the first process does not handle has no effect",
    async run(t) {
      await t.running("echo up; while :; do sleep 0.05; done");
      await t.until("up");
      await t.must("kill", t.id, "TERM");
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertEquals(await t.status(), "running");
    },
  },
  {
    name: "a signal sent straight to the pid arrives",
    async run(t) {
      await t.running(WAIT);
      await t.until("up");
      Deno.kill(t.pid, "SIGUSR1");
      await t.until("usr1");
      Deno.kill(t.pid, "SIGTERM");
      assertEquals(await t.reap(), 9);
    },
  },
  {
    name: "an unknown signal is an error",
    async run(t) {
      await t.running(WAIT);
      for (const name of ["NOPE", "999", "-1"]) {
        assert((await t.call("kill", t.id, name)).code !== 0, name);
      }
      assertEquals(await t.status(), "running");
    },
  },
  {
    name: "kill of a stopped container is an error that clients know",
    async run(t) {
      await t.running("exit 0");
      await t.reap();
      await fails(t, /not running/, "kill", t.id, "TERM");
    },
  },
  {
    name: "a created container can be killed",
    async run(t) {
      await t.created();
      await t.must("kill", t.id, "KILL");
      assertEquals(await t.reap(), 137);
      assertEquals(await t.status(), "stopped");
    },
  },
  {
    name: "delete refuses a running container; with --force it is killed",
    async run(t) {
      await t.running(WAIT);
      await fails(t, /is not stopped/, "delete", t.id);
      assertEquals(await t.status(), "running");
      await t.must("delete", "--force", t.id);
      assertEquals(await t.reap(), 137);
      await fails(t, /does not exist/, "state", t.id);
    },
  },
  {
    name: "the process on the host is killed: the container has stopped",
    async run(t) {
      await t.running(WAIT);
      Deno.kill(t.pid, "SIGKILL");
      assertEquals(await t.reap(), 137);
      assertEquals(await t.status(), "stopped");
      await t.must("delete", t.id);
    },
  },
  {
    name: "kill --all reaches all",
    async run(t) {
      await t.running(
        'trap "" TERM; (trap "echo child; exit" TERM; while :; do sleep 0.05; done) & ' +
          "echo up; wait; while :; do sleep 0.05; done",
      );
      await t.until("up");
      await new Promise((resolve) => setTimeout(resolve, 200));
      await t.must("kill", "--all", t.id, "TERM");
      await t.until("child");
    },
  },
];

export const EXEC_CASES: readonly LifecycleCase[] = [
  {
    name: "exec has output and an exit code",
    async run(t) {
      await t.running(WAIT);
      const result = await t.call("exec", t.id, "sh", "-c", "echo out; echo err >&2; exit 3");
      assertEquals([result.code, result.stdout, result.stderr], [3, "out\n", "err\n"]);
    },
  },
  {
    name: "exec reads stdin",
    async run(t) {
      await t.running(WAIT);
      Deno.writeTextFileSync(t.file("in"), "words\n");
      assertEquals((await t.detached(["exec", t.id, "cat"], t.file("in"))).code, 0);
      await t.until("words");
    },
  },
  {
    name: "exec is in the container's namespaces, beside its first process",
    async run(t) {
      await t.running(WAIT);
      const out = await t.must(
        "exec",
        t.id,
        "sh",
        "-c",
        "hostname; cat /proc/1/cmdline | head -c 2",
      );
      assertEquals(out, "box\nsh");
    },
  },
  {
    name: "exec with options for user, directory and environment",
    async run(t) {
      await t.running(WAIT);
      const options = ["--user", "7:8", "--cwd", "/proc", "--env", "A=b"];
      const out = await t.must("exec", ...options, t.id, "sh", "-c", "id -u; id -g; pwd; echo $A");
      assertEquals(out, "7\n8\n/proc\nb\n");
    },
  },
  {
    name: "exec --process takes a process of config.json",
    async run(t) {
      await t.running(WAIT);
      const process = {
        ...t.config.process,
        args: ["sh", "-c", "echo $X"],
        env: ["PATH=/bin", "X=y"],
      };
      Deno.writeTextFileSync(t.file("process.json"), JSON.stringify(process));
      assertEquals(await t.must("exec", "--process", t.file("process.json"), t.id), "y\n");
    },
  },
  {
    name: "exec of what is missing is an error",
    async run(t) {
      await t.running(WAIT);
      await fails(t, /executable file not found/, "exec", t.id, "no-such-command");
      await fails(t, /no such file or directory/, "exec", t.id, "/no/such");
    },
  },
  {
    name: "exec --detach gives a process that can be waited for and signalled",
    async run(t) {
      await t.running(WAIT);
      const detach = ["exec", "--detach", "--pid-file", t.file("exec.pid"), t.id];
      assertEquals((await t.detached([...detach, "sh", "-c", "sleep 0.3; exit 6"])).code, 0);
      assertEquals(await t.reap(Number(t.text("exec.pid"))), 6);
      assertEquals((await t.detached([...detach, "sleep", "1000"])).code, 0);
      const pid = Number(t.text("exec.pid"));
      Deno.kill(pid, "SIGTERM");
      assertEquals(await t.reap(pid), 143);
    },
  },
  {
    name: "a process of exec ends with the container",
    async run(t) {
      await t.running(WAIT);
      const detach = ["exec", "--detach", "--pid-file", t.file("exec.pid"), t.id];
      assertEquals((await t.detached([...detach, "sleep", "1000"])).code, 0);
      await t.must("kill", t.id, "KILL");
      // First: a PID namespace ends when all its processes are reaped.
      assertEquals(await t.reap(Number(t.text("exec.pid"))), 137);
      assertEquals(await t.reap(), 137);
    },
  },
  {
    name: "exec --preserve-fds passes files on",
    async run(t) {
      await t.running(WAIT);
      const argv = t.argv("exec", "--preserve-fds", "1", t.id, "sh", "-c", "echo x >&3");
      const redirected = ["sh", "-c", `"$@" 3>${t.file("fd3")}`, "sh", ...argv];
      assertEquals((await run(redirected, { timeoutS: 20 })).code, 0);
      assertEquals(t.text("fd3"), "x\n");
    },
  },
  {
    name: "exec in a stopped container is an error",
    async run(t) {
      await t.running("exit 0");
      await t.reap();
      await fails(t, /stopped|not running/, "exec", t.id, "true");
    },
  },
  {
    name: "ps has the pids of the host",
    async run(t) {
      await t.running(WAIT);
      const pids = JSON.parse(await t.must("ps", "--format", "json", t.id));
      assert(pids.includes(t.pid), JSON.stringify(pids));
    },
  },
];

export const PAUSE_CASES: readonly LifecycleCase[] = [
  {
    name: "a paused container stops, and continues after resume",
    async run(t) {
      await t.running("i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done");
      await t.until("3\n");
      await t.must("pause", t.id);
      assertEquals(await t.status(), "paused");
      const before = t.text("out");
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertEquals(t.text("out"), before);
      await t.must("resume", t.id);
      assertEquals(await t.status(), "running");
      assert(await eventually(() => t.text("out") !== before, SOON_MS));
    },
  },
  {
    name: "exec in a paused container is refused",
    async run(t) {
      await t.running(WAIT);
      await t.must("pause", t.id);
      await fails(t, /paused/, "exec", t.id, "true");
      await t.must("resume", t.id);
    },
  },
  {
    name: "a paused container can be deleted by force",
    async run(t) {
      await t.running(WAIT);
      await t.must("pause", t.id);
      await t.must("delete", "--force", t.id);
      assertEquals(await t.reap(), 137);
    },
  },
];

export const RUN_CASES: readonly LifecycleCase[] = [
  {
    name: "run waits, exits as the program does, and leaves nothing",
    async run(t) {
      t.script("echo hi; exit 4").bundle.write(t.config);
      const result = await t.call("run", "--bundle", t.bundle.dir, t.id);
      assertEquals([result.code, result.stdout], [4, "hi\n"]);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
  {
    name: "run --keep leaves a stopped container",
    async run(t) {
      t.script("exit 4").bundle.write(t.config);
      assertEquals((await t.call("run", "--keep", "--bundle", t.bundle.dir, t.id)).code, 4);
      assertEquals(await t.status(), "stopped");
    },
  },
  {
    name: "run --detach does not wait",
    async run(t) {
      t.script(WAIT).bundle.write(t.config);
      const options = ["--detach", "--pid-file", t.file("pid"), "--bundle", t.bundle.dir];
      assertEquals((await t.detached(["run", ...options, t.id])).code, 0);
      assertEquals(await t.status(), "running");
      await t.until("up");
      await t.must("kill", t.id, "TERM");
      assertEquals(await t.reap(), 9);
    },
  },
  {
    name: "run of a missing command leaves nothing",
    async run(t) {
      t.config.process["args"] = ["no-such-command"];
      t.bundle.write(t.config);
      await fails(t, /executable file not found/, "run", "--bundle", t.bundle.dir, t.id);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
];
