/**
 * Tests of a Gofer's file system in its three modes: round trips, changes by the host, descriptors,
 * mappings.
 */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
} from "../../../ffi/abi/fcntl.ts";
import { MAP_PRIVATE, MAP_SHARED } from "../../../ffi/abi/mman.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { OverlayFs } from "../overlay/overlay_fs.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import { chmodAt, chownPath } from "../../vfs/attributes.ts";
import { linkAt } from "../../vfs/create.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { readlinkAt, statAt } from "../../vfs/status.ts";
import { errno, mustOpen, TestCaller } from "../../vfs/vfs_testing.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { GuestSimulator } from "../../testing/fake_platform.ts";
import { type GoferLab, inTree } from "./gofer_testing.ts";
import { splitNames } from "./split_names.ts";

const text = (bytes: Uint8Array | number): string | number =>
  typeof bytes === "number" ? bytes : new TextDecoder().decode(bytes);
const bytes = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s);

Deno.test("a whole path is one round trip, and a cached path is none", async () => {
  await inTree({}, (lab) => {
    const before = lab.requests;
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0)), "object");
    assertEquals(lab.requests - before, 1);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0)), "object");
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b/c", 0)), "object");
    assertEquals(lab.requests - before, 1);
    const file = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
    assertEquals(text(lab.read(file, 0, 100)), "hello");
    file.drop();
    assertEquals(lab.requests - before, 2);
    for (let i = 0; i < 10; i++) {
      const again = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
      assertEquals(text(lab.read(again, 1, 2)), "el");
      again.drop();
    }
    assertEquals(lab.requests - before, 2);
  });
});

Deno.test("leased: changes by the host are seen when the lease has ended", async () => {
  await inTree({ leaseNs: 1e9 }, (lab, dir) => {
    const look = (path: string) => {
      const inode = statAt(lab.root, AT_FDCWD, path, 0);
      return typeof inode === "number" ? errno(inode) : inode.size;
    };
    lab.host.nowNs += 1e9;
    assertEquals([look("/a/b/c/file"), look("/a/new"), look("/a/other")], [5, "ENOENT", 5]);
    const before = lab.requests;
    for (let i = 0; i < 10; i++) {
      assertEquals([look("/a/b/c/file"), look("/a/new"), look("/a/other")], [5, "ENOENT", 5]);
    }
    assertEquals(lab.requests, before);
    Deno.writeTextFileSync(`${dir}/a/new`, "new");
    Deno.writeTextFileSync(`${dir}/a/b/c/file`, "hello again");
    Deno.removeSync(`${dir}/a/other`);
    lab.host.nowNs += 1e9;
    const after = [11, 3, "ENOENT"];
    assertEquals([look("/a/b/c/file"), look("/a/new"), look("/a/other")], after);
    Deno.renameSync(`${dir}/a/b`, `${dir}/a/d`);
    Deno.writeTextFileSync(`${dir}/a/other`, "is back");
    lab.fs.expire();
    assertEquals([look("/a/b/c/file"), look("/a/d/c/file"), look("/a/other")], ["ENOENT", 11, 7]);
  });
});

Deno.test("leased: changes by the Sentry are seen at once", async () => {
  await inTree({ leaseNs: 1e9 }, (lab) => {
    const look = (path: string) => errno(statAt(lab.root, AT_FDCWD, path, 0));
    assertEquals([look("/a/made"), look("/a/moved")], ["ENOENT", "ENOENT"]);
    mustOpen(lab.root, "/a/made", O_RDWR | O_CREAT).drop();
    assertEquals(look("/a/made"), "object");
    assertEquals(renameAt(lab.root, AT_FDCWD, "/a/made", AT_FDCWD, "/a/moved", 0), 0);
    assertEquals([look("/a/made"), look("/a/moved")], ["ENOENT", "object"]);
    assertEquals(linkAt(lab.root, AT_FDCWD, "/a/moved", AT_FDCWD, "/a/b/linked", 0), 0);
    assertEquals(unlinkAt(lab.root, AT_FDCWD, "/a/moved"), 0);
    assertEquals([look("/a/b/linked"), look("/a/moved")], ["object", "ENOENT"]);
  });
});

