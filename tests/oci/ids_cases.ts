/**
 * Mounts whose files have other ids than on disk, and mounts that get other options. Not a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const NEWER = "runc 1.1 does not have ID-mapped mounts";

/** A directory with a file of user and group 0, and one of 7. */
function shared(t: Lifecycle, options: readonly string[], more: object = {}): string {
  const dir = t.file("shared");
  Deno.mkdirSync(`${dir}/sub`, { recursive: true });
  for (const id of [0, 7]) {
    Deno.writeTextFileSync(`${dir}/f${id}`, `${id}\n`);
    Deno.chownSync(`${dir}/f${id}`, id, id);
  }
  t.config.mounts.push({ destination: "/s", source: dir, options: ["rbind", ...options], ...more });
  return dir;
}

function idsOf(path: string): string {
  const { uid, gid } = Deno.lstatSync(path);
  return `${uid}:${gid}`;
}

const swap = (a: number, b: number) => [
  { containerID: a, hostID: b, size: 1 },
  { containerID: b, hostID: a, size: 1 },
];

async function refused(t: Lifecycle, message: RegExp): Promise<void> {
  assert((await t.create()).code !== 0);
  assertMatch(t.text("err"), message);
  Deno.removeSync(t.file("err"));
}

export const IDS_CASES: readonly LifecycleCase[] = [
  {
    name: "files of a mount with mappings have mapped ids, both ways",
    notRunc: NEWER,
    async run(t) {
      const dir = shared(t, [], { uidMappings: swap(0, 7), gidMappings: swap(0, 7) });
      await t.running(
        "cd /s; stat -c '%n %u:%g' f0 f7; echo new >made; mkdir dir; mkfifo pipe; ln -s f0 link; " +
          "stat -c '%n %u:%g' made dir pipe link; rm f7; sleep 20",
      );
      await t.until("link");
      assertEquals(
        t.text("out"),
        "f0 7:7\nf7 0:0\nmade 0:0\ndir 0:0\npipe 0:0\nlink 0:0\n",
      );
      for (const name of ["made", "dir", "pipe", "link"]) {
        assertEquals(idsOf(`${dir}/${name}`), "7:7");
      }
      assertEquals(idsOf(`${dir}/f0`), "0:0");
    },
  },
  {
    name: "idmap alone means the users of the container",
    notRunc: NEWER,
    async run(t) {
      const dir = shared(t, ["idmap"]);
      const namespaces = t.config.linux["namespaces"] as unknown[];
      namespaces.push({ type: "user" });
      const mapping = [{ containerID: 0, hostID: 100_000, size: 1000 }];
      Object.assign(t.config.linux, { uidMappings: mapping, gidMappings: mapping });
      Deno.chownSync(t.bundle.root, 100_000, 100_000);
      await t.running("cd /s; stat -c '%n %u:%g' f0 f7; echo new >made; chown 9:9 made; sleep 20");
      await t.until("f7");
      assertEquals(t.text("out"), "f0 0:0\nf7 7:7\n");
      assertEquals(await t.must("exec", t.id, "stat", "-c", "%u:%g", "/s/made"), "9:9\n");
      assertEquals(idsOf(`${dir}/made`), "9:9");
    },
  },
  {
    name: "mappings that are empty or not possible are errors that name the mount",
    notRunc: NEWER,
    async run(t) {
      shared(t, ["idmap"]);
      await refused(t, /mounts\[4\]\.options: idmap is there without uidMappings/);
      t.config.mounts.pop();
      shared(t, [], { uidMappings: swap(0, 7) });
      await refused(t, /mounts\[4\]\.gidMappings is missing/);
      t.config.mounts.pop();
      const mappings = { uidMappings: swap(0, 7), gidMappings: swap(0, 7) };
      t.config.mounts.push({ destination: "/p", source: "/proc", options: ["bind"], ...mappings });
      await refused(t, /mounts\[4\]\.source: \/proc: this host does not translate the ids/);
      t.config.mounts.pop();
      t.config.mounts.push({ destination: "/t", type: "tmpfs", source: "t", ...mappings });
      await refused(t, /mounts\[4\] has ids of its own, which only bind mounts can have/);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
  {
    name: "remount gives a mount other options",
    async run(t) {
      t.config.mounts.push(
        { destination: "/t", type: "tmpfs", source: "t", options: ["size=1m"] },
        { destination: "/t", type: "tmpfs", source: "t", options: ["remount", "ro", "noexec"] },
      );
      const show = "awk '$2==\"/t\"{print $3, $4}' /proc/mounts | grep -o '^tmpfs ro.*noexec'";
      await t.running(`${show}; touch /t/x 2>&1 | grep -o 'Read-only.*'`);
      assertEquals(await t.reap(), 0);
      assertEquals(t.text("out"), "tmpfs ro,noexec\nRead-only file system\n");
    },
  },
  {
    name: "remount of what is no mount is an error",
    async run(t) {
      t.config.mounts.push(
        { destination: "/bin", type: "tmpfs", source: "t", options: ["remount", "ro"] },
      );
      await refused(t, /\/bin/);
    },
  },
];
