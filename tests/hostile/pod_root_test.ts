/**
 * An image of a pod whose links go through /proc into the first container's root directory: what
 * the creation of a further container makes, mounts, hides and looks up stays in its own root.
 * Neighbours: `tests/oci/hostile_root_test.ts`.
 */

import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import { namesOf, snapshot } from "../oci/directory_snapshot.ts";

type Change = (member: Lifecycle) => void;

const mount = (destination: string): Change => ({ config }) =>
  void config.mounts.push({ destination, type: "tmpfs", source: "t" });
const linux = (more: object): Change => ({ config }) => void Object.assign(config.linux, more);

/** Behind `m`, a link to the root directory of the first container's first process. */
const CHANGES: readonly (readonly [what: string, change: Change])[] = [
  ["a mount", mount("/m/there")],
  ["a device", linux({ devices: [{ path: "/m/made", type: "c", major: 1, minor: 3 }] })],
  ["a working directory", ({ config }) => config.process["cwd"] = "/m/made"],
  ["masked paths", linux({ maskedPaths: ["/m/there", "/m/file"] })],
];

const LINKS = ["/proc/1/root", "/proc/1/cwd"];

Deno.test({
  ...named("a further container of a pod makes nothing in the root of the first one", noContainers),
  fn: async () => {
    becomeSubreaper();
    const first = new Lifecycle("dvisor"), all = [first];
    try {
      Deno.mkdirSync(`${first.bundle.root}/there`);
      Deno.writeTextFileSync(`${first.bundle.root}/file`, "of the first");
      await first.running("echo up; sleep 60");
      await first.until("up");
      const { root } = first.bundle;
      const seen = async () => (await first.must(
        "exec",
        first.id,
        "sh",
        "-c",
        "ls / /there; cat /file /proc/mounts",
      ));
      const before = [namesOf(root), snapshot(`${root}/there`), await seen()];
      for (const [i, [what, change]] of CHANGES.entries()) {
        const member = new Lifecycle("dvisor", first.root);
        all.push(member);
        Deno.symlinkSync(LINKS[i % LINKS.length] ?? "", `${member.bundle.root}/m`);
        member.config.linux["namespaces"] = [
          ...["mount", "uts", "network"].map((type) => ({ type })),
          ...["ipc", "pid"].map((type) => ({ type, path: `/proc/${first.pid}/ns/${type}` })),
        ];
        change(member);
        const result = await member.script("exit 0").create();
        assertNotEquals(result.code, 0, what);
        assertMatch(
          member.text("err"),
          /^dvisor: config\.json: \S+: cannot .*permission denied\n$/,
        );
        assertEquals([namesOf(root), snapshot(`${root}/there`), await seen()], before, what);
        assertEquals(result.isOverdue, false, what);
      }
    } finally {
      await endAll(all.reverse());
    }
  },
});
