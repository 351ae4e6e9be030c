/**
 * Hostile hooks: they do not read their stdin, leave children, write control sequences, and look
 * for descriptors of the runtime. Commands succeed, and hooks get nothing but what is theirs.
 * Neighbour: `tests/oci/hook_cases.ts`.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { alive } from "../harness/processes.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";

const KINDS = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];

function script(text: string, more: object = {}): object {
  return { path: "/bin/sh", args: ["sh", "-c", text], env: ["PATH=/usr/bin:/bin"], ...more };
}

async function withContainer(fn: (t: Lifecycle) => Promise<void>): Promise<void> {
  becomeSubreaper();
  const t = new Lifecycle("dvisor");
  try {
    await fn(t);
  } finally {
    await endAll([t]);
  }
}

Deno.test({
  ...named(
    "hooks of each kind have three files, and nothing waits for a child of theirs",
    noContainers,
  ),
  fn: () =>
    withContainer(async (t) => {
      // A child of a hook has all that the hook has, longer than the container lives.
      const text = (kind: string) =>
        `ls -l /proc/$$/fd >${t.file(kind)}.fds; setsid sleep 100 & echo $! >${t.file(kind)}.child`;
      t.config["hooks"] = Object.fromEntries(KINDS.map((kind) => [kind, [script(text(kind))]]));
      await t.running("exit 0");
      assertEquals(await t.reap(), 0);
      await t.must("delete", t.id);
      const children = KINDS.map((kind) => Number(t.text(`${kind}.child`)));
      try {
        assertEquals(alive(children).length, KINDS.length, "a hook's child was killed");
        for (const kind of KINDS) {
          const files = t.text(`${kind}.fds`).trim().split("\n").slice(1).map((line) =>
            line.split(" -> ")[1]
          );
          assert(
            files.every((file) => /^\/memfd:dvisor-hook|\.fds$/.test(file ?? "")),
            `${kind}: ${files}`,
          );
        }
      } finally {
        for (const pid of children) Deno.kill(pid, "SIGKILL");
      }
    }),
});

Deno.test({
  ...named("a hook that fails writes no commands to the operator's terminal", noContainers),
  fn: () =>
    withContainer(async (t) => {
      const text = "printf '\\033]0;evil\\007\\233'; printf '\\033[6n\\033[2J' >&2; exit 3";
      t.config["hooks"] = { createRuntime: [script(text)] };
      t.globals.push("--log", t.file("log"), "--log-format", "json");
      assertEquals((await t.create()).code, 1);
      for (const name of ["err", "log"]) {
        assertMatch(t.text(name), /u001b\[2J/);
        assert(!/(?!\n)\p{Cc}/u.test(t.text(name)), t.text(name));
      }
    }),
});

Deno.test({
  ...named("hooks that run inside find a hostile root, and nothing else", noContainers),
  fn: () =>
    withContainer(async (t) => {
      const { root } = t.bundle;
      Deno.symlinkSync("/proc/self/exe", `${root}/hook`);
      Deno.symlinkSync("/proc/self/fd/0", `${root}/stdin`);
      const inside = (path: string, ...args: string[]) => ({
        path,
        args: [path, ...args],
        env: ["PATH=/bin", "LD_PRELOAD=/evil", "A=\x1b[2J"],
        timeout: 5,
      });
      const look =
        "ls -l /proc/self/fd >/fds; readlink /proc/self/cwd >/cwd; (sleep 100 &) </dev/null";
      t.config["hooks"] = {
        startContainer: [inside("/bin/sh", "-c", look), inside("/hook", "--version")],
      };
      const started = await t.script("sleep 60").create();
      assertEquals(started.code, 0, t.text("err"));
      const result = await t.call("start", t.id);
      assert(!/(?!\n)\p{Cc}|bug in dvisor/u.test(result.stderr), describe(result));
      // Its standard streams, one of them to this file, and the directory that is listed.
      const files = Deno.readTextFileSync(`${root}/fds`).trim().split("\n").slice(1);
      const targets = files.map((line) => line.split(" -> ")[1] ?? "");
      const isOwn = (file: string) =>
        file === "" ||
        /^(\/dev\/null|\/fds|\/proc\/\d+\/fd|host:\[\d+\]|\/memfd:.*)$/.test(file);
      assertEquals(targets.filter((file) => !isOwn(file)), [], files.join("\n"));
      assertEquals(Deno.readTextFileSync(`${root}/cwd`), "/\n");
    }),
});
