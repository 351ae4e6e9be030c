/** Tests of a file system whose Gofer ended and that gets another one on the same tree. */

import { assert, assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../ffi/abi/fcntl.ts";
import { MAP_PRIVATE, MAP_SHARED } from "../../../ffi/abi/mman.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { HOST_FILES } from "../../core/quota.ts";
import { OverlayFs } from "../overlay/overlay_fs.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import type { GoferFs } from "./gofer_fs.ts";
import { GoferRegular } from "./regular.ts";
import { mapAll } from "../../mm/host_mappings.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { FakeSpace, GuestSimulator } from "../../testing/fake_platform.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { statAt } from "../../vfs/status.ts";
import { errno, mustOpen } from "../../vfs/vfs_testing.ts";
import { type GoferLab, type LabOptions, overTwoGofers } from "./gofer_testing.ts";
import {
  type ChangedFile,
  reconnect,
  type ReconnectOptions,
  settleAttributes,
} from "./reconnect.ts";

const text = (bytes: Uint8Array | number): string =>
  typeof bytes === "number" ? `${errno(bytes)}` : new TextDecoder().decode(bytes);
const bytes = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s);

const SAME: ReconnectOptions = { isCopy: false };

function changesOf(found: ChangedFile[] | number): string[] {
  if (typeof found === "number") throw new Error(`reconnect: ${found}`);
  return found.map((file) => `${file.path} ${file.change}`).sort();
}
const sizeOf = (lab: GoferLab, path: string) => {
  const inode = statAt(lab.root, AT_FDCWD, path, 0);
  return typeof inode === "number" ? errno(inode) : inode.size;
};

const MODES: readonly (readonly [string, LabOptions])[] = [
  ["exclusive", {}],
  ["leased", { leaseNs: 1e9 }],
  ["shared", { isExclusive: false }],
];

for (const [mode, options] of MODES) {
  Deno.test(`${mode}: open files and paths go on over a new connection`, async () => {
    const before = HOST_FILES.countOf(TEST_ACCOUNT);
    await overTwoGofers(options, (lab) => {
      const r = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
      const w = mustOpen(lab.root, "/a/b/c/file", O_RDWR);
      const a = mustOpen(lab.root, "/a/log", O_WRONLY | O_APPEND | O_CREAT);
      const d = mustOpen(lab.root, "/a/b", O_RDONLY | O_DIRECTORY);
      mustOpen(lab.root, "/a/other", O_RDONLY).drop();
      assertEquals(lab.write(a, 0, bytes("one ")), 4);
      assertEquals(text(lab.read(r, 0, 9)), "hello");
      assertEquals(settleAttributes(lab.fs), 0);
      return { r, w, a, d };
    }, (lab, client, dir, { r, w, a, d }) => {
      assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), []);
      assertEquals(lab.fs.donated.size, 3);
      assertEquals(lab.write(w, 0, bytes("J")), 1);
      assertEquals(text(lab.read(r, 0, 9)), "Jello");
      assertEquals(lab.write(a, 0, bytes("two")), 3);
      assertEquals(Deno.readTextFileSync(`${dir}/a/log`), "one two");
      assertEquals(renameAt(lab.root, AT_FDCWD, "/a/b", AT_FDCWD, "/q", 0), 0);
      mustOpen(lab.root, "/q/new", O_RDWR | O_CREAT).drop();
      const names: string[] = [];
      assertEquals(d.readdir((name) => names.push(name) > 0), 0);
      assertEquals(names.sort(), [".", "..", "c", "new"]);
      assertEquals(sizeOf(lab, "/a/other"), 5);
      assertEquals(text(lab.read(w, 0, 9)), "Jello");
      for (const file of [r, w, a, d]) file.drop();
      lab.fs.destroy();
    });
    assertEquals(HOST_FILES.countOf(TEST_ACCOUNT), before);
  });
}