Deno.test("leased: a file that the host makes longer is read to its end", async () => {
  await inTree({ leaseNs: 1e9 }, (lab, dir) => {
    const file = mustOpen(lab.root, "/a/b/c/file", O_RDONLY);
    assertEquals(text(lab.read(file, 0, 100)), "hello");
    Deno.writeTextFileSync(`${dir}/a/b/c/file`, " more", { append: true });
    assertEquals(text(lab.read(file, 5, 100)), " more");
    file.drop();
  });
});

Deno.test("a missing name is requested once, wherever in the path it is", async () => {
  await inTree({}, (lab) => {
    const before = lab.requests;
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/no/x/y", 0)), "ENOENT");
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/no/x/y", 0)), "ENOENT");
    assertEquals(lab.requests - before, 1);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/other/x", 0)), "ENOTDIR");
    assertEquals(lab.requests - before, 2);
  });
});

Deno.test("a symbolic link is fetched with its text", async () => {
  await inTree({}, (lab) => {
    const before = lab.requests;
    assertEquals(readlinkAt(lab.root, AT_FDCWD, "/a/link"), "b/c/file");
    assertEquals(lab.requests - before, 1);
    const file = statAt(lab.root, AT_FDCWD, "/a/link", 0);
    assertEquals(typeof file === "number" ? file : file.size, 5);
    assertEquals(lab.requests - before, 2);
  });
});

Deno.test("another description and the host can read written data", async () => {
  await inTree({}, (lab, dir) => {
    const w = mustOpen(lab.root, "/a/new", O_RDWR | O_CREAT);
    assertEquals(lab.write(w, 0, bytes("0123456789")), 10);
    const r = mustOpen(lab.root, "/a/new", O_RDONLY);
    assertEquals(text(lab.read(r, 4, 100)), "456789");
    assertEquals(Deno.readTextFileSync(`${dir}/a/new`), "0123456789");
    const a = mustOpen(lab.root, "/a/new", O_RDWR | O_APPEND);
    assertEquals(lab.write(a, 0, bytes("ab")), 2);
    assertEquals(a.pos, 12);
    assertEquals(w.truncate(3), 0);
    assertEquals(text(lab.read(r, 0, 100)), "012");
    assertEquals([lab.fs.unsyncedFiles, lab.fs.syncFile(), lab.fs.unsyncedFiles], [1, 0, 0]);
    const inode = statAt(lab.root, AT_FDCWD, "/a/new", 0);
    assert(typeof inode !== "number");
    assertEquals(inode.size, 3);
    assertEquals(inode.mtimeSec, Math.floor(Deno.statSync(`${dir}/a/new`).mtime!.getTime() / 1000));
    for (const f of [w, r, a]) f.drop();
  });
});

Deno.test("an unlinked file lives as long as it is open", async () => {
  await inTree({}, (lab) => {
    const f = mustOpen(lab.root, "/a/other", O_RDWR);
    assertEquals(unlinkAt(lab.root, AT_FDCWD, "/a/other"), 0);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/other", 0)), "ENOENT");
    assertEquals(f.inode.refresh(), 0);
    assertEquals(f.inode.nlink, 0);
    assertEquals(lab.write(f, 5, bytes("!")), 1);
    assertEquals(text(lab.read(f, 0, 10)), "other!");
    assertEquals(f.inode.refresh(), 0);
    assertEquals(f.inode.size, 6);
    f.drop();
  });
});

Deno.test("after a rename of a directory above, files without a fid are found", async () => {
  await inTree({}, (lab, dir) => {
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0)), "object");
    assertEquals(renameAt(lab.root, AT_FDCWD, "/a/b", AT_FDCWD, "/q", 0), 0);
    const f = mustOpen(lab.root, "/q/c/file", O_RDWR);
    assertEquals(lab.write(f, 0, bytes("HE")), 2);
    f.drop();
    assertEquals(Deno.readTextFileSync(`${dir}/q/c/file`), "HEllo");
  });
});

