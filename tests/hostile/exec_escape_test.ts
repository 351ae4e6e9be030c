/**
 * Escapes through the runtime's own descriptors, program and console, in a container and in
 * processes of `exec`: the forms of CVE-2019-5736, CVE-2022-29162, CVE-2024-21626 and
 * CVE-2025-52565.
 */

import { assert, assertEquals } from "@std/assert";
import { close } from "../../ffi/sys/files.ts";
import { describe, dvisorCommand } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { FdSocket } from "../oci/fd_socket.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import { snapshot } from "../oci/directory_snapshot.ts";

/** The programs of the runtime, with the times of their last change. */
function programs(): unknown[] {
  return dvisorCommand().filter((word) => word.startsWith("/")).map((path) => {
    const { ino, size, mtime, mode } = Deno.statSync(path);
    return [path, ino, size, mtime?.getTime(), mode];
  });
}

/**
 * Opens the running programs for writing, by each way that /proc has; follows each descriptor;
 * prints what it found.
 */
const LOOK = `
for file in /proc/self/exe /proc/1/exe /proc/$PPID/exe /link; do
  (echo evil >"$file") 2>/dev/null && echo "wrote $file"
done
n=3; while [ $n -lt 40 ]; do
  for pid in self 1; do
    (cd /proc/$pid/fd/$n) 2>/dev/null && echo "went to $(readlink /proc/$pid/fd/$n)"
  done
  n=$((n+1))
done
grep Inh: /proc/self/status`;
const NOTHING = "CapInh:\t0000000000000000\n";

Deno.test({
  ...named("no descriptor or program of the runtime is a way out, of exec neither", noContainers),
  fn: async () => {
    becomeSubreaper();
    const t = new Lifecycle("dvisor"), { dir, root } = t.bundle;
    try {
      Deno.mkdirSync(`${dir}/outside`);
      Deno.mkdirSync(`${root}/dev`);
      Deno.symlinkSync(`${dir}/outside/new`, `${root}/dev/console`);
      Deno.symlinkSync("/proc/self/exe", `${root}/link`);
      Deno.writeTextFileSync(`${root}/script`, "#!/proc/self/exe\n", { mode: 0o755 });
      t.config.mounts = t.config.mounts.filter((mount) =>
        !JSON.stringify(mount).includes('"/dev"')
      );
      t.config.process["terminal"] = true;
      const before = [programs(), snapshot(`${dir}/outside`)];
      const socket = new FdSocket(dir, "console.sock");
      await t.script(`(${LOOK}) >/first; sleep 60`).created("--console-socket", socket.path);
      const master = socket.receive();
      socket.close();
      await t.must("start", t.id);
      const ran = await t.call("exec", t.id, "sh", "-c", LOOK);
      assertEquals([ran.code, ran.stdout], [0, NOTHING], describe(ran));
      const places = ["/proc/self/fd/7", "/link/..", "/proc/self/cwd/../../.."];
      for (const cwd of places) {
        const result = await t.call(
          "exec",
          "--cwd",
          cwd,
          t.id,
          "sh",
          "-c",
          "ls; cat /proc/self/mountinfo",
        );
        if (result.code === 0) {
          assert(/^bin$/m.test(result.stdout) && !result.stdout.includes(dir), describe(result));
        }
      }
      for (
        const program of ["/proc/self/exe", "/link", "/script"]
      ) {
        const result = await t.call("exec", t.id, program, "--version");
        assert(
          !/dvisor version|bug in dvisor/.test(result.stdout + result.stderr),
          describe(result),
        );
      }
      await t.until("CapInh", "rootfs/first");
      assertEquals(Deno.readTextFileSync(`${root}/first`), NOTHING);
      assertEquals([programs(), snapshot(`${dir}/outside`)], before);
      close(master);
    } finally {
      await endAll([t]);
    }
  },
});

/**
 * Files in the place of /dev/null, which stands for standard streams that are the host's null
 * device.
 */
const NULLS: readonly (readonly [what: string, make: string])[] = [
  ["a link to a file of root's", "ln -s /secret /dev/null"],
  ["a FIFO", "mkfifo /dev/null"],
  ["a terminal's master", "ln -s /dev/ptmx /dev/null"],
  ["a directory", "mkdir /dev/null"],
];

Deno.test({
  ...named("exec into a container without a /dev/null opens nothing in its place", noContainers),
  fn: async () => {
    becomeSubreaper();
    const t = new Lifecycle("dvisor");
    try {
      const secret = "umask 077; echo secret >/secret; echo up; sleep 60";
      await t.running(secret);
      await t.until("up");
      for (const [what, make] of NULLS) {
        const made = await t.call("exec", t.id, "sh", "-c", `rm -rf /dev/null; ${make}`);
        assertEquals(made.code, 0, describe(made));
        const script = "readlink /proc/self/fd/0; cat; test ! -e /dev/null/ || ls /proc/self/fd/0/";
        const ran = await t.call("exec", "--user", "1000", t.id, "sh", "-c", script);
        const { stdout } = ran;
        assert(!/secret|ptmx|\/dev\/null/.test(stdout), `${what}: ${describe(ran)}`);
        assertEquals(ran.isOverdue, false, what);
      }
    } finally {
      await endAll([t]);
    }
  },
});
