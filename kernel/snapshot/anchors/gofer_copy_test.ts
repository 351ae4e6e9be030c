/** A kernel of files over a Gofer is copied, with another connection to the tree, and goes on. */

import { assert, assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  LOCK_EX,
  LOCK_SH,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../ffi/abi/fcntl.ts";
import { IN_ALL_EVENTS, IN_CREATE } from "../../../ffi/abi/inotify.ts";
import { MAP_PRIVATE, MAP_SHARED } from "../../../ffi/abi/mman.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { HOST_FILES } from "../../core/quota.ts";
import { AnonFiles } from "../../fs/anonfd/anon_inode.ts";
import { InotifyFile } from "../../fs/anonfd/inotify.ts";
import type { GoferFs } from "../../fs/gofer/gofer_fs.ts";
import {
  type GoferLab,
  inTree,
  type LabOptions,
  overTwoGofers,
} from "../../fs/gofer/gofer_testing.ts";
import { OverlayFs } from "../../fs/overlay/overlay_fs.ts";
import { TmpfsFs } from "../../fs/tmpfs/tmpfs.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { GuestSimulator } from "../../testing/fake_platform.ts";
import { FileLocks, flockRequest, type LockOwner } from "../../vfs/file_locks.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { statAt } from "../../vfs/status.ts";
import { BufferCursor, errno, mustOpen } from "../../vfs/vfs_testing.ts";
import { CopiedLab, encodeLab } from "./copied_lab_testing.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (read: Uint8Array | number) =>
  typeof read === "number" ? `${errno(read)}` : new TextDecoder().decode(read);

/** Runs `before` with a lab, and `after` with its copy over another Gofer, where `between` ran. */
async function copied(
  options: LabOptions & { readonly isCopy?: boolean },
  before: (lab: GoferLab, dir: string) => { files: OpenFile[]; mm?: MemoryManager },
  after: (copy: CopiedLab, dir: string) => void,
  between: (dir: string) => void = () => {},
): Promise<void> {
  const charged = HOST_FILES.countOf(TEST_ACCOUNT);
  await overTwoGofers(options, (lab, dir) => {
    const { files, mm = null } = before(lab, dir);
    const image = encodeLab(lab, { files, mm });
    for (const file of files) file.drop();
    mm?.destroy();
    lab.fs.idle.closeOldest(Infinity);
    return image;
  }, (lab, client, dir, image) => {
    between(dir);
    const copy = new CopiedLab(lab, image, client, options.isCopy ?? false);
    after(copy, dir);
    copy.close();
    // Only what the files of a lab before this one hold is left.
    assertEquals(HOST_FILES.countOf(copy.account), charged);
  });
  assertEquals(HOST_FILES.countOf(TEST_ACCOUNT), charged);
}

function namesOf(dir: OpenFile, most: number = Infinity): string[] {
  const names: string[] = [];
  const r = dir.readdir((name) => names.length < most && names.push(name) > 0);
  assertEquals(r, 0);
  return names;
}

const MODES: readonly (readonly [string, LabOptions])[] = [
  ["exclusive", {}],
  ["leased", { leaseNs: 1e9 }],
  ["shared", { isExclusive: false }],
];

for (const [mode, options] of MODES) {
  Deno.test(`${mode}: open files of a copy go on at their places`, async () => {
    await copied(options, (lab) => {
      const r = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
      const w = mustOpen(lab.root, "/a/b/c/file", O_RDWR);
      const log = mustOpen(lab.root, "/a/log", O_WRONLY | O_APPEND | O_CREAT);
      // Without users: not in the copy.
      mustOpen(lab.root, "/a/other", O_RDONLY).drop();
      assertEquals(lab.write(log, 0, bytes("one ")), 4);
      assertEquals(lab.write(w, 5, bytes(", world")), 7);
      r.pos = 7;
      return { files: [r, w, log] };
    }, (copy, dir) => {
      const [r, w, log] = copy.files as [OpenFile, OpenFile, OpenFile];
      assertEquals(copy.changed, []);
      assertEquals(copy.fs.donated.size, 3);
      assertEquals(copy.readText(r, 99), "world");
      assertEquals([copy.writeText(w, "W", 7), copy.writeText(log, "two")], [1, 3]);
      assertEquals(copy.readText(r, 99), "World");
      assertEquals(Deno.readTextFileSync(`${dir}/a/log`), "one two");
      assertEquals(Deno.readTextFileSync(`${dir}/a/b/c/file`), "hello, World");
      const other = statAt(copy.root, AT_FDCWD, "/a/other", 0);
      assert(typeof other !== "number");
      assertEquals(other.size, 5);
      assertEquals(statAt(copy.root, AT_FDCWD, "/a/b/c/file", 0), w.inode);
    });
  });
}

Deno.test("a directory that was read in part goes on behind the names that were read", async () => {
  const all: string[] = [];
  await copied({}, (lab, dir) => {
    for (let i = 0; i < 40; i++) Deno.writeTextFileSync(`${dir}/a/b/f${i}`, "");
    const open = mustOpen(lab.root, "/a/b", O_RDONLY | O_DIRECTORY);
    all.push(...namesOf(open, 10));
    return { files: [open] };
  }, (copy, dir) => {
    Deno.removeSync(`${dir}/a/b/f1`);
    all.push(...namesOf(copy.files[0]!));
    const names = [".", "..", "c", ...Array.from({ length: 40 }, (_, i) => `f${i}`)];
    assertEquals(all.toSorted(), names.toSorted());
    copy.files[0]!.pos = 0;
    assertEquals(namesOf(copy.files[0]!).includes("f1"), false);
  });
});

Deno.test("a file that was open without a name has its bytes in the copy", async () => {
  const large = "0123456789abcdef".repeat(200_000);
  await copied({}, (lab) => {
    const files = ["/a/other", "/a/b/c/file"].map((path) => mustOpen(lab.root, path, O_RDWR));
    for (let at = 0; at < large.length; at += 1 << 18) {
      lab.write(files[1]!, at, bytes(large.slice(at, at + (1 << 18))));
    }
    for (const path of ["/a/other", "/a/b/c/file"]) {
      assertEquals(unlinkAt(lab.root, AT_FDCWD, path), 0);
    }
    return { files };
  }, (copy, dir) => {
    const [other, file] = copy.files as [OpenFile, OpenFile];
    assertEquals(copy.changed, []);
    assertEquals(copy.readText(other, 99, 0), "other");
    assertEquals([file.inode.refresh(), file.inode.size, file.inode.nlink], [0, large.length, 0]);
    assertEquals(copy.readText(file, 16, large.length - 16), "0123456789abcdef");
    assertEquals(copy.writeText(other, "O", 0), 1);
    assertEquals(copy.readText(other, 99, 0), "Other");
    assertEquals([...Deno.readDirSync(`${dir}/a`)].map(({ name }) => name).toSorted(), [
      "b",
      "link",
    ]);
  });
});

Deno.test("what changed between snapshot and restore is reported by path", async () => {
  await copied({}, (lab, dir) => {
    for (const name of ["gone", "longer", "replaced"]) {
      Deno.writeTextFileSync(`${dir}/${name}`, "1");
    }
    const names = ["gone", "longer", "replaced", "a/other"];
    return { files: names.map((name) => mustOpen(lab.root, `/${name}`, O_RDWR)) };
  }, (copy) => {
    assertEquals(copy.changed, ["/gone gone", "/longer size", "/replaced replaced"]);
    const found = copy.files.map((file) => copy.readText(file, 99, 0));
    assertEquals(found, ["ESTALE", "longer", "2", "other"]);
  }, (dir) => {
    Deno.removeSync(`${dir}/gone`);
    Deno.writeTextFileSync(`${dir}/longer`, "longer");
    Deno.writeTextFileSync(`${dir}/new`, "2");
    Deno.renameSync(`${dir}/new`, `${dir}/replaced`);
  });
});

Deno.test("mappings of a copy are those of its own descriptors", async () => {
  await copied({}, (lab, dir) => {
    Deno.writeFileSync(`${dir}/a/pages`, new Uint8Array(2 * 4096).fill(7));
    const mm = new MemoryManager(TEST_ACCOUNT, lab.ctx, lab.ctx.platform.newAddressSpace()!);
    const guest = new GuestSimulator(mm), file = mustOpen(lab.root, "/a/pages", O_RDWR);
    const backing = file.mmap(true, true);
    assert(typeof backing !== "number");
    const shared = mm.mmap(0x100000, 2 * 4096, 3, MAP_SHARED, backing, 0);
    const own = mm.mmap(0x200000, 2 * 4096, 3, MAP_PRIVATE, backing, 0);
    assertEquals([shared, own], [0x100000, 0x200000]);
    assertEquals([guest.write(shared, 9), guest.write(own, 5)], [0, 0]);
    file.drop();
    return { files: [], mm };
  }, (copy, dir) => {
    assertEquals([copy.changed, copy.fs.donated.size], [[], 1]);
    const guest = new GuestSimulator(copy.mm!);
    const read = [0x100000, 0x101000, 0x200000, 0x201000].map((at) => guest.read(at));
    assertEquals(read, [9, 7, 5, 7]);
    assertEquals([guest.write(0x101000, 3), guest.write(0x200000, 6)], [0, 0]);
    const there = Deno.readFileSync(`${dir}/a/pages`);
    assertEquals([there[0], there[4096]], [9, 3]);
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

Deno.test("an overlay of a copy has both layers", async () => {
  await copied({ cover: overlayOn }, (lab) => {
    const kept = mustOpen(lab.root, "/a/other", O_RDONLY);
    const made = mustOpen(lab.root, "/a/made", O_RDWR | O_CREAT);
    const changed = mustOpen(lab.root, "/a/b/c/file", O_RDWR);
    assertEquals([lab.write(made, 0, bytes("upper")), lab.write(changed, 0, bytes("J"))], [5, 1]);
    assertEquals(unlinkAt(lab.root, AT_FDCWD, "/a/link"), 0);
    made.drop();
    return { files: [kept, changed] };
  }, (copy, dir) => {
    const [kept, changed] = copy.files as [OpenFile, OpenFile];
    assertEquals(copy.changed, []);
    assertEquals([copy.readText(kept, 9), copy.readText(changed, 9, 0)], ["other", "Jello"]);
    const made = mustOpen(copy.root, "/a/made", O_RDWR);
    assertEquals(copy.readText(made, 9), "upper");
    made.drop();
    const gone = statAt(copy.root, AT_FDCWD, "/a/link", 0);
    assertEquals(typeof gone === "number" && errno(gone), "ENOENT");
    const other = mustOpen(copy.root, "/a/other", O_RDWR);
    assertEquals([copy.writeText(other, "O", 0), copy.readText(other, 9, 0)], [1, "Other"]);
    other.drop();
    assertEquals(Deno.readTextFileSync(`${dir}/a/other`), "other");
    assertEquals(Deno.readTextFileSync(`${dir}/a/b/c/file`), "hello");
  });
});

Deno.test("locks and watches are those of the copy", async () => {
  await copied({}, (lab) => {
    const one = mustOpen(lab.root, "/a/other", O_RDWR),
      two = mustOpen(lab.root, "/a/other", O_RDWR);
    const locks = one.inode.locks = new FileLocks(one.inode, lab.vfs.lockedFiles);
    const by: LockOwner = {
      kind: "FLOCK",
      account: TEST_ACCOUNT,
      owner: one,
      pid: 1,
      ages: lab.vfs.lockAges,
    };
    assertEquals(locks.flock(flockRequest(by, LOCK_EX)), 0);
    const events = new InotifyFile(
      TEST_ACCOUNT,
      new AnonFiles(lab.vfs.devices),
      0,
      lab.vfs.deferred,
    );
    const dir = mustOpen(lab.root, "/a/b", O_RDONLY);
    assertEquals(events.watch(dir.inode, IN_ALL_EVENTS), 1);
    dir.drop();
    return { files: [one, two, events] };
  }, (copy) => {
    const [one, two, events] = copy.files as [OpenFile, OpenFile, OpenFile];
    const { locks } = two.inode;
    assert(locks !== null);
    assertEquals(locks.flockOf(one)?.owner, one);
    const by: LockOwner = {
      kind: "FLOCK",
      account: copy.account,
      owner: two,
      pid: 1,
      ages: copy.vfs.lockAges,
    };
    assertEquals(errno(locks.flock(flockRequest(by, LOCK_SH))), "EAGAIN");
    mustOpen(copy.root, "/a/b/new", O_RDWR | O_CREAT).drop();
    const io = new BufferCursor(new Uint8Array(4096));
    assert(events.read(io, -1) > 0);
    const dv = new DataView(io.buffer.buffer), masks: number[] = [];
    for (let at = 0; dv.getInt32(at, true) === 1; at += 16 + dv.getUint32(at + 12, true)) {
      masks.push(dv.getUint32(at + 4, true));
    }
    assert(masks.includes(IN_CREATE));
  });
});

Deno.test("names that nothing uses are not encoded, and stay where they are", async () => {
  const NAMES = 500;
  await copied({}, (lab, dir) => {
    for (let i = 0; i < NAMES; i++) Deno.writeTextFileSync(`${dir}/a/f${i}`, "x");
    const file = mustOpen(lab.root, "/a/b/c/file", O_RDWR), kept = { files: [file], mm: null };
    const before = encodeLab(lab, kept).bytes.length;
    for (let i = 0; i < NAMES; i++) {
      assertEquals(typeof statAt(lab.root, AT_FDCWD, `/a/f${i}`, 0), "object");
    }
    const { count } = lab.vfs.dentries;
    assert(count >= NAMES);
    assert(encodeLab(lab, kept).bytes.length < before + 1000);
    assertEquals(lab.vfs.dentries.count, count);
    assertEquals(statAt(lab.root, AT_FDCWD, "/a/f7", 0), statAt(lab.root, AT_FDCWD, "/a/f7", 0));
    return { files: [file] };
  }, (copy) => {
    assertEquals(copy.vfs.dentries.count, 4);
    const found = statAt(copy.root, AT_FDCWD, "/a/f7", 0);
    assertEquals(typeof found !== "number" && found.size, 1);
    assertEquals(copy.readText(copy.files[0]!, 9), "hello");
  });
});

Deno.test("a copy over the connection of the original goes on beside it", async () => {
  await inTree({}, (lab) => {
    const file = mustOpen(lab.root, "/a/b/c/file", O_RDWR);
    const image = encodeLab(lab, { files: [file], mm: null });
    const copy = new CopiedLab(lab, image, lab.client, false), [twin] = copy.files;
    file.pos = 2;
    assertEquals([lab.write(file, 0, bytes("J")), copy.readText(twin!, 9)], [1, "Jello"]);
    assertEquals([copy.writeText(twin!, "!", 5), text(lab.read(file, 2, 9))], [1, "llo!"]);
    twin!.drop();
    copy.fs.idle.closeOldest(Infinity);
    assertEquals([text(lab.read(file, 0, 9)), file.inode.refresh()], ["Jello!", 0]);
    assertEquals(typeof statAt(lab.root, AT_FDCWD, "/a/other", 0), "object");
    assertEquals(typeof statAt(copy.root, AT_FDCWD, "/a/other", 0), "object");
    copy.end();
    file.drop();
  });
});