Deno.test("a name that the host gave to another file does not lead to the old file", async () => {
  await inTree({}, (lab, dir) => {
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0)), "object");
    Deno.renameSync(`${dir}/a/other`, `${dir}/a/b/c/file`);
    const f = statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0);
    assert(typeof f !== "number");
    assertEquals(errno(f.open(f.fs.rootDentry!, O_RDWR, lab.root.cred, TEST_ACCOUNT)), "ESTALE");
  });
});

Deno.test("in shared mode changes of the host are seen", async () => {
  await inTree({ isExclusive: false }, (lab, dir) => {
    const before = statAt(lab.root, AT_FDCWD, "/a/other", 0);
    assertEquals(typeof before === "number" ? before : before.size, 5);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/later", 0)), "ENOENT");
    Deno.writeTextFileSync(`${dir}/a/other`, "longer now");
    Deno.writeTextFileSync(`${dir}/a/later`, "x");
    lab.host.nowNs += 1e9;
    const after = statAt(lab.root, AT_FDCWD, "/a/other", 0);
    assertEquals(typeof after === "number" ? after : after.size, 10);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/later", 0)), "object");
    Deno.removeSync(`${dir}/a/later`);
    lab.host.nowNs += 1e9;
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/later", 0)), "ENOENT");
  });
});

Deno.test("in shared mode a known path is one round trip, a new owner one", async () => {
  await inTree({ isExclusive: false }, (lab, dir) => {
    const asked = (work: () => unknown) => {
      lab.host.nowNs += 1e9;
      const before = lab.requests;
      work();
      return lab.requests - before;
    };
    const stat = () => statAt(lab.root, AT_FDCWD, "/a/other", 0);
    assertEquals([asked(stat), asked(stat), asked(stat)], [1, 1, 1]);
    // the walk brings the descriptor, once
    const open = () => mustOpen(lab.root, "/a/other", O_RDONLY).drop();
    assertEquals([asked(open), asked(open)], [1, 1]);
    // both paths of a rename keep what was fetched for them
    const from = "/a/other", to = "/a/b/other";
    const rename = (a: string, b: string) => renameAt(lab.root, AT_FDCWD, a, AT_FDCWD, b, 0);
    assertEquals([rename(from, to), rename(to, from)], [0, 0]);
    assertEquals(asked(() => assertEquals(rename(from, to), 0)), 3);
    mustOpen(lab.root, "/a/made", O_CREAT | O_RDWR).drop();
    const file = mustOpen(lab.root, "/a/second", O_CREAT | O_RDWR, 0o600);
    assertEquals(asked(() => mustOpen(lab.root, "/a/third", O_CREAT | O_RDWR).drop()), 2);
    // Only root may give a file of the host away.
    const [uid, gid] = Deno.uid() === 0 ? [1, 2] : [Deno.uid() ?? 0, Deno.gid() ?? 0];
    const chown = () => file.path === null ? -1 : chownPath(lab.root, file.path, uid, gid);
    assertEquals(asked(() => assertEquals(chown(), 0)), 1);
    file.drop();
    assertEquals(Deno.statSync(`${dir}/a/second`).uid, uid);
  });
});

Deno.test("an unnamed file gets a name by linkat", async () => {
  await inTree({}, (lab, dir) => {
    const f = mustOpen(lab.root, "/a", O_TMPFILE | O_RDWR, 0o600);
    assertEquals(lab.write(f, 0, bytes("tmp")), 3);
    const fd = lab.root.files.install(f, false, 100);
    assertEquals(linkAt(lab.root, fd, "", AT_FDCWD, "/a/named", 0x1000), 0);
    assertEquals(Deno.readTextFileSync(`${dir}/a/named`), "tmp");
    lab.root.files.close(fd);
  });
});

