/** Bind mounts that follow what the host mounts below their source: `rslave`. Not a test. */

import { assert, assertEquals } from "@std/assert";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

function mount(...args: string[]): void {
  const { success } = new Deno.Command("mount", { args }).outputSync();
  if (!success) throw new Error(`mount ${args.join(" ")} fails`);
}

function unmount(path: string): void {
  new Deno.Command("umount", { args: ["-l", path] }).outputSync();
}

/** A directory on a mount with shared propagation, as all mounts have under systemd. */
async function withShared(t: Lifecycle, body: (dir: string) => Promise<void>): Promise<void> {
  const dir = t.file("shared");
  Deno.mkdirSync(dir);
  mount("-t", "tmpfs", "t", dir);
  try {
    mount("--make-shared", dir);
    for (const name of ["sub", "early"]) Deno.mkdirSync(`${dir}/${name}`);
    mount("-t", "tmpfs", "early", `${dir}/early`);
    Deno.writeTextFileSync(`${dir}/early/before`, "");
    await body(dir);
  } finally {
    await t.call("delete", "--force", t.id);
    for (const path of [`${dir}/sub`, `${dir}/early`, dir]) unmount(path);
  }
}

const LOOK = "until [ -e /s/sub/file ]; do sleep 0.05; done; cat /s/sub/file; ls /s/early; " +
  "until [ ! -e /s/sub/file ]; do sleep 0.05; done; echo gone; ls /s/sub";

export const FOLLOW_CASES: readonly LifecycleCase[] = [
  ...["rslave", "slave"].map((option) => ({
    name: `a bind mount with ${option} shows what the host mounts later`,
    async run(t: Lifecycle): Promise<void> {
      await withShared(t, async (dir) => {
        const options = [option === "rslave" ? "rbind" : "bind", option];
        t.config.mounts.push({ destination: "/s", source: dir, options });
        Deno.writeTextFileSync(`${dir}/sub/below`, "");
        await t.running(LOOK);
        mount("-t", "tmpfs", "late", `${dir}/sub`);
        Deno.writeTextFileSync(`${dir}/sub/file`, "late\n");
        await t.until("late\n");
        unmount(`${dir}/sub`);
        await t.until("gone\nbelow\n");
        const early = option === "rslave" ? "before\n" : "";
        assertEquals(t.text("out"), `late\n${early}gone\nbelow\n`);
      });
    },
  })),
  {
    name: "without it later mounts of the host stay outside",
    async run(t) {
      await withShared(t, async (dir) => {
        t.config.mounts.push({ destination: "/s", source: dir, options: ["rbind", "rprivate"] });
        await t.running("echo up; until [ -e /s/go ]; do sleep 0.05; done; ls /s/sub; echo end");
        await t.until("up");
        mount("-t", "tmpfs", "late", `${dir}/sub`);
        Deno.writeTextFileSync(`${dir}/sub/file`, "late\n");
        Deno.writeTextFileSync(`${dir}/go`, "");
        await t.until("end");
        assert(!t.text("out").includes("file"), t.text("out"));
      });
    },
  },
  {
    name: "a read-only mount with rslave refuses writes, also below later mounts",
    async run(t) {
      await withShared(t, async (dir) => {
        const options = ["rbind", "rro", "rslave"];
        t.config.mounts.push({ destination: "/s", source: dir, options });
        await t.running(
          "until [ -e /s/sub/file ]; do sleep 0.05; done; echo x >/s/sub/x; echo x >/s/x; echo end",
        );
        mount("-t", "tmpfs", "late", `${dir}/sub`);
        Deno.writeTextFileSync(`${dir}/sub/file`, "late\n");
        await t.until("end");
        assertEquals(t.text("err").match(/Read-only file system/g)?.length, 2);
      });
    },
    notRunc: "there later mounts can be written",
  },
];
