import { assertEquals, assertRejects } from "@std/assert";
import { runClean } from "./leftovers.ts";
import { isRoot, named, PYTHON } from "./machine.ts";
import { noOwnHost } from "./own_host.ts";

const noPython = PYTHON === null ? "no python3 on this machine" : null;

Deno.test({
  ...named("runClean is content with a command that cleans up, and gives its exit code", noPython),
  fn: async () => {
    const result = await runClean([
      "sh",
      "-c",
      "f=$(mktemp); rm $f; (sleep 0.1) & echo out; exit 3",
    ]);
    assertEquals([result.code, result.stdout], [3, "out\n"]);
  },
});

Deno.test({
  ...named("runClean finds a process that stayed", noPython),
  fn: async () => {
    await assertRejects(
      () => runClean(["sh", "-c", "setsid sleep 77 > /dev/null 2>&1 &"]),
      Error,
      "sleep",
    );
  },
});

Deno.test({
  ...named("runClean finds a file and a mount that stayed", noPython ?? noOwnHost()),
  fn: async () => {
    await assertRejects(
      () => runClean(["sh", "-c", "echo x > /tmp/left-over"]),
      Error,
      "/tmp/left-over",
    );
    // An ordinary user makes mounts in namespaces of its own only.
    if (!isRoot) return;
    await assertRejects(() => runClean(["mount", "-t", "tmpfs", "none", "/mnt"]), Error, "/mnt");
  },
});
