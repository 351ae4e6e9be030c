/**
 * Hooks of config.json: which run when and where, what they get, and what becomes of those that
 * fail. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { alive, eventually } from "../harness/processes.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const ENV = ["PATH=/usr/bin:/bin"];
const AT_CREATE = ["prestart", "createRuntime", "createContainer"];

/** A hook that is a script of the host's shell. */
function script(text: string, more: object = {}): object {
  return { path: "/bin/sh", args: ["sh", "-c", text], env: ENV, ...more };
}

/** A hook that writes the state on its stdin to a file beside the bundle. */
function keeper(t: Lifecycle, kind: string): object {
  return script(`cat >${t.file(kind)}.json`);
}

function stateOf(t: Lifecycle, kind: string): Record<string, unknown> {
  return JSON.parse(t.text(`${kind}.json`));
}

/** Runs the container to its end and deletes it. */
async function live(t: Lifecycle): Promise<void> {
  await t.running("exit 0");
  await t.reap();
  await t.must("delete", t.id);
}

/** The message of `create` about a hook. */
async function failsToCreate(t: Lifecycle, kind: string, hook: object): Promise<string> {
  const after = script(`touch ${t.file("after")}`);
  t.config["hooks"] = { [kind]: [hook, after] };
  assertEquals((await t.script("echo ran").create()).code, 1);
  assertEquals([t.text("out"), t.containers()], ["", []]);
  const left = [...Deno.readDirSync(t.bundle.dir)].map((entry) => entry.name);
  assert(!left.includes("after"), "the hook behind it has run");
  return t.text("err");
}

function hasLines(t: Lifecycle, name: string, lines: readonly string[]): void {
  assertEquals(t.text(name).trim().split("\n"), lines);
}

const GIVEN: readonly LifecycleCase[] = [
  ...[...AT_CREATE, "poststart", "poststop"].map((kind): LifecycleCase => ({
    name: `${kind} hooks get the state on stdin`,
    async run(t) {
      t.config["annotations"] = { "org.example.a": "1" };
      t.config["hooks"] = { [kind]: [keeper(t, kind)] };
      await live(t);
      const { ociVersion, status, pid, ...rest } = stateOf(t, kind);
      assertMatch(String(ociVersion), /^1\./);
      const { id, bundle, annotations } = rest;
      assertEquals([id, bundle, annotations], [t.id, t.bundle.dir, { "org.example.a": "1" }]);
      // In the container's PID namespace with runc.
      const isInside = kind === "createContainer" && t.runtime === "runc";
      assertEquals(pid ?? 0, kind === "poststop" ? 0 : isInside ? 1 : t.pid);
      const expected = kind === "poststop"
        ? "stopped"
        : kind === "poststart"
        ? "running"
        : "creating";
      // runc runs them at create.
      if (kind !== "poststart" || t.runtime !== "runc") assertEquals(status, expected);
    },
  })),
  {
    name: "hooks have the variables that they are given, and no others",
    async run(t) {
      const env = ["A=a b", "PATH=/usr/bin:/bin"];
      t.config["hooks"] = { prestart: [script(`env >${t.file("env")}`, { env })] };
      await t.created();
      const own = ["PWD=", "SHLVL=", "_="];
      const lines = t.text("env").trim().split("\n");
      const left = lines.filter((line) => !own.some((name) => line.startsWith(name))).sort();
      assertEquals(left, env);
    },
  },
  {
    name: "hooks have their arguments, the first being their name",
    async run(t) {
      const args = ["name", "-c", `echo "$0 $1 $2" >${t.file("args")}`, "zero", "one", "t w o"];
      t.config["hooks"] = { createRuntime: [{ path: "/bin/sh", args, env: ENV }] };
      await t.created();
      hasLines(t, "args", ["zero one t w o"]);
    },
  },
  {
    name: "a hook may have no arguments and no variables",
    async run(t) {
      const program = t.file("hook");
      Deno.writeTextFileSync(program, `#!/bin/sh\necho $# >${t.file("ran")}\n`, { mode: 0o755 });
      t.config["hooks"] = { prestart: [{ path: program }] };
      await t.created();
      hasLines(t, "ran", ["0"]);
    },
  },
  {
    name: "hooks may write a lot",
    async run(t) {
      const text = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2";
      t.config["hooks"] = { createRuntime: [script(text)] };
      await t.created();
      assertEquals([await t.status(), t.text("out")], ["created", ""]);
    },
  },
  {
    name: "hooks that do not read their stdin",
    async run(t) {
      t.config["hooks"] = { prestart: [script("exec <&-; exit 0")] };
      await t.created();
    },
  },
  {
    name: "unknown kinds of hooks are ignored",
    async run(t) {
      t.config["hooks"] = { oddHook: [script(`touch ${t.file("odd")}`)] };
      await live(t);
      assertEquals([...Deno.readDirSync(t.bundle.dir)].some(({ name }) => name === "odd"), false);
    },
  },
];

