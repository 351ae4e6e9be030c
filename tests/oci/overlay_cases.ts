/** `--overlay`: where writes to a root directory go. Not a test. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const OWN = "an option of dvisor";

/** Changes of all kinds, to files of the root directory and to new ones. */
const CHANGES = "cat /f; echo more >>/f; cat /f; exec 3</k; echo changed >/k; cat /k; cat <&3; " +
  "chmod 600 /g; cat /g; echo x >/g; cat /g; cd /d; touch y; ls; mkdir n; ls; " +
  "mv /f /d/n/f; cat /d/n/f; rm /h; ls /h 2>/dev/null; ln /k /l; echo l >>/l; cat /k; " +
  "mv /d/n /m; cat /m/f; rm -r /e; mkdir /e; ls /e; stat -c %a /g; mv /i /j; ls /j; " +
  "mkfifo /p; stat -c %F /p; ln -s /j /s; ls /s; " +
  "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; " +
  "stat -c '%U %s' /big; stat -c '%a %u' /";
const SEEN = "f\nf\nmore\nchanged\nchanged\ng\nx\nlow\ny\nlow\nn\ny\nf\nmore\n" +
  "changed\nl\nf\nmore\n600\nlow\nfifo\nlow\nUNKNOWN 20971520\n750 7\n";

/** Files to change, and what is in them. */
function prepare(t: Lifecycle): string {
  const { root } = t.bundle;
  for (const name of ["f", "g", "h", "k"]) Deno.writeTextFileSync(`${root}/${name}`, `${name}\n`);
  for (const name of ["d", "e", "i"]) {
    Deno.mkdirSync(`${root}/${name}`);
    Deno.writeTextFileSync(`${root}/${name}/low`, "");
  }
  for (const name of ["dev", "proc", "sys"]) Deno.mkdirSync(`${root}/${name}`);
  Deno.chmodSync(root, 0o750);
  Deno.chownSync(root, 7, 7);
  return shape(root);
}

/** Names, sizes and modes. */
function shape(root: string): string {
  const lines: string[] = [];
  const walk = (dir: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(dir)) {
      const { mode, size } = Deno.lstatSync(`${dir}/${name}`);
      lines.push(`${dir}/${name} ${mode} ${isDirectory ? "" : size}`);
      if (isDirectory) walk(`${dir}/${name}`);
    }
  };
  walk(root);
  return lines.sort().join("\n");
}

/** The files that dvisor has made for containers. */
function made(t: Lifecycle): string[] {
  return [...Deno.readDirSync(t.file("disk"))].map(({ name }) => name);
}

export const OVERLAY_CASES: readonly LifecycleCase[] = [
  ...(["memory", "file"] as const).map((kind) => ({
    name: `with --overlay=${kind} the host's root directory stays as it is`,
    notRunc: OWN,
    async run(t: Lifecycle): Promise<void> {
      Deno.mkdirSync(t.file("disk"));
      t.globals.push(`--overlay=${kind === "file" ? `file:${t.file("disk")}` : kind}`);
      const before = prepare(t);
      await t.running(`${CHANGES}; sleep 20`);
      await t.until("750 7");
      assertEquals(t.text("out"), SEEN);
      assertEquals(shape(t.bundle.root), before);
      assertEquals(await t.must("exec", t.id, "cat", "/m/f"), "f\nmore\n");
      assertEquals(made(t).length, kind === "file" ? 1 : 0);
      for (const name of made(t)) {
        const dir = `${t.file("disk")}/${name}`;
        assertEquals(Deno.statSync(`${dir}/big`).size, 20 << 20);
      }
      await t.must("delete", "--force", t.id);
      assertEquals(made(t), []);
    },
  })),
  {
    name: "--overlay=file in a user namespace, where the directory is the container's",
    notRunc: OWN,
    async run(t) {
      Deno.mkdirSync(t.file("disk"));
      t.globals.push(`--overlay=file:${t.file("disk")}`);
      const namespaces = t.config.linux["namespaces"] as unknown[];
      namespaces.push({ type: "user" });
      const mapping = [{ containerID: 0, hostID: 100_000, size: 1000 }];
      Object.assign(t.config.linux, { uidMappings: mapping, gidMappings: mapping });
      Deno.chownSync(t.bundle.root, 100_000, 100_000);
      await t.running("mkdir -m 0 /n; touch /n/f; chmod 111 /bin; stat -c '%u %a' /n/f; sleep 20");
      await t.until("0 644");
      const [name = ""] = made(t), dir = `${t.file("disk")}/${name}`;
      const { uid, mode } = Deno.statSync(dir);
      assertEquals([uid, (mode ?? 0) & 0o777], [100_000, 0o755]);
      assertEquals(Deno.statSync(`${dir}/n/f`).uid, 100_000);
      await t.must("delete", "--force", t.id);
      assertEquals(made(t), []);
    },
  },
  {
    name: "a pod may ask for an overlay, and not for its place",
    notRunc: OWN,
    async run(t) {
      Deno.mkdirSync(t.file("disk"));
      t.globals.push(`--overlay=file:${t.file("disk")}`);
      t.config["annotations"] = { "dev.dvisor.overlay": "file" };
      await t.created();
      assertEquals(made(t).length, 1);
      await t.must("delete", t.id);
      t.config["annotations"] = { "dev.dvisor.overlay": `file:${t.file("disk")}` };
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /annotations: dev\.dvisor\.overlay is "file:/);
      assertEquals(made(t), []);
    },
  },
  {
    name:
      "a directory that was removed and made again in an overlay mount stays empty in the next one",
    async run(t) {
      for (const name of ["l/d", "u", "w"]) Deno.mkdirSync(t.file(name), { recursive: true });
      Deno.writeTextFileSync(t.file("l/d/old"), "");
      const layers = ["lowerdir", "upperdir", "workdir"].map((key) => `${key}=${t.file(key[0]!)}`);
      t.config.mounts.push({ destination: "/o", type: "overlay", source: "o", options: layers });
      await t.running("rm -r /o/d; mkdir /o/d; touch /o/d/new; ls /o/d");
      assertEquals(await t.reap(), 0);
      await t.must("delete", t.id);
      await t.running("ls /o/d");
      assertEquals(await t.reap(), 0);
      assertEquals(t.text("out"), "new\nnew\n");
    },
  },
  {
    name: "--overlay=file where no directory can be made is an error that names it",
    notRunc: OWN,
    async run(t) {
      t.globals.push("--overlay=file:/proc/nothing");
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /--overlay=file: cannot make \/proc\/nothing\/dvisor-/);
    },
  },
];
