/**
 * What a guest leaves on the host, however much it prints, fails and requests:
 * docs/internals/host_traces.md.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { inOwnHost, noOwnHost } from "../harness/own_host.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";

/** Prints much, dumps core, makes calls that fail, and writes to every console that there is. */
const LOUD = `
ulimit -c unlimited
head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2
for file in /dev/kmsg /dev/console /dev/tty /dev/log /proc/sysrq-trigger /proc/self/mem; do
  echo loud 2>/dev/null >$file
done
for i in 1 2 3 4 5 6 7 8 9 10; do
  sh -c 'kill -SEGV $$'; sh -c 'kill -ABRT $$'; mount -t nosuch a b; cat /nosuch; /nosuch
done 2>/dev/null
exit 0`;

async function withContainer(fn: (t: Lifecycle) => Promise<void>): Promise<void> {
  becomeSubreaper();
  const t = new Lifecycle("dvisor");
  try {
    await fn(t);
  } finally {
    await endAll([t]);
  }
}

function filesOf(dir: string): Record<string, number> {
  const sizes = [...Deno.readDirSync(dir)].filter((entry) => entry.isFile)
    .map(({ name }) => [name, Deno.statSync(`${dir}/${name}`).size] as const);
  return Object.fromEntries(sizes);
}

Deno.test({
  ...named("what a guest prints and how it fails is written to no file of the host", noContainers),
  fn: () =>
    withContainer(async (t) => {
      await t.running(LOUD);
      assertEquals(await t.reap(), 0);
      assertEquals([t.text("out").length, t.text("err").length], [300_000, 300_000]);
      const { "state.json": record = 0, ...others } = filesOf(`${t.root}/${t.id}`);
      assert(record > 0 && record < 16_384, `${record} bytes`);
      assertEquals(others, { lock: 0, "sandbox.log": 0 });
      await t.must("delete", t.id);
      assertEquals(t.containers(), []);
    }),
});

Deno.test({
  ...named(
    "annotations get debug logs only where the runtime's options allow it",
    noContainers ?? noOwnHost(),
  ),
  fn: () =>
    withContainer(async (t) => {
      t.script("echo traced").config["annotations"] = { "dev.dvisor.strace": "true" };
      t.bundle.write(t.config);
      // Its directory of logs is the host's, so it gets one of its own.
      const show = '"$@"; code=$?; cd /var/log; ls -A; cd dvisor && ls && cat *; exit $code';
      const runIt = () => {
        const argv = ["sh", "-c", show, "sh", ...t.argv("run", "--bundle", t.bundle.dir, t.id)];
        return run(inOwnHost(argv, { places: ["/var/log"] }));
      };
      const refused = await runIt();
      assertEquals([refused.code !== 0, refused.stdout], [true, ""], describe(refused));
      assertMatch(refused.stderr, /dev\.dvisor\.strace is not allowed/);
      assertEquals(t.containers(), []);
      t.globals.push("--allow-annotated-logs");
      const allowed = await runIt();
      assertEquals(allowed.code, 0, describe(allowed));
      const [said, directory, log, ...lines] = allowed.stdout.split("\n");
      assertEquals([said, directory, log], ["traced", "dvisor", `${t.id}.log`]);
      assertMatch(lines.join("\n"), /write\(1, "traced/);
    }),
});
