/** Cases about snapshots that are saved in files, and sandboxes that go on from them. */

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type * as Module from "../../../mod.ts";
import { type Case, failure, inSandbox, until, withDirectory, withSandbox } from "../support.ts";

const COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count.new; " +
  "mv /tmp/count.new /tmp/count; sleep 0.02; done";

async function countsOn(box: Module.Sandbox): Promise<void> {
  const count = async () => Number(await box.fs.readTextFile("/tmp/count"));
  const first = await count();
  await until("the program counts on", async () => await count() > first + 2);
}

const two = inSandbox("a snapshot is saved, and two sandboxes go on from it", async (
  box,
  { Sandbox },
  { create: { binary, platform } },
) => {
  await withDirectory(async (directory) => {
    const file = join(directory, "warm.dvsnap");
    await box.fs.writeFile("/tmp/kept", "before");
    await box.spawn(["sh", "-c", COUNT], { detached: true });
    await box.spawn(["sleep", "1000"]);
    await until("the program counts", async () => await box.fs.exists("/tmp/count"));
    const snapshot = await box.snapshot();
    await box.fs.writeFile("/tmp/kept", "after");
    await snapshot.save(file, { compression: 1 });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await snapshot.delete();
    const options = { binary, platform } as Module.RestoreOptions;
    const all = await Promise.all([1, 2].map(() => Sandbox.restore(file, options)));
    try {
      for (const again of all) {
        assert.equal(await again.fs.readTextFile("/tmp/kept"), "before");
        assert.deepEqual((await again.jobs()).map(({ argv }) => argv[0]), ["sh"]);
        await countsOn(again);
      }
    } finally {
      for (const again of all) await again.kill();
    }
    assert.equal(await box.fs.readTextFile("/tmp/kept"), "after");
    await countsOn(box);
    assert.deepEqual(await readdir(directory), ["warm.dvsnap"]);
  });
});

const several = inSandbox(
  "snapshots are saved at the same time, those of forks too",
  async (box) => {
    await withDirectory(async (directory) => {
      const first = await box.snapshot(), [fork] = await first.fork();
      assert(fork !== undefined);
      await fork.fs.writeFile("/tmp/file", "of the fork");
      const second = await fork.snapshot();
      const names = ["a", "b", "c", "a"];
      await Promise.all(names.map((name, i) => {
        return (i === 1 ? second : first).save(join(directory, name));
      }));
      assert.deepEqual((await readdir(directory)).sort(), ["a", "b", "c"]);
      await fork.kill();
      assert.equal((await box.snapshots()).length, 2);
    });
  },
);

const unwritable = inSandbox("a snapshot that cannot be saved leaves what was there", async (
  box,
  { InvalidArgumentError, NotFoundError, SandboxError },
) => {
  await withDirectory(async (directory) => {
    const snapshot = await box.snapshot(), old = join(directory, "old");
    await mkdir(join(directory, "directory"));
    await writeFile(old, "text");
    for (const name of ["missing/file", "directory", "old/file"]) {
      const error = await failure(SandboxError, snapshot.save(join(directory, name)));
      assert.match(error.message, /^cannot save the snapshot in .*--image-file/);
    }
    await failure(InvalidArgumentError, snapshot.save(old, { compression: 20 }));
    await snapshot.delete();
    const deleted = await failure(NotFoundError, snapshot.save(old));
    assert.match(deleted.message, /cannot save the snapshot 1: it was deleted/);
    assert.equal(await readFile(old, "utf8"), "text");
    assert.deepEqual((await readdir(directory)).sort(), ["directory", "old"]);
  });
});

const refused: Case = {
  name: "a file that is no snapshot, or of another network, is refused",
  async run(library, { create }) {
    const { InvalidArgumentError, NotFoundError, Sandbox, SandboxError } = library;
    await withDirectory(async (directory) => {
      const file = join(directory, "file"), { binary, platform } = create;
      const restore = (path: string, more: Module.RestoreOptions = {}) =>
        Sandbox.restore(path, { binary, platform, ...more } as Module.RestoreOptions);
      await failure(NotFoundError, restore(file));
      await writeFile(file, "no snapshot".repeat(1000));
      const other = await failure(SandboxError, restore(file));
      assert.match(other.message, /the snapshot is refused: this is no snapshot file/);
      assert.match((await failure(SandboxError, restore(directory))).message, /no regular file/);
      const named: object = { hostname: "other" };
      await failure(InvalidArgumentError, restore(file, named));
      await withSandbox(library, create, async (box) => await (await box.snapshot()).save(file));
      const network = await failure(SandboxError, restore(file, { network: "host" }));
      assert.match(network.message, /of a sandbox with the network "none"/);
      await writeFile(file, (await readFile(file)).subarray(0, -1));
      assert.match((await failure(SandboxError, restore(file))).message, /snapshot is refused/);
    });
  },
};

export const snapshotCases: readonly Case[] = [two, several, unwritable, refused];