Deno.test("a Gofer with few fids has enough of them", async () => {
  await inTree({ isExclusive: false, fidsMax: 60 }, (lab, dir) => {
    for (let i = 0; i < 100; i++) mustOpen(lab.root, `/a/f${i}`, O_CREAT | O_RDWR).drop();
    for (let i = 0; i < 100; i++) {
      assertEquals(chmodAt(lab.root, AT_FDCWD, `/a/f${i}`, 0o600, 0), 0);
      assertEquals((Deno.statSync(`${dir}/a/f${i}`).mode ?? 0) & 0o777, 0o600);
    }
  });
});

Deno.test("descriptors of idle files are bounded, and all are closed at the end", async () => {
  await inTree({ maxIdleFiles: 3 }, (lab, dir) => {
    for (let i = 0; i < 20; i++) Deno.writeTextFileSync(`${dir}/a/f${i}`, `${i}`);
    for (let i = 0; i < 20; i++) {
      const f = mustOpen(lab.root, `/a/f${i}`, O_RDONLY);
      assertEquals(text(lab.read(f, 0, 9)), `${i}`);
      f.drop();
    }
    assertEquals(lab.host.closed, 17);
    lab.fs.destroy();
    assertEquals(lab.host.closed, 20);
  });
});

Deno.test("pages come straight from the host's file, and follow truncation", async () => {
  await inTree({}, (lab, dir) => {
    Deno.writeFileSync(`${dir}/a/pages`, new Uint8Array(3 * 4096).fill(7));
    const mm = new MemoryManager(TEST_ACCOUNT, lab.ctx, lab.ctx.platform.newAddressSpace()!);
    const guest = new GuestSimulator(mm);
    const f = mustOpen(lab.root, "/a/pages", O_RDWR);
    const backing = f.mmap(true, true);
    assert(typeof backing !== "number");
    assertEquals(backing.describe(), "/a/pages");
    const shared = mm.mmap(0, 3 * 4096, 3, MAP_SHARED, backing, 0);
    const own = mm.mmap(0, 3 * 4096, 3, MAP_PRIVATE, backing, 0);
    f.drop();
    assertEquals(guest.read(shared + 4096), 7);
    assertEquals(guest.write(shared + 4096, 9), 0);
    assertEquals(Deno.readFileSync(`${dir}/a/pages`)[4096], 9);
    assertEquals(guest.write(own, 5), 0);
    assertEquals(Deno.readFileSync(`${dir}/a/pages`)[0], 7);
    const g = mustOpen(lab.root, "/a/pages", O_RDWR);
    assertEquals(g.truncate(4096), 0);
    assertEquals(guest.read(shared + 4096), -7);
    assertEquals(guest.read(own), 5);
    g.drop();
    mm.destroy();
  });
});

Deno.test("a dead Gofer gives EIO and nothing else", async () => {
  await inTree({}, (lab) => {
    const f = mustOpen(lab.root, "/a/other", O_RDONLY);
    lab.client.close();
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/a/b", 0)), "EIO");
    assertEquals([lab.fs.unsyncedFiles, errno(lab.fs.syncFile())], [1, "EIO"]);
    assertEquals(text(lab.read(f, 0, 9)), "other");
    f.drop();
  });
});