const PLACES: readonly LifecycleCase[] = [
  {
    name: "hooks run once each, those at create in their order",
    async run(t) {
      const kinds = [...AT_CREATE, "poststart", "poststop"];
      const say = (kind: string) => script(`echo ${kind} >>${t.file("order")}`);
      t.config["hooks"] = Object.fromEntries(kinds.map((kind) => [kind, [say(kind)]]));
      await live(t);
      hasLines(t, "order", kinds);
    },
  },
  {
    name: "hooks of one kind run in their order",
    async run(t) {
      const say = (word: string) => script(`echo ${word} >>${t.file("order")}`);
      t.config["hooks"] = { createRuntime: ["c", "a", "b"].map(say) };
      await t.created();
      hasLines(t, "order", ["c", "a", "b"]);
    },
  },
  ...["prestart", "createRuntime"].map((kind): LifecycleCase => ({
    name: `${kind} hooks are in the namespaces of the runtime`,
    async run(t) {
      const text = `readlink /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/mnt >${
        t.file("ns")
      }`;
      t.config["hooks"] = { [kind]: [script(text)] };
      await t.created();
      const own = ["net", "uts", "mnt"].map((name) => Deno.readLinkSync(`/proc/self/ns/${name}`));
      hasLines(t, "ns", own);
    },
  })),
  {
    name: "createContainer hooks are in the namespaces of the container",
    async run(t) {
      const text = `readlink /proc/self/ns/net /proc/self/ns/uts >${t.file("ns")}`;
      t.config["hooks"] = { createContainer: [script(text)] };
      await t.created();
      hasLines(
        t,
        "ns",
        ["net", "uts"].map((name) => Deno.readLinkSync(`/proc/${t.pid}/ns/${name}`)),
      );
    },
  },
  {
    name: "hooks at create find the container's process and its network",
    async run(t) {
      // As Docker's hook does, which makes links there.
      const text = `pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); ` +
        `readlink /proc/$pid/ns/net >${t.file("net")}; cat /proc/$pid/cgroup >${t.file("cgroup")}`;
      t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
      t.config["hooks"] = { prestart: [script(text)] };
      await t.created();
      hasLines(t, "net", [Deno.readLinkSync(`/proc/${t.pid}/ns/net`)]);
      assertMatch(t.text("cgroup"), new RegExp(`/dvisor-test/${t.id}`));
    },
  },
  {
    name: "startContainer hooks see the container's files, as its user's root",
    async run(t) {
      const text = "pwd; id -u; ls /bin/busybox; cat | grep -c '\"created\"'";
      const args = ["sh", "-c", `(${text}) >/hook`];
      t.config["hooks"] = { startContainer: [{ path: "/bin/sh", args, env: ["PATH=/bin"] }] };
      await t.running("exit 0");
      await t.reap();
      assertEquals(Deno.readTextFileSync(`${t.bundle.root}/hook`).trim().split("\n").slice(1), [
        ...["0", "/bin/busybox", "1"],
      ]);
    },
  },
  {
    name: "poststop hooks run when run ends, too",
    async run(t) {
      t.config["hooks"] = { poststop: [keeper(t, "poststop")] };
      t.script("exit 3").bundle.write(t.config);
      assertEquals((await t.call("run", "--bundle", t.bundle.dir, t.id)).code, 3);
      assertEquals(stateOf(t, "poststop")["status"], "stopped");
    },
  },
];