Deno.test("what changed between the connections is reported by path", async () => {
  await overTwoGofers({}, (lab, dir) => {
    for (const name of ["gone", "longer", "touched", "replaced", "dir"]) {
      Deno.writeTextFileSync(`${dir}/a/${name}`, name);
    }
    Deno.utimeSync(`${dir}/a/touched`, 1, 1);
    const files = ["gone", "longer", "touched", "replaced", "dir", "b/c/file", "other"].map((
      name,
    ) => mustOpen(lab.root, `/a/${name}`, O_RDWR));
    assertEquals(settleAttributes(lab.fs), 0);
    Deno.removeSync(`${dir}/a/gone`);
    Deno.writeTextFileSync(`${dir}/a/longer`, "longer than before");
    Deno.utimeSync(`${dir}/a/touched`, 2, 2);
    Deno.writeTextFileSync(`${dir}/a/new`, "replaced");
    Deno.renameSync(`${dir}/a/new`, `${dir}/a/replaced`);
    Deno.removeSync(`${dir}/a/dir`);
    Deno.mkdirSync(`${dir}/a/dir`);
    Deno.renameSync(`${dir}/a/b`, `${dir}/a/moved`);
    return files;
  }, (lab, client, dir, files) => {
    assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), [
      "/a/b gone",
      "/a/b/c gone",
      "/a/b/c/file gone",
      "/a/dir type",
      "/a/gone gone",
      "/a/longer size",
      "/a/replaced replaced",
      "/a/touched time",
    ]);
    const read = files.map((file) => text(lab.read(file, 0, 99)));
    const lost = "ESTALE";
    assertEquals(read, [lost, "longer than before", "touched", "replaced", lost, lost, "other"]);
    assertEquals(errno(lab.write(files[0]!, 0, bytes("x"))), lost);
    assertEquals([files[0]!.truncate(0), files[0]!.fsync(false)].map(errno), [lost, lost]);
    assertEquals(["/a/gone", "/a/b/c/file", "/a/dir/x"].map((path) => sizeOf(lab, path)), [
      "ENOENT",
      "ENOENT",
      "ENOENT",
    ]);
    assertEquals([sizeOf(lab, "/a/moved/c/file"), sizeOf(lab, "/a/replaced")], [5, 8]);
    Deno.writeTextFileSync(`${dir}/a/gone`, "is back");
    for (const file of files) file.drop();
    lab.fs.idle.closeOldest(Infinity);
  });
});