Deno.test("below an overlay the same round trips are enough", async () => {
  await inTree({}, (lab) => {
    const upper = new TmpfsFs(TEST_ACCOUNT, lab.ctx.frames, lab.vfs, {});
    const overlay = new OverlayFs(lab.fs.root, upper.root, {
      devices: lab.vfs.devices,
      account: TEST_ACCOUNT,
      frames: lab.ctx.frames,
      isPersistent: false,
      stackDepth: 0,
      text: "",
      owned: upper,
      pinned: [],
    });
    const namespace = MountNamespace.of(TEST_ACCOUNT, lab.vfs, overlay, 0, "overlay");
    const at = namespace.rootPath();
    const fs = new FsContext(namespace, at, at, 0o022);
    const root = new TestCaller(new FdTable(TEST_ACCOUNT), fs, rootCredentials(), TEST_ACCOUNT);
    const before = lab.requests;
    assertEquals(errno(statAt(root, AT_FDCWD, "/a/b/c/file", 0)), "object");
    assertEquals(lab.requests - before, 1);
    for (let i = 0; i < 3; i++) {
      const f = mustOpen(root, "/a/b/c/file", O_RDONLY);
      assertEquals(text(lab.read(f, 0, 100)), "hello");
      const backing = f.mmap(false, false);
      assertEquals(typeof backing === "number" ? backing : backing.describe(), "/a/b/c/file");
      f.drop();
    }
    assertEquals(lab.requests - before, 2);
    const w = mustOpen(root, "/a/b/c/file", O_RDWR);
    assertEquals(lab.write(w, 0, bytes("J")), 1);
    assertEquals(text(lab.read(w, 0, 100)), "Jello");
    w.drop();
    const lower = statAt(lab.root, AT_FDCWD, "/a/b/c/file", 0);
    assert(typeof lower !== "number");
    assertEquals(lower.size, 5);
  });
});

/** Names of a directory of the host's tree, as a guest reads them. */
function namesIn(lab: GoferLab, path: string): string[] {
  const dir = mustOpen(lab.root, path, O_RDONLY);
  const names: string[] = [];
  dir.readdir((name) => names.push(name) > 0);
  dir.drop();
  return names.sort();
}

Deno.test("a walk through a tree needs few round trips", async () => {
  await inTree({}, (lab, host) => {
    for (let i = 0; i < 20; i++) {
      Deno.mkdirSync(`${host}/t/${i}/deep`, { recursive: true });
      Deno.writeTextFileSync(`${host}/t/${i}/file`, "x");
    }
    const before = lab.requests;
    for (const name of namesIn(lab, "/t")) {
      if (name.startsWith(".")) continue;
      assertEquals(errno(statAt(lab.root, AT_FDCWD, `/t/${name}`, 0)), "object");
      assertEquals(namesIn(lab, `/t/${name}`), [".", "..", "deep", "file"]);
      assertEquals(errno(statAt(lab.root, AT_FDCWD, `/t/${name}/deep`, 0)), "object");
    }
    assert(lab.requests - before < 10, `${lab.requests - before} requests`);
  });
});

Deno.test("attributes of a listing do not count after a change by the Sentry", async () => {
  await inTree({}, (lab, host) => {
    for (const name of ["x", "y"]) Deno.mkdirSync(`${host}/t/${name}`, { recursive: true });
    assertEquals(namesIn(lab, "/t"), [".", "..", "x", "y"]);
    Deno.chmodSync(`${host}/t/y`, 0o700);
    const other = mustOpen(lab.root, "/a/other", O_RDWR);
    assertEquals(lab.write(other, 0, bytes("J")), 1);
    other.drop();
    const found = statAt(lab.root, AT_FDCWD, "/t/y", 0);
    assertEquals(typeof found === "number" ? found : found.mode & 0o777, 0o700);
  });
});

Deno.test("a walk through a large directory needs few round trips", async () => {
  await inTree({}, (lab, host) => {
    Deno.mkdirSync(`${host}/t`);
    for (let i = 0; i < 1500; i++) Deno.writeTextFileSync(`${host}/t/f${i}`, "x".repeat(i % 5));
    const before = lab.requests;
    for (const name of namesIn(lab, "/t")) {
      if (name.startsWith(".")) continue;
      const found = statAt(lab.root, AT_FDCWD, `/t/${name}`, 0);
      assertEquals(typeof found === "number" ? found : found.size, Number(name.slice(1)) % 5);
    }
    assert(lab.requests - before < 10, `${lab.requests - before} requests`);
  });
});

Deno.test("names of a path up to the first ..", () => {
  assertEquals(splitNames("a//b/./c", 0, 64), ["a", "b", "c"]);
  assertEquals(splitNames("x/a/../b", 2, 64), ["a"]);
  assertEquals(splitNames("/a/b/c/", 0, 2), ["a", "b"]);
  assertEquals(splitNames("", 0, 64), []);
});
