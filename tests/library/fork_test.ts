/** Snapshots in a sandbox's memory: it goes back to them, and has forks of them. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  InvalidArgumentError,
  LimitError,
  NotFoundError,
  RolledBackError,
  Sandbox,
  SandboxGoneError,
  UnsupportedError,
} from "../../mod.ts";
import { PLATFORM, ROOT } from "../harness/dvisor.ts";
import { isRoot, named, noUsers } from "../harness/machine.ts";

const OPTIONS = { binary: join(ROOT, "dist/dvisor"), platform: PLATFORM };
const SOON_MS = 20_000, ROLLBACKS = 100, FORKS = 8;
const COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done";

/** The number that the counting program has written last. */
async function countOf(box: Sandbox): Promise<number> {
  return Number(await box.fs.readTextFile("/tmp/count"));
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ ...named(name, isRoot ? null : noUsers), fn });
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

/** Counts how often a file was made, in its memory. */
const FILES = `i=0; while :; do
  if [ -e /tmp/go ]; then
    rm /tmp/go; i=$((i+1)); echo $i > /tmp/lines.new; mv /tmp/lines.new /tmp/lines
  fi
  sleep 0.01
done`;

/** Makes the file again and again, until the count of the program is `wanted`. */
async function addFiles(box: Sandbox, from: number, wanted: number): Promise<void> {
  for (let lines = from; lines < wanted; lines++) {
    await box.fs.writeFile("/tmp/go", "");
    const isCounted = async () => {
      return await box.fs.exists("/tmp/lines") &&
        await box.fs.readTextFile("/tmp/lines") === `${lines + 1}\n`;
    };
    await until(`file ${lines + 1} is counted`, isCounted);
  }
}

test("library: a rollback brings files, jobs and their memory back", async () => {
  await using box = await Sandbox.create(OPTIONS);
  await box.fs.writeFile("/tmp/kept", "first");
  await box.spawn(["sh", "-c", FILES], { detached: true });
  await addFiles(box, 0, 3);
  const [before] = await box.jobs();
  const snapshot = await box.snapshot({ name: "two" });
  assertEquals([snapshot.id, snapshot.name], [1, "two"]);
  await addFiles(box, 3, 8);
  await box.fs.writeFile("/tmp/kept", "second");
  await box.fs.writeFile("/etc/new", "new");
  const sleeper = box.exec(["sleep", "1000"]);
  const failed = assertRejects(() => sleeper, RolledBackError, "rolled back");
  await box.rollback(snapshot);
  await failed;
  assertEquals(await box.fs.readTextFile("/tmp/lines"), "3\n");
  await addFiles(box, 3, 5);
  assertEquals(await box.fs.readTextFile("/tmp/kept"), "first");
  assertEquals(await box.fs.exists("/etc/new"), false);
  const [after] = await box.jobs();
  assertEquals([after?.id, after?.pid], [before?.id, before?.pid]);
  assertEquals((await box.snapshots()).map(({ id, name }) => [id, name]), [[1, "two"]]);
  await box.rollback(snapshot);
  await addFiles(box, 3, 5);
  await snapshot.delete();
  await assertRejects(() => box.rollback(snapshot), NotFoundError, "there is no snapshot 1");
  await assertRejects(() => snapshot.delete(), NotFoundError);
  await addFiles(box, 5, 6);
});

test("library: many rollbacks leave no memory, and snapshots go in any order", async () => {
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

test("library: a sandbox with the network of the host has no snapshots", async () => {
  await using box = await Sandbox.create({ ...OPTIONS, network: "host" });
  await assertRejects(() => box.snapshot(), UnsupportedError, "network of the host");
});

test("library: forks go on from a snapshot, and none sees another one", async () => {
  await using box = await Sandbox.create(OPTIONS);
  await box.fs.writeFile("/tmp/kept", "first");
  await box.spawn(["sh", "-c", COUNT], { detached: true });
  await until("the program counts", () => box.fs.exists("/tmp/count"));
  const snapshot = await box.snapshot(), forks = await snapshot.fork(FORKS);
  assertEquals(forks.map(({ id }) => id), forks.map((_, i) => `${box.id}/${i + 1}`));
  await Promise.all(forks.map(async (fork, i) => {
    await fork.fs.writeFile("/tmp/kept", `fork ${i}`);
    await fork.fs.writeFile(`/tmp/own${i}`, "own");
  }));
  await box.fs.writeFile("/tmp/kept", "box");
  await Promise.all(forks.map(async (fork, i) => {
    assertEquals(await fork.fs.readTextFile("/tmp/kept"), `fork ${i}`);
    const { text } = await fork.exec(["sh", "-c", "echo /tmp/own*"]);
    assertEquals(text, `/tmp/own${i}\n`);
    await countsOn(fork, 2);
  }));
  assertEquals(await box.fs.readTextFile("/tmp/kept"), "box");
  const random = ["sh", "-c", "od -An -N16 -tx1 /dev/urandom"];
  const numbers = await Promise.all(forks.map(async (fork) => (await fork.exec(random)).text));
  assertEquals(new Set(numbers).size, FORKS);
  await snapshot.delete();
  // One ends, and the others do not.
  const [first, second, ...rest] = forks;
  const sleeper = assertRejects(() => first!.exec(["sleep", "1000"]), SandboxGoneError);
  await first!.kill();
  await sleeper;
  await assertRejects(() => Sandbox.connect(first!.id), NotFoundError, "has no fork 1");
  await countsOn(second!, 2);
  // A fork has snapshots, too, and further clients.
  const later = await second!.snapshot();
  await second!.fs.writeFile("/tmp/kept", "later");
  await second!.rollback(later);
  assertEquals(await second!.fs.readTextFile("/tmp/kept"), "fork 1");
  await using again = await Sandbox.connect(second!.id);
  assertEquals(await again.fs.readTextFile("/tmp/kept"), "fork 1");
  const [child] = await later.fork();
  assertEquals(await child!.fs.readTextFile("/tmp/kept"), "fork 1");
  await countsOn(box, 2);
  // All end with the sandbox.
  const left = rest.map((fork) =>
    assertRejects(() => fork.exec(["sleep", "1000"]), SandboxGoneError)
  );
  await box.kill();
  await Promise.all(left);
});

test("library: a fork that fails leaves none, and deleted snapshots have none", async () => {
  await using box = await Sandbox.create(OPTIONS);
  const snapshot = await box.snapshot();
  await assertRejects(() => snapshot.fork(0), InvalidArgumentError, "count");
  await assertRejects(() => snapshot.fork(65), LimitError, "at most 64 forks");
  const [one] = await snapshot.fork();
  await snapshot.delete();
  await assertRejects(() => snapshot.fork(), NotFoundError, "there is no snapshot 1");
  assertEquals((await one!.exec(["echo", "on"])).text, "on\n");
});
