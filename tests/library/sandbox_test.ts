/**
 * The library for scripts (mod.ts): what its documentation says, and the worked scripts in
 * docs/examples.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Sandbox, SandboxError } from "../../mod.ts";
import { ROOT } from "../harness/dvisor.ts";
import { isRoot, lacks, named, PYTHON } from "../harness/machine.ts";

const why = isRoot ? lacks([]) : "containers of other users than root are tested apart";
const binary = join(ROOT, "dist/dvisor");

/**
 * Runs it with a place for temporary files that is this test's alone: what is made there has to be
 * gone.
 *
 * Only Deno's functions look at the variable, and the tests of a file run one after the other.
 */
async function leavesNothing(fn: () => Promise<void>): Promise<void> {
  const before = Deno.env.get("TMPDIR"), place = await Deno.makeTempDir({ prefix: "dvisor-test-" });
  Deno.env.set("TMPDIR", place);
  try {
    await fn();
    assertEquals([...Deno.readDirSync(place)].map((entry) => entry.name), []);
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
    await Deno.remove(place, { recursive: true });
  }
}

Deno.test({
  ...named("library: programs run, with streams, codes and limits", why),
  fn: () =>
    leavesNothing(async () => {
      await using sandbox = await Sandbox.create({ binary, hostname: "box", env: { A: "1" } });
      const hello = await sandbox.exec([
        "sh",
        "-c",
        "echo $A $B; pwd; hostname; echo e >&2; exit 3",
      ], {
        env: { B: "2" },
        cwd: "/tmp",
      });
      assertEquals([hello.code, hello.text, hello.errorText], [3, "1 2\n/tmp\nbox\n", "e\n"]);
      const echoed = await sandbox.exec(["cat"], { stdin: "x".repeat(300_000) });
      assertEquals([echoed.code, echoed.stdout.length], [0, 300_000]);
      const who = await sandbox.exec(["id", "-u"], { user: { uid: 1000, gid: 1000 } });
      assertEquals(who.text, "1000\n");
      const slow = await sandbox.exec(["sleep", "100"], { timeoutMs: 300 });
      assertEquals([slow.isOverdue, slow.code], [true, 137]);
      const loud = await sandbox.exec(["yes"], { maxOutputBytes: 1000 });
      assertEquals([loud.isCut, loud.stdout.length], [true, 1000]);
      const killed = await sandbox.exec(["sh", "-c", "kill -TERM $$"]);
      assertEquals(killed.code, 143);
      // The killed process is gone.
      const left = await sandbox.exec(["sh", "-c", "cat /proc/[0-9]*/comm"]);
      assert(!/sleep|yes/.test(left.text), left.text);
    }),
});

Deno.test({
  ...named("library: files go in and out, and nothing reaches the host", why),
  fn: async () => {
    await using sandbox = await Sandbox.create({ binary });
    const data = crypto.getRandomValues(new Uint8Array(65_536));
    await sandbox.writeFile("/etc/new-file", data, { mode: 0o600 });
    assertEquals(await sandbox.readFile("/etc/new-file"), data);
    assertEquals((await sandbox.exec(["stat", "-c", "%a", "/etc/new-file"])).text, "600\n");
    await assertRejects(() => Deno.stat("/etc/new-file"), Deno.errors.NotFound);
    await assertRejects(() => sandbox.readFile("/no/such"), SandboxError, "/no/such: errno 2");
    await assertRejects(() => sandbox.writeFile("/no/such", ""), SandboxError, "errno 2");
    await assertRejects(() => sandbox.readFile("/etc/new-file", 100), SandboxError, "larger");
  },
});

Deno.test({
  ...named("library: mounts, statistics, pause", why),
  fn: async () => {
    const host = await Deno.makeTempDir({ prefix: "dvisor-library-" });
    try {
      await Deno.writeTextFile(join(host, "in"), "from the host");
      const mounts = [
        { source: host, destination: "/m" },
        { source: host, destination: "/ro", readonly: true },
      ];
      await using sandbox = await Sandbox.create({ binary, mounts });
      const copied = await sandbox.exec(["sh", "-c", "cat /m/in; echo out > /m/out; echo > /ro/x"]);
      assertEquals(copied.text, "from the host");
      assertStringIncludes(copied.errorText, "Read-only file system");
      assertEquals(await Deno.readTextFile(join(host, "out")), "out\n");
      const program = await sandbox.spawn(["sh", "-c", "while :; do echo x; sleep 0.01; done"]);
      const reader = program.stdout.getReader();
      assertEquals((await reader.read()).done, false);
      const stats = await sandbox.stats();
      assert(stats.pids >= 2 && stats.memoryBytes > 0 && stats.cpuNs > 0, JSON.stringify(stats));
      await sandbox.pause();
      await sandbox.resume();
      assertEquals((await reader.read()).done, false);
      reader.releaseLock();
      await program.kill();
      assertEquals((await program.status).code, 137);
      await program.stdout.cancel();
      await program.stderr.cancel();
      await program.stdin.close();
    } finally {
      await Deno.remove(host, { recursive: true });
    }
  },
});

Deno.test({
  ...named("library: what is wrong is said, and nothing is left", why),
  fn: () =>
    leavesNothing(async () => {
      await assertRejects(
        () => Sandbox.create({ binary, rootfs: "/no/such" }),
        SandboxError,
        "/no/such",
      );
      await assertRejects(() => Sandbox.create({ binary: "/no/such" }), SandboxError, "/no/such");
      const sandbox = await Sandbox.create({ binary });
      const missing = await sandbox.exec(["/no/such"]);
      assertStringIncludes(missing.errorText, "/no/such");
      assert(missing.code !== 0);
      await sandbox.kill();
      await sandbox.kill();
      await assertRejects(() => sandbox.exec(["true"]), SandboxError, "gone");
    }),
});

Deno.test({
  ...named("library: the examples in its documentation run", why),
  fn: async () => {
    const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "-q", "--doc", "oci/library/sandbox.ts"],
      cwd: ROOT,
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, text + new TextDecoder().decode(stderr));
    assertStringIncludes(text, "1 passed");
  },
});

async function runExample(name: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "-q", `${ROOT}/docs/examples/${name}.ts`],
    cwd: ROOT,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test({
  ...named("library: the judge judges", why ?? (PYTHON === null ? "no python3" : null)),
  fn: async () => {
    assertEquals(
      await runExample("judge"),
      "ada: accepted\nbob: wrong answer\neve: time limit\nmal: memory limit\nrex: run-time error\n",
    );
  },
});

Deno.test({
  ...named("library: 20 builds at once", why ?? lacks(["gcc"])),
  fn: async () => {
    const lines = (await runExample("builds")).trim().split("\n");
    assertEquals(lines.length, 20);
    assertStringIncludes(lines[19]!, 'says "variant 19"');
  },
});
