/**
 * The state directory is full, read-only, or has a long name: commands fail with an error that says
 * so, and leave nothing behind.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, type Finished, run } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "./lifecycle.ts";

const FOREVER = "while :; do sleep 0.05; done";

async function withContainer(fn: (t: Lifecycle) => Promise<void>): Promise<void> {
  becomeSubreaper();
  const t = new Lifecycle("dvisor");
  try {
    await fn(t);
  } finally {
    await endAll([t]);
  }
}

/** The state directory is a file system of its own, of so many pages and files. */
function mountState(t: Lifecycle, pages: number, inodes: number): void {
  Deno.mkdirSync(t.root);
  const options = `size=${pages * PAGE_SIZE},nr_inodes=${inodes}`;
  assert(t.bundle.mount(t.root, "tmpfs", options), "no tmpfs can be mounted");
}

function fill(t: Lifecycle): void {
  try {
    Deno.writeFileSync(`${t.root}/full`, new Uint8Array(64 * PAGE_SIZE));
  } catch {
    // As far as it goes.
  }
}

function saysWhy(result: Finished, stderr: string): void {
  assert(result.code !== 0 && result.code !== 137, describe(result));
  assertMatch(stderr, /^dvisor: .*(No space left|ENOSPC|Read-only|EROFS).*\n$/);
}

function isClean(t: Lifecycle): void {
  assertEquals([...Deno.readDirSync(t.root)].map((e) => e.name).filter((n) => n !== "full"), []);
}

for (const kind of ["pages", "inodes"] as const) {
  Deno.test({
    ...named(
      `a state directory with few ${kind}: commands work, or say why and leave all as it was`,
      noContainers,
    ),
    fn: async () => {
      let hasWorked = false, hasFailed = false;
      for (let room = 1; room <= 8; room++) {
        await withContainer(async (t) => {
          if (kind === "pages") mountState(t, room, 100);
          else mountState(t, 100, room);
          const result = await t.script(FOREVER).create();
          if (result.code !== 0) {
            hasFailed = true;
            saysWhy(result, t.text("err"));
            isClean(t);
            return;
          }
          hasWorked = true;
          fill(t);
          for (const [verb, status] of [["start", "running"], ["pause", "paused"]] as const) {
            const before = await t.status();
            const { code, stderr } = await t.call(verb, t.id);
            if (code === 0) assertEquals(await t.status(), status);
            else {
              assertMatch(stderr, /cannot write .*state\.json/);
              // The sandbox may have done what the state directory could not record: then its own
              // answer holds.
              assert([before, status].includes(String(await t.status())), verb);
            }
          }
          await t.must("delete", "--force", t.id);
          isClean(t);
        });
      }
      assert(hasWorked && hasFailed, `worked: ${hasWorked}, failed: ${hasFailed}`);
    },
  });
}

Deno.test({
  ...named(
    "a read-only state directory: commands that only read work, the others name the reason",
    noContainers,
  ),
  fn: () =>
    withContainer(async (t) => {
      await t.running(FOREVER);
      // The sandbox writes to a file there: no remount can make it read-only.
      const readOnly = t.file("read-only");
      Deno.mkdirSync(readOnly);
      assert(t.bundle.mount(readOnly, "none", "bind", t.root), "no bind mount can be made");
      assertEquals((await run(["mount", "-o", "remount,bind,ro", readOnly])).code, 0);
      t.globals.push("--root", readOnly);
      assertEquals(await t.status(), "running");
      assertMatch(await t.must("list"), new RegExp(t.id));
      assertEquals((await t.call("exec", t.id, "echo", "still")).stdout, "still\n");
      for (const args of [["pause", t.id], ["delete", "--force", t.id]]) {
        const result = await t.call(...args);
        saysWhy(result, result.stderr);
      }
      saysWhy(await t.detached(["create", "--bundle", t.bundle.dir, "second"]), t.text("err"));
      assertEquals(await t.status(), "running");
      await t.must("kill", t.id, "KILL");
      assertEquals(await t.reap(), 137);
      assertEquals(await t.status(), "stopped");
      t.globals.length = 0;
      await t.must("delete", t.id);
      isClean(t);
    }),
});

Deno.test({
  ...named("a state directory with a name of 3000 characters", noContainers),
  fn: () =>
    withContainer(async (t) => {
      const root = `${t.file("deep")}${`/${"x".repeat(200)}`.repeat(15)}`;
      t.globals.push("--root", root);
      await t.running(FOREVER);
      assertEquals(await t.status(), "running");
      assertEquals((await t.call("exec", t.id, "echo", "in")).stdout, "in\n");
      await t.must("delete", "--force", t.id);
      assertEquals([...Deno.readDirSync(root)].length, 0);
      assertEquals([...Deno.readDirSync(t.bundle.dir)].some((e) => e.name === "state"), false);
    }),
});