Deno.test("in a copy of the tree files are found by their paths", async () => {
  await overTwoGofers({}, (lab, dir) => {
    const file = mustOpen(lab.root, "/a/b/c/file", O_RDWR);
    const { atime, mtime } = Deno.statSync(`${dir}/a/b/c/file`);
    Deno.renameSync(`${dir}/a`, `${dir}/old`);
    Deno.mkdirSync(`${dir}/a/b/c`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/a/b/c/file`, "HELLO");
    Deno.utimeSync(`${dir}/a/b/c/file`, atime!, mtime!);
    Deno.writeTextFileSync(`${dir}/a/other`, "another");
    return file;
  }, (lab, client, dir, file) => {
    const found = changesOf(reconnect(lab.fs, client, "0", { isCopy: true }));
    // utimensat(2) here has a resolution of 1 ms, so the time may differ.
    assertEquals(found.filter((text) => text !== "/a/b/c/file time"), []);
    assertEquals(text(lab.read(file, 0, 9)), "HELLO");
    assertEquals(lab.write(file, 5, bytes("!")), 1);
    assertEquals(Deno.readTextFileSync(`${dir}/a/b/c/file`), "HELLO!");
    assertEquals([sizeOf(lab, "/a/b/c/file"), sizeOf(lab, "/a/other")], [6, 7]);
    assertEquals(file.inode, statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0));
    file.drop();
  });
});

Deno.test("files without a name get the bytes that the snapshot saved", async () => {
  await overTwoGofers({}, (lab) => {
    const files = ["/a/other", "/a/b/c/file"].map((path) => mustOpen(lab.root, path, O_RDWR));
    assertEquals(unlinkAt(lab.root, AT_FDCWD, "/a/other"), 0);
    assertEquals(unlinkAt(lab.root, AT_FDCWD, "/a/b/c/file"), 0);
    return files;
  }, (lab, client, dir, files) => {
    const [saved, unsaved] = files;
    assert(saved!.inode instanceof GoferRegular);
    saved!.inode.unnamedBytes = bytes("saved");
    const found = reconnect(lab.fs, client, "0", SAME);
    assertEquals(changesOf(found).length, 1);
    assert(typeof found !== "number");
    assertEquals([found[0]!.inode, found[0]!.change, found[0]!.errno], [
      unsaved!.inode,
      "deleted",
      61,
    ]);
    assertEquals(text(lab.read(saved!, 0, 9)), "saved");
    assertEquals(lab.write(saved!, 5, bytes("!")), 1);
    assertEquals([saved!.inode.refresh(), saved!.inode.nlink, saved!.inode.size], [0, 0, 6]);
    assertEquals(text(lab.read(unsaved!, 0, 9)), "ESTALE");
    assertEquals([...Deno.readDirSync(`${dir}/a`)].map((entry) => entry.name).sort(), [
      "b",
      "link",
    ]);
    for (const file of files) file.drop();
  });
});

Deno.test("mappings are those of the new descriptor", async () => {
  await overTwoGofers({}, (lab, dir) => {
    Deno.writeFileSync(`${dir}/a/pages`, new Uint8Array(2 * 4096).fill(7));
    const mm = new MemoryManager(TEST_ACCOUNT, lab.ctx, lab.ctx.platform.newAddressSpace()!);
    const guest = new GuestSimulator(mm);
    const file = mustOpen(lab.root, "/a/pages", O_RDWR);
    const backing = file.mmap(true, true);
    assert(typeof backing !== "number");
    const shared = mm.mmap(0, 2 * 4096, 3, MAP_SHARED, backing, 0);
    const own = mm.mmap(0, 2 * 4096, 3, MAP_PRIVATE, backing, 0);
    file.drop();
    assertEquals([guest.write(shared, 9), guest.write(own, 5)], [0, 0]);
    assertEquals(settleAttributes(lab.fs), 0);
    return { mm, guest, backing, shared, own };
  }, (lab, client, dir, { mm, guest, backing, shared, own }) => {
    const before = backing.platformFile;
    assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), []);
    assert(backing.platformFile !== before);
    lab.ctx.platform.unregisterFile(before);
    assert(mm.space instanceof FakeSpace);
    mm.space.table.clear();
    mapAll(mm, mm.space);
    assertEquals([guest.read(shared), guest.read(own), guest.read(own + 4096)], [9, 5, 7]);
    assertEquals(guest.write(shared + 4096, 3), 0);
    assertEquals(Deno.readFileSync(`${dir}/a/pages`)[4096], 3);
    mm.destroy();
  });
});

Deno.test("a mapping of a file that is gone is SIGBUS, but for private copies", async () => {
  await overTwoGofers({}, (lab, dir) => {
    const mm = new MemoryManager(TEST_ACCOUNT, lab.ctx, lab.ctx.platform.newAddressSpace()!);
    const guest = new GuestSimulator(mm), file = mustOpen(lab.root, "/a/other", O_RDWR);
    const backing = file.mmap(true, true);
    assert(typeof backing !== "number");
    const shared = mm.mmap(0, 4096, 3, MAP_SHARED, backing, 0);
    const own = mm.mmap(0, 4096, 3, MAP_PRIVATE, backing, 0);
    file.drop();
    assertEquals(guest.write(own, 5), 0);
    Deno.removeSync(`${dir}/a/other`);
    return { mm, guest, shared, own };
  }, (lab, client, _dir, { mm, guest, shared, own }) => {
    assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), ["/a/other gone"]);
    assert(mm.space instanceof FakeSpace);
    mm.space.table.clear();
    mapAll(mm, mm.space);
    assertEquals([guest.read(shared), guest.write(shared, 1), guest.read(own)], [-7, -7, 5]);
    mm.destroy();
    lab.fs.idle.closeOldest(Infinity);
  });
});

/** An overlay whose lower layer is the Gofer's tree. */
function overlayOn(fs: GoferFs, lab: GoferLab): OverlayFs {
  const upper = new TmpfsFs(TEST_ACCOUNT, lab.ctx.frames, lab.vfs, {});
  return new OverlayFs(fs.root, upper.root, {
    devices: lab.vfs.devices,
    account: TEST_ACCOUNT,
    frames: lab.ctx.frames,
    isPersistent: false,
    stackDepth: 0,
    text: "",
    owned: upper,
    pinned: [],
  });
}

Deno.test("an overlay goes on over a new connection of its lower layer", async () => {
  await overTwoGofers({ cover: overlayOn }, (lab, dir) => {
    const kept = mustOpen(lab.root, "/a/other", O_RDONLY);
    const gone = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
    const copied = mustOpen(lab.root, "/a/copied", O_RDWR | O_CREAT);
    assertEquals(lab.write(copied, 0, bytes("upper")), 5);
    Deno.removeSync(`${dir}/a/b/c/file`);
    Deno.writeTextFileSync(`${dir}/a/b/c/new`, "new");
    return [kept, gone, copied];
  }, (lab, client, _dir, files) => {
    assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), ["/a/b/c/file gone"]);
    assertEquals(files.map((file) => text(lab.read(file, 0, 9))), ["other", "ESTALE", "upper"]);
    assertEquals(["/a/other", "/a/b/c/new", "/a/copied"].map((path) => sizeOf(lab, path)), [
      5,
      3,
      5,
    ]);
    assertEquals(sizeOf(lab, "/a/b/c/file"), "ENOENT");
    const changed = mustOpen(lab.root, "/a/other", O_RDWR);
    assertEquals(lab.write(changed, 0, bytes("O")), 1);
    assertEquals(text(lab.read(changed, 0, 9)), "Other");
    for (const file of [...files, changed]) file.drop();
  });
});

Deno.test("a long path is walked in parts", async () => {
  const deep = "/d".repeat(130);
  await overTwoGofers({}, (lab, dir) => {
    Deno.mkdirSync(dir + deep, { recursive: true });
    Deno.writeTextFileSync(`${dir}${deep}/file`, "deep");
    return mustOpen(lab.root, `${deep}/file`, O_RDWR);
  }, (lab, client, _dir, file) => {
    assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), []);
    assertEquals(text(lab.read(file, 0, 9)), "deep");
    file.drop();
  });
});

Deno.test("a root that the Gofer lacks is an error that changes nothing", async () => {
  await overTwoGofers(
    {},
    (lab) => mustOpen(lab.root, "/a/other", O_RDONLY),
    (lab, client, _, file) => {
      assert(Number(reconnect(lab.fs, client, "7", SAME)) < 0);
      assertEquals(changesOf(reconnect(lab.fs, client, "0", SAME)), []);
      assertEquals(text(lab.read(file, 0, 9)), "other");
      file.drop();
    },
  );
});
