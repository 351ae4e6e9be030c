/**
 * A root directory in which another process of the host exchanges directories and links that lead
 * out, without end, while commands make, start, enter and remove a container in it (the form of
 * CVE-2021-30465). Commands may fail with a message; nothing outside changes. Neighbours:
 * swap_main.ts, root_trace_test.ts.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { describe } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import { snapshot } from "../oci/directory_snapshot.ts";

/** LIMIT: containers that are made while it goes on. */
const ROUNDS = 6;
/** Not /proc: a link there is refused. */
const SWAPPED = ["m", "up", "etc", "bin/deep"];

/** A process that swaps each of these with its link, when it has begun. */
async function startSwapping(root: string): Promise<Deno.ChildProcess> {
  const program = fromFileUrl(new URL("swap_main.ts", import.meta.url));
  const args = ["run", "-A", "--no-lock", "--no-check", program];
  args.push(...SWAPPED.map((name) => `${root}/${name}`));
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const lines = child.stdout.getReader();
  const { done } = await lines.read();
  assert(!done, "it has ended");
  await lines.cancel();
  return child;
}

function prepare(t: Lifecycle): void {
  const { bundle: { dir, root }, config } = t;
  for (const name of ["outside/dir", "outside/new", "src"]) {
    Deno.mkdirSync(`${dir}/${name}`, { recursive: true });
  }
  for (const name of ["outside/passwd", "src/file"]) Deno.writeTextFileSync(`${dir}/${name}`, name);
  for (const name of SWAPPED) {
    Deno.mkdirSync(`${root}/${name}`, { recursive: true });
    Deno.symlinkSync(name === "up" ? "../outside" : `${dir}/outside`, `${root}/${name}.link`);
  }
  config.mounts.push(
    { destination: "/m/new/a", type: "tmpfs", source: "t" },
    { destination: "/up/new", type: "bind", source: "src", options: ["rbind", "ro"] },
    { destination: "/etc/passwd", type: "bind", source: "src/file", options: ["rbind", "ro"] },
  );
  config.process["cwd"] = "/bin/deep/cwd";
  Object.assign(config.linux, {
    devices: [{ path: "/m/null", type: "c", major: 1, minor: 3 }],
    maskedPaths: ["/up/file", "/m/dir"],
    readonlyPaths: ["/etc", "/proc/sys"],
  });
}

const GUEST = `for d in m up etc bin/deep; do mkdir -p /$d/x/y; echo x >/$d/dir/f; echo x >/$d/new/f
rm -rf /$d/dir /$d/new; chmod 777 /$d /$d/passwd; mv /$d/x /$d/dir; ln -s y /$d/ln; done; sleep 60`;

Deno.test({
  ...named("a second writer of the root directory leads nothing out", noContainers),
  fn: async () => {
    becomeSubreaper();
    const t = new Lifecycle("dvisor"), { dir, root } = t.bundle;
    prepare(t);
    t.script(GUEST);
    const facts = () => [...snapshot(`${dir}/outside`), ...snapshot(`${dir}/src`)];
    const before = facts(), swapper = await startSwapping(root);
    try {
      for (let i = 0; i < ROUNDS; i++) {
        const commands = [
          () => t.create(),
          () => t.call("start", t.id),
          () => t.call("exec", "--cwd", "/m/exec", t.id, "sh", "-c", GUEST.replace("sleep 60", "")),
          () => t.call("exec", "--cwd", "/", t.id, "/bin/deep/../busybox", "true"),
          () => t.call("delete", "--force", t.id),
        ];
        for (const command of commands) {
          const result = await command();
          assert(!result.isOverdue, describe(result));
          assert(!/bug in dvisor/.test(result.stderr + t.text("err")), describe(result));
          if (t.containers().length === 0) break;
        }
        assertEquals(facts(), before);
        assertEquals(t.containers(), []);
      }
    } finally {
      swapper.kill("SIGKILL");
      await swapper.status;
      await endAll([t]);
    }
  },
});
