import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CLONE_NEWUTS } from "../../ffi/abi/sched.ts";
import { SYS_sethostname } from "../../ffi/abi/syscall_numbers.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Hook } from "../spec/hooks_section.ts";
import { HookError, runHook, runHooks, tryHooks } from "./run_hooks.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";

function shell(text: string, more: Partial<Hook> = {}): Hook {
  return {
    path: "/bin/sh",
    args: ["sh", "-c", text],
    env: ["PATH=/usr/bin:/bin"],
    timeoutSeconds: null,
    jsonPath: "hooks.prestart[0]",
    ...more,
  };
}

function inDirectory(body: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("a hook gets the state on stdin, its arguments and its environment alone", () => {
  inDirectory((directory) => {
    const state = JSON.stringify({ id: "c1", pid: 7, annotations: { a: "x".repeat(100_000) } });
    const hook = shell('cat > state; echo "$0 $1 $FOO" > args; env | sort > env; pwd > cwd', {
      args: ["sh", "-c", 'cat > state; echo "$0 $1 $FOO" > args; env > env; pwd > cwd', "a", "b c"],
      env: ["FOO=bar", "PATH=/usr/bin:/bin"],
    });
    runHook(hook, { state, directory });
    assertEquals(Deno.readTextFileSync(`${directory}/state`), state);
    assertEquals(Deno.readTextFileSync(`${directory}/args`), "a b c bar\n");
    assertEquals(Deno.readTextFileSync(`${directory}/cwd`), `${directory}\n`);
    assert(!Deno.readTextFileSync(`${directory}/env`).includes("HOME="));
  });
});

Deno.test("hooks run in order, and the first that fails is the last", () => {
  inDirectory((directory) => {
    const hooks = [
      shell("echo 1 >> log"),
      shell("echo 2 >> log; echo said; echo why >&2; exit 3", { jsonPath: "hooks.prestart[1]" }),
      shell("echo 3 >> log"),
    ];
    const error = assertThrows(() => runHooks(hooks, { state: "{}", directory }), HookError);
    assertStringIncludes(error.message, "hooks.prestart[1] (/bin/sh): exit status 3");
    assertStringIncludes(error.message, "stdout: said, stderr: why");
    assertEquals(Deno.readTextFileSync(`${directory}/log`), "1\n2\n");
  });
});

Deno.test("failures of poststart and poststop hooks are warnings, and all of them run", () => {
  inDirectory((directory) => {
    const hooks = [shell("kill -9 $$"), shell("exit 1"), shell("touch last")];
    const warnings = tryHooks(hooks, { state: "{}", directory });
    assertEquals(warnings.length, 2);
    assertStringIncludes(warnings[0] ?? "", "signal 9");
    assert(Deno.statSync(`${directory}/last`).isFile);
  });
});

Deno.test("a hook that takes too long is killed with all that it started", () => {
  inDirectory((directory) => {
    const hook = shell("sleep 1000 & echo $! > child; wait", { timeoutSeconds: 1 });
    const before = performance.now();
    const error = assertThrows(() => runHook(hook, { state: "{}", directory }), HookError);
    assertStringIncludes(error.message, "hook ran past specified timeout of 1s");
    assert(performance.now() - before < 500_000);
    const child = Deno.readTextFileSync(`${directory}/child`).trim();
    const isGone = () => {
      try {
        return / [ZX] /.test(Deno.readTextFileSync(`/proc/${child}/stat`));
      } catch {
        return true;
      }
    };
    for (let tries = 0; !isGone() && tries < 1000; tries++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
    assert(isGone(), "the hook's child lives on");
  });
});

Deno.test("the error of a hook that cannot be executed has the words that clients expect", () => {
  const place = { state: "{}", directory: "/" };
  const missing = shell("", { path: "/no/such/hook", args: [] });
  const error = assertThrows(() => runHook(missing, place), HookError);
  assertStringIncludes(error.message, "fork/exec /no/such/hook: no such file or directory");
  const forbidden = assertThrows(
    () => runHook(shell("", { path: "/etc/passwd" }), place),
    HookError,
  );
  assertStringIncludes(forbidden.message, "permission denied");
  const nul = assertThrows(() => runHook(shell("a\0b"), place), HookError);
  assertStringIncludes(nul.message, "hooks.prestart[0]");
});

Deno.test("a process that a hook leaves behind does not delay the runtime", () => {
  runHook(shell("(sleep 2 &) ; exit 0"), { state: "{}", directory: "/" });
});

Deno.test({
  ...named(
    "createContainer hooks run in the namespaces that are given",
    isRoot ? null : "needs root",
  ),
  fn() {
    const name = "dvisor-hook-test";
    const script = new SpawnScript().call(SYS_sethostname, name, name.length);
    script.exec("/bin/sleep", ["sleep", "30"], []);
    const { pid, pidfd } = spawn(script, CLONE_NEWUTS);
    const uts = openat(AT_FDCWD, `/proc/${pid}/ns/uts`, O_RDONLY | O_CLOEXEC);
    try {
      const hook = shell(`test "$(uname -n)" = ${name}`);
      runHook(hook, { state: "{}", directory: "/", enter: [uts] });
      assertThrows(() => runHook(hook, { state: "{}", directory: "/" }), HookError);
    } finally {
      Deno.kill(pid, "SIGKILL");
      close(uts);
      close(pidfd);
    }
  },
});
