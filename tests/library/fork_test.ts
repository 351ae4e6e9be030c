/** Snapshots in a sandbox's memory: it goes back to them. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { NotFoundError, RolledBackError, Sandbox, UnsupportedError } from "../../mod.ts";
import { PLATFORM, ROOT } from "../harness/dvisor.ts";

const OPTIONS = { binary: join(ROOT, "dist/dvisor"), platform: PLATFORM };
const SOON_MS = 20_000, ROLLBACKS = 100;
const COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done";

/** The number that the counting program has written last. */
async function countOf(box: Sandbox): Promise<number> {
  return Number(await box.fs.readTextFile("/tmp/count"));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + SOON_MS;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`${what}: it does not happen`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function countsOn(box: Sandbox, by: number): Promise<void> {
  const before = await countOf(box);
  await until("the program counts on", async () => await countOf(box) >= before + by);
}

Deno.test("library: a rollback brings files, jobs and their memory back", async () => {
  await using box = await Sandbox.create(OPTIONS);
  await box.fs.writeFile("/tmp/kept", "first");
  await box.spawn(["sh", "-c", COUNT], { detached: true });
  await until("the program counts", () => box.fs.exists("/tmp/count"));
  await countsOn(box, 2);
  const [before] = await box.jobs();
  const snapshot = await box.snapshot({ name: "two" }), counted = await countOf(box);
  assertEquals([snapshot.id, snapshot.name], [1, "two"]);
  await countsOn(box, 20);
  await box.fs.writeFile("/tmp/kept", "second");
  await box.fs.writeFile("/etc/new", "new");
  const sleeper = box.exec(["sleep", "1000"]);
  const failed = assertRejects(() => sleeper, RolledBackError, "rolled back");
  await box.rollback(snapshot);
  await failed;
  assert(await countOf(box) < counted + 18, "the program goes on from where it was");
  await countsOn(box, 2);
  assertEquals(await box.fs.readTextFile("/tmp/kept"), "first");
  assertEquals(await box.fs.exists("/etc/new"), false);
  const [after] = await box.jobs();
  assertEquals([after?.id, after?.pid], [before?.id, before?.pid]);
  assertEquals((await box.snapshots()).map(({ id, name }) => [id, name]), [[1, "two"]]);
  await snapshot.delete();
  await assertRejects(() => box.rollback(snapshot), NotFoundError, "there is no snapshot 1");
  await assertRejects(() => snapshot.delete(), NotFoundError);
  await countsOn(box, 2);
});

Deno.test("library: many rollbacks leave no memory, and snapshots go in any order", async () => {
  await using box = await Sandbox.create(OPTIONS);
  await box.spawn(["sh", "-c", COUNT], { detached: true });
  await until("the program counts", () => box.fs.exists("/tmp/count"));
  const snapshots = [await box.snapshot()];
  const used: number[] = [];
  for (let i = 0; i < ROLLBACKS; i++) {
    await box.fs.writeFile("/tmp/file", String(i).repeat(1 << 16));
    if (i % 10 === 0) snapshots.push(await box.snapshot());
    await box.rollback(snapshots[i % snapshots.length]!);
    used.push((await box.stats()).memoryBytes);
    if (snapshots.length > 4) await snapshots.splice(i % 4, 1)[0]!.delete();
  }
  await countsOn(box, 2);
  const most = Math.max(...used.slice(20)), first = Math.max(...used.slice(0, 20));
  assert(most < first + (4 << 20), `${first} bytes became ${most}`);
  for (const snapshot of snapshots) await snapshot.delete();
  assertEquals(await box.snapshots(), []);
});

Deno.test("library: a sandbox with the network of the host has no snapshots", async () => {
  await using box = await Sandbox.create({ ...OPTIONS, network: "host" });
  await assertRejects(() => box.snapshot(), UnsupportedError, "network of the host");
});