const FAILING: readonly LifecycleCase[] = [
  ...AT_CREATE.map((kind): LifecycleCase => ({
    name: `a ${kind} hook that fails ends the creation, with what it wrote`,
    async run(t) {
      const message = await failsToCreate(t, kind, script("echo the reason >&2; exit 3"));
      assertMatch(message, /hook.*exit status 3.*the reason/s);
      if (t.runtime === "dvisor") assertMatch(message, new RegExp(`hooks\\.${kind}\\[0\\]`));
    },
  })),
  {
    name: "a hook that is killed ends the creation",
    async run(t) {
      assertMatch(await failsToCreate(t, "createRuntime", script("kill -9 $$")), /signal/);
    },
  },
  {
    name: "a hook that takes too long is killed",
    async run(t) {
      const hook = script("exec sleep 1000", { timeout: 1 });
      assertMatch(await failsToCreate(t, "prestart", hook), /timeout of 1/);
    },
  },
  {
    name: "a hook that takes too long is killed with all that it started",
    notRunc: "it waits for every process that has the hook's streams",
    async run(t) {
      const text = `sleep 1000 & echo $! >${t.file("sleeper")}; wait`;
      const hook = script(text, { timeout: 1 });
      assertMatch(await failsToCreate(t, "createRuntime", hook), /timeout of 1/);
      assert(await eventually(() => alive([Number(t.text("sleeper"))]).length === 0, 5000));
    },
  },
  {
    name: "a poststart hook that fails is a warning",
    notRunc: "it ends the container, against the specification",
    async run(t) {
      t.config["hooks"] = { poststart: [script("exit 3"), keeper(t, "second")] };
      await t.script("exec sleep 1000").created();
      const result = await t.call("start", t.id);
      assertEquals([result.code, await t.status()], [0, "running"], describe(result));
      assertMatch(result.stderr, /hooks\.poststart\[0\].*exit status 3/);
      assertEquals(stateOf(t, "second")["status"], "running");
    },
  },
  {
    name: "a poststop hook that fails is a warning, and the next one runs",
    notRunc: "delete does not report it",
    async run(t) {
      t.config["hooks"] = { poststop: [script("exit 3"), keeper(t, "second")] };
      await t.running("exit 0");
      await t.reap();
      const result = await t.call("delete", t.id);
      assertEquals([result.code, t.containers()], [0, []], describe(result));
      assertMatch(result.stderr, /hooks\.poststop\[0\].*exit status 3/);
      assertEquals(stateOf(t, "second")["status"], "stopped");
    },
  },
  {
    name: "--quiet prints no warning, and the client's log has it",
    notRunc: "it has no such option",
    async run(t) {
      t.config["hooks"] = { poststart: [script("exit 3")] };
      t.globals.push("--quiet", "--log", t.file("log"));
      await t.script("exec sleep 1000").created();
      const result = await t.call("start", t.id);
      assertEquals([result.code, result.stderr], [0, ""], describe(result));
      assertMatch(t.text("log"), /level=warning .*exit status 3/);
    },
  },
  {
    name: "a poststop hook that fails does not keep the container",
    async run(t) {
      t.config["hooks"] = { poststop: [script("exit 3")] };
      await live(t);
      assertEquals(t.containers(), []);
    },
  },
];

export const HOOK_CASES: readonly LifecycleCase[] = [...GIVEN, ...PLACES, ...FAILING];
