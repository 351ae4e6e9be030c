/**
 * A command about a container waits for a hook that does not end, and is disturbed: the command
 * ends, and all its processes with it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { named, noContainers } from "../harness/machine.ts";
import { alive, eventually } from "../harness/processes.ts";
import { becomeSubreaper, endAll, Lifecycle } from "./lifecycle.ts";

const SOON_MS = 15_000;
const FOREVER = "while :; do sleep 0.05; done";

/** A container with a hook that writes its pid and stays, alone or with a child process. */
function withHook(kind: string, stays: "sleep 1000" | "exec sleep 1000"): Lifecycle {
  becomeSubreaper();
  const t = new Lifecycle("dvisor");
  const script = `echo $$ >${t.file("hook.new")}; mv ${t.file("hook.new")} ${
    t.file("hook")
  }; ${stays}`;
  t.script(FOREVER).config["hooks"] = { [kind]: [{ path: "/bin/sh", args: ["sh", "-c", script] }] };
  t.bundle.write(t.config);
  return t;
}

/** Starts a command that runs the hook. */
async function begin(t: Lifecycle, args: readonly string[]): Promise<Deno.ChildProcess> {
  const [command = "", ...rest] = t.argv(...args);
  const child = new Deno.Command(command, {
    args: rest,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  assert(await eventually(() => t.text("hook") !== "", SOON_MS), "the hook does not run");
  return child;
}

async function isGone(t: Lifecycle): Promise<void> {
  const hook = Number(t.text("hook"));
  assert(await eventually(() => alive([hook]).length === 0, SOON_MS), "the hook lives on");
  assertEquals([...Deno.readDirSync(t.root)].map((e) => e.name), []);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test({
    ...named(`${signal} ends a create that waits for a hook, and takes all back`, noContainers),
    fn: async () => {
      const t = withHook("createRuntime", "sleep 1000");
      try {
        const create = await begin(t, ["create", "--bundle", t.bundle.dir, t.id]);
        assertEquals(await t.status(), "creating");
        create.kill(signal);
        const { code, stderr } = await create.output();
        assertEquals(code, 1);
        assertMatch(new TextDecoder().decode(stderr), new RegExp(`interrupted by ${signal}`));
        await isGone(t);
      } finally {
        await endAll([t]);
      }
    },
  });
}

Deno.test({
  ...named(
    "a create that is killed while it waits for a hook takes that along, and says so",
    noContainers,
  ),
  fn: async () => {
    const t = withHook("createRuntime", "exec sleep 1000");
    try {
      const create = await begin(t, ["create", "--bundle", t.bundle.dir, t.id]);
      create.kill("SIGKILL");
      await create.output();
      assertEquals(await t.status(), "stopped");
      await t.must("delete", "--force", t.id);
      await isGone(t);
    } finally {
      await endAll([t]);
    }
  },
});

for (const kind of ["createRuntime", "startContainer", "poststart"]) {
  Deno.test({
    ...named(
      `delete --force does not wait for a command that waits for a ${kind} hook`,
      noContainers,
    ),
    fn: async () => {
      const t = withHook(kind, "exec sleep 1000");
      const isInside = kind === "startContainer";
      if (isInside) {
        t.config["hooks"] = { [kind]: [{ path: "/bin/sh", args: ["sh", "-c", "sleep 1000"] }] };
      }
      try {
        let command: Deno.ChildProcess;
        if (kind === "createRuntime") {
          command = await begin(t, ["create", "--bundle", t.bundle.dir, t.id]);
        } else {
          await t.created();
          if (isInside) Deno.writeTextFileSync(t.file("hook"), "0");
          command = await begin(t, ["start", t.id]);
        }
        const result = await t.call("delete", "--force", t.id);
        assertEquals([result.code, result.stderr], [0, ""]);
        // The command waits for a hook on the host, which is outside of the container.
        if (kind === "poststart") command.kill("SIGKILL");
        await command.output();
        await isGone(t);
      } finally {
        await endAll([t]);
      }
    },
  });
}
