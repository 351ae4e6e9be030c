// Every file operation through a real server and client, in dvisor's dialect and in the base protocol.

import { assert, assertEquals } from "@std/assert";
import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  EROFS,
} from "../../ffi/abi/errno.ts";
import {
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
} from "../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "../../ffi/abi/stat.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../ffi/abi/xattr.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, pread, pwrite } from "../../ffi/sys/files.ts";
import {
  type GoferClient,
  NOFID,
  OPEN_NONE,
  STOP_COMPLETE,
  STOP_ERROR,
  STOP_SYMLINK,
  Tgetlock,
  Tlock,
  Tsetattr,
} from "../client/gofer_client.ts";
import * as C from "../protocol/constants.ts";
import { byteStringOf } from "../protocol/wire.ts";
import { withServer, type WorkerOrder } from "./testing.ts";

const isRoot = Deno.uid() === 0;

/** Runs a test in both dialects, each in a fresh directory. */
function inBothDialects(
  name: string,
  body: (c: GoferClient, dir: string, isDvisor: boolean) => void,
): void {
  for (const offersExtension of [true, false]) {
    const dialect = offersExtension ? "dvisor's dialect" : "the base protocol";
    Deno.test(`${name} (${dialect})`, async () => {
      await inTree({}, offersExtension, (c, dir) => body(c, dir, offersExtension));
    });
  }
}

async function inTree(
  order: Partial<WorkerOrder>,
  offersExtension: boolean,
  body: (c: GoferClient, dir: string) => void,
  isReadOnly = false,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    Deno.mkdirSync(`${dir}/a/b`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/a/b/file`, "content of file\n");
    Deno.symlinkSync("b/file", `${dir}/a/link`);
    Deno.symlinkSync("/etc", `${dir}/a/etc`);
    const roots = [{ path: dir, isReadOnly }];
    const report = await withServer({ ...order, roots }, { offersExtension }, (c) => body(c, dir));
    assertEquals(report, "");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Binds a new fid to a path. */
function bind(c: GoferClient, ...names: string[]): number {
  const fid = c.fids.take();
  assertEquals(c.walkGetattr(0, fid, names), Math.max(1, names.length));
  assertEquals(c.walk.stop, STOP_COMPLETE);
  return fid;
}

function setattr(fid: number, fields: Partial<Tsetattr>): Tsetattr {
  return Object.assign(new Tsetattr(), { fid }, fields);
}

function entriesOf(c: GoferClient, fid: number, count: number): string[] {
  const names: string[] = [];
  let lo = 0;
  let hi = 0;
  for (;;) {
    const n = c.readdir(fid, lo, hi, count);
    assert(n >= 0, `readdir: ${n}`);
    if (n === 0) return names;
    while (c.entries.next()) {
      names.push(c.entries.name.toByteString());
      lo = c.entries.offsetLo;
      hi = c.entries.offsetHi;
    }
  }
}

inBothDialects("a walk returns the attributes of every component", (c) => {
  assertEquals(c.walkGetattr(0, NOFID, ["a", "b", "file"]), 3);
  assertEquals(c.walk.stop, STOP_COMPLETE);
  assert(c.walk.at(0).qid.isDirectory && c.walk.at(1).qid.isDirectory);
  assertEquals(c.walk.at(2).mode & S_IFMT, S_IFREG);
  assertEquals(c.walk.at(2).size, 16);
  const qid = c.walk.at(2).qid.path;
  const fid = bind(c, "a", "b", "file");
  assertEquals(c.getattr(fid), 0);
  assertEquals(c.attr.qid.path, qid);
  assertEquals(c.walkGetattr(fid, NOFID, []), 1);
  assertEquals(c.walk.at(0).size, 16);
});

inBothDialects("a walk stops at a symlink with its target, and at what is missing", (c) => {
  assertEquals(c.walkGetattr(0, NOFID, ["a", "etc", "passwd"]), 2);
  assertEquals(c.walk.stop, STOP_SYMLINK);
  assertEquals(c.walk.target.toByteString(), "/etc");
  assertEquals(c.walkGetattr(0, NOFID, ["a", "link"]), 2);
  assertEquals(c.walk.stop, STOP_COMPLETE);
  assertEquals(c.walk.target.toByteString(), "b/file");
  assertEquals(c.walkGetattr(0, NOFID, ["a", "gone", "x"]), 1);
  assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, ENOENT]);
  assertEquals(c.walkGetattr(0, NOFID, ["gone"]), 0);
  assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, ENOENT]);
  assertEquals(c.walkGetattr(0, NOFID, ["a", "b", "file", "x"]), 3);
  assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, ENOTDIR]);
});

inBothDialects("a partial walk binds the last component it reached", (c) => {
  const fid = c.fids.take();
  assertEquals(c.walkGetattr(0, fid, ["a", "b", "new"]), 2);
  assertEquals(c.mkdir(fid, NOFID, "new", 0o755, 0, 0), 0);
  assertEquals(c.walkGetattr(0, NOFID, ["a", "b", "new"]), 3);
});

Deno.test("a walk opens its last file in the same request", async () => {
  await inTree({}, true, (c) => {
    assertEquals(c.walkGetattr(0, NOFID, ["a", "b", "file"], 0, O_RDONLY), 3);
    assertEquals(c.walk.openEcode, 0);
    const fd = c.takeFd();
    const buffer = allocBuffer(128);
    assertEquals(pread(fd, addressOf(buffer), 128, 0), 16);
    assertEquals(pwrite(fd, addressOf(buffer), 1, 0), -EBADF);
    close(fd);
    assertEquals(c.walkGetattr(0, NOFID, ["a", "link"], 0, O_RDONLY), 2);
    assertEquals([c.walk.openEcode, c.takeFd()], [ELOOP, -1]);
    assertEquals(c.walkGetattr(0, NOFID, ["a", "gone"], 0, O_RDONLY), 1);
    assertEquals([c.walk.hasFd, c.takeFd()], [false, -1]);
  });
});

Deno.test("openFd donates exactly the access asked for, and only regular files", async () => {
  await inTree({}, true, (c, dir) => {
    const fid = bind(c, "a", "b", "file");
    const buffer = allocBuffer(128);
    const fd = c.openFd(fid, O_WRONLY | O_TRUNC);
    assert(fd >= 0);
    assertEquals(c.attr.size, 0);
    assertEquals(pwrite(fd, addressOf(buffer), 5, 100), 5);
    assertEquals(pread(fd, addressOf(buffer), 5, 0), -EBADF);
    close(fd);
    assertEquals(Deno.statSync(`${dir}/a/b/file`).size, 105);
    assertEquals(c.openFd(bind(c, "a"), O_RDONLY), -EACCES);
    assertEquals(c.openFd(bind(c, "a", "link"), O_RDONLY), -ELOOP);
    assertEquals(c.openFd(fid, 3), -EINVAL);
    assertEquals(c.openFd(fid, 0o40000000), -EINVAL);
    assertEquals(c.openFd(999, O_RDONLY), -EBADF);
    assertEquals(c.make(0, NOFID, "fifo", S_IFIFO | 0o644, 0, 0), 0);
    assertEquals(c.openFd(bind(c, "fifo"), O_RDONLY), -ENXIO);
  });
});

Deno.test("directories are donated only where the server was told to", async () => {
  await inTree({ donateDirectories: true }, true, (c) => {
    const fd = c.openFd(bind(c, "a"), O_RDONLY);
    assert(fd >= 0);
    close(fd);
  });
});

Deno.test(
  "createFd makes a file with mode and owner, exclusively",
  { ignore: !isRoot },
  async () => {
    await inTree({}, true, (c, dir) => {
      const fid = c.fids.take();
      const fd = c.createFd(0, fid, "new", O_RDWR, 0o6754, 1234, 4321);
      assert(fd >= 0, `createFd: ${fd}`);
      close(fd);
      assertEquals([c.attr.mode, c.attr.uid, c.attr.gid], [S_IFREG | 0o6754, 1234, 4321]);
      const st = Deno.statSync(`${dir}/new`);
      assertEquals([(st.mode ?? 0) & 0o7777, st.uid, st.gid], [0o6754, 1234, 4321]);
      assertEquals(c.getattr(fid), 0);
      assertEquals(c.attr.uid, 1234);
      assertEquals(c.createFd(0, NOFID, "new", O_RDWR, 0o644, 0, 0), -EEXIST);
      Deno.symlinkSync("/etc/hostname", `${dir}/dangling`);
      assertEquals(c.createFd(0, NOFID, "dangling", O_RDWR, 0o644, 0, 0), -EEXIST);
    });
  },
);

Deno.test("an unnamed file can be given a name later", async () => {
  await inTree({}, true, (c, dir) => {
    const fid = c.fids.take();
    const fd = c.createFd(0, fid, "", O_RDWR | O_TMPFILE, 0o600, Deno.uid() ?? 0, Deno.gid() ?? 0);
    assert(fd >= 0, `createFd: ${fd}`);
    assertEquals(pwrite(fd, addressOf(allocBuffer(128)), 7, 0), 7);
    close(fd);
    assertEquals(c.link(0, fid, "named"), 0);
    assertEquals(Deno.statSync(`${dir}/named`).size, 7);
  });
});

inBothDialects("a set-group-ID directory does not change the owner asked for", (c, dir) => {
  if (!isRoot) return;
  Deno.chownSync(`${dir}/a`, 0, 777);
  Deno.chmodSync(`${dir}/a`, 0o2777);
  const a = bind(c, "a");
  assertEquals(c.mkdir(a, NOFID, "d", 0o751, 5, 6), 0);
  assertEquals([c.attr.mode & 0o7777, c.attr.uid, c.attr.gid], [0o751, 5, 6]);
  assertEquals(c.make(a, NOFID, "f", S_IFREG | 0o2711, 5, 6), 0);
  assertEquals([c.attr.mode & 0o7777, c.attr.uid, c.attr.gid], [0o2711, 5, 6]);
  assertEquals(c.symlink(a, NOFID, "l", "anywhere", 5, 6), 0);
  const st = Deno.lstatSync(`${dir}/a/l`);
  assertEquals([st.uid, st.gid, Deno.readLinkSync(`${dir}/a/l`)], [5, 6, "anywhere"]);
});

inBothDialects("make makes nodes but no devices", (c, dir, isDvisor) => {
  const uid = Deno.uid() ?? 0;
  const gid = Deno.gid() ?? 0;
  const fid = c.fids.take();
  assertEquals(c.make(0, fid, "fifo", S_IFIFO | 0o640, uid, gid), 0);
  assert(Deno.lstatSync(`${dir}/fifo`).isFifo);
  assertEquals(c.getattr(fid), 0);
  assertEquals(c.attr.mode, S_IFIFO | 0o640);
  assertEquals(c.make(0, NOFID, "sock", S_IFSOCK | 0o640, uid, gid), 0);
  assert(Deno.lstatSync(`${dir}/sock`).isSocket);
  assertEquals(c.make(0, NOFID, "null", S_IFCHR | 0o666, uid, gid, 1, 3), -EPERM);
  assertEquals(c.make(0, NOFID, "fifo", S_IFIFO | 0o640, uid, gid), -EEXIST);
  if (isDvisor) assertEquals(c.make(0, NOFID, "odd", 0o30000, uid, gid), -EINVAL);
});

inBothDialects("names that are no single component are refused everywhere", (c) => {
  const long = "n".repeat(256);
  for (
    const [name, errno] of [["a/b", EINVAL], [".", EINVAL], ["..", EINVAL], ["", ENOENT]] as const
  ) {
    assertEquals(c.mkdir(0, NOFID, name, 0o755, 0, 0), -errno, name);
    assertEquals(c.unlink(0, name, 0), -errno, name);
    assertEquals(c.rename(0, "a", 0, name), -errno, name);
    assertEquals(c.rename(0, name, 0, "a"), -errno, name);
    assertEquals(c.link(0, bind(c, "a", "b", "file"), name), -errno, name);
  }
  assertEquals(c.mkdir(0, NOFID, "x\0y", 0o755, 0, 0), -EINVAL);
  assertEquals(c.mkdir(0, NOFID, long, 0o755, 0, 0), -36);
  for (const name of ["a/b", "a\0"]) {
    assertEquals(c.walkGetattr(0, NOFID, [name]), 0);
    assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, EINVAL]);
  }
});

inBothDialects("names are bytes", (c, dir) => {
  const name = "caf\xe9\xff";
  assertEquals(c.mkdir(0, NOFID, name, 0o755, Deno.uid() ?? 0, Deno.gid() ?? 0), 0);
  assert(entriesOf(c, bind(c), 4000).includes(name));
  const snow = byteStringOf("☃");
  assertEquals(c.mkdir(0, NOFID, snow, 0o755, Deno.uid() ?? 0, Deno.gid() ?? 0), 0);
  assert(Deno.statSync(`${dir}/☃`).isDirectory);
});

inBothDialects("rename, link and unlink", (c, dir) => {
  const a = bind(c, "a");
  const file = bind(c, "a", "b", "file");
  assertEquals(c.link(a, file, "hard"), 0);
  assertEquals(Deno.statSync(`${dir}/a/hard`).nlink, 2);
  assertEquals(c.rename(a, "hard", 0, "moved"), 0);
  assertEquals(c.getattr(file), 0);
  assertEquals(c.attr.nlink, 2);
  assertEquals(c.unlink(0, "moved", 0), 0);
  assertEquals(c.unlink(0, "moved", 0), -ENOENT);
  assertEquals(c.unlink(a, "b", C.UNLINK_REMOVEDIR), -ENOTEMPTY);
  assertEquals(c.unlink(a, "b", 0), -EISDIR);
  assertEquals(c.unlink(a, "b", 1), -EINVAL);
  assertEquals(c.rename(0, "nothing", 0, "x"), -ENOENT);
});

Deno.test("rename takes renameat2's flags", async () => {
  await inTree({}, true, (c, dir) => {
    assertEquals(c.rename(0, "a", 0, "a", 64), -EINVAL);
    assertEquals(c.mkdir(0, NOFID, "z", 0o755, Deno.uid() ?? 0, Deno.gid() ?? 0), 0);
    assertEquals(c.rename(0, "z", 0, "a", RENAME_NOREPLACE), -EEXIST);
    assertEquals(c.rename(0, "z", 0, "a", RENAME_EXCHANGE), 0);
    assert(Deno.statSync(`${dir}/z/b/file`).isFile);
  });
});

inBothDialects("setattr sets mode, size, owner and times", (c, dir) => {
  const fid = bind(c, "a", "b", "file");
  const path = `${dir}/a/b/file`;
  assertEquals(c.setattr(setattr(fid, { valid: C.SETATTR_SIZE, size: 1e6 })), 0);
  assertEquals(Deno.statSync(path).size, 1e6);
  assertEquals(c.setattr(setattr(fid, { valid: C.SETATTR_MODE, mode: 0o4701 })), 0);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o7777, 0o4701);
  const times = C.SETATTR_ATIME | C.SETATTR_ATIME_SET | C.SETATTR_MTIME | C.SETATTR_MTIME_SET;
  const when = { atimeSec: -86400, atimeNsec: 5, mtimeSec: 2 ** 33, mtimeNsec: 999_999_999 };
  assertEquals(c.setattr(setattr(fid, { valid: times, ...when })), 0);
  assertEquals(c.getattr(fid), 0);
  assertEquals([c.attr.atimeSec, c.attr.atimeNsec], [-86400, 5]);
  assertEquals([c.attr.mtimeSec, c.attr.mtimeNsec], [2 ** 33, 999_999_999]);
  assertEquals(c.setattr(setattr(fid, { valid: times, mtimeNsec: 1e9 })), -EINVAL);
  assertEquals(c.setattr(setattr(fid, { valid: C.SETATTR_MTIME })), 0);
  assertEquals(c.getattr(fid), 0);
  assert(Math.abs(c.attr.mtimeSec - Date.now() / 1000) < 100);
  assertEquals(c.attr.atimeSec, -86400);
  assertEquals(c.setattr(setattr(fid, { valid: 0x200 })), -EINVAL);
  assertEquals(c.setattr(setattr(bind(c, "a"), { valid: C.SETATTR_SIZE })), -EINVAL);
  if (!isRoot) return;
  const link = bind(c, "a", "link");
  const valid = C.SETATTR_UID | C.SETATTR_GID;
  assertEquals(c.setattr(setattr(link, { valid, uid: 71, gid: 72 })), 0);
  const st = Deno.lstatSync(`${dir}/a/link`);
  assertEquals([st.uid, st.gid, Deno.statSync(path).uid], [71, 72, 0]);
});

inBothDialects("readdir reads everything with small buffers, seeks and goes on", (c, dir) => {
  const want = [".", ".."];
  Deno.mkdirSync(`${dir}/big`);
  for (let i = 0; i < 300; i++) {
    const name = `${i}-${"x".repeat(i % 200)}`;
    Deno.writeTextFileSync(`${dir}/big/${name}`, "");
    want.push(name);
  }
  want.sort();
  for (const count of [330, 1000, 60000]) {
    assertEquals(entriesOf(c, bind(c, "big"), count).sort(), want, `count ${count}`);
  }
  const fid = bind(c, "big");
  assertEquals(entriesOf(c, fid, 5000).sort(), want);
  assertEquals(entriesOf(c, fid, 5000).sort(), want);
  assertEquals(c.readdir(fid, 0, 0, 10), -EINVAL);
  // every cookie leads back to its place
  const n = c.readdir(fid, 0, 0, 4000);
  assert(n > 0);
  const cookies: [number, number][] = [];
  const names: string[] = [];
  while (c.entries.next()) {
    cookies.push([c.entries.offsetLo, c.entries.offsetHi]);
    names.push(c.entries.name.toByteString());
  }
  for (const i of [10, 3, 7]) {
    const [lo, hi] = cookies[i] ?? [0, 0];
    assert(c.readdir(fid, lo, hi, 4000) > 0);
    assert(c.entries.next());
    assertEquals(c.entries.name.toByteString(), names[i + 1]);
  }
  assertEquals(c.readdir(bind(c, "a", "b", "file"), 0, 0, 4000), -ENOTDIR);
});

Deno.test("readdirAttr brings attributes and no dots", async () => {
  await inTree({}, true, (c, dir) => {
    for (let i = 0; i < 100; i++) Deno.writeTextFileSync(`${dir}/a/b/f${i}`, "x".repeat(i));
    const fid = bind(c, "a", "b");
    const sizes = new Map<string, number>();
    let lo = 0;
    let hi = 0;
    while (c.readdirAttr(fid, lo, hi, 3000) > 0) {
      while (c.entries.next()) {
        sizes.set(c.entries.name.toByteString(), c.entries.attr.size);
        lo = c.entries.offsetLo;
        hi = c.entries.offsetHi;
      }
    }
    assertEquals(sizes.size, 101);
    assertEquals(sizes.get("f99"), 99);
    const empty = bind(c);
    assertEquals(c.mkdir(empty, NOFID, "e", 0o755, Deno.uid() ?? 0, Deno.gid() ?? 0), 0);
    assertEquals(c.readdirAttr(bind(c, "e"), 0, 0, 3000), 0);
  });
});

inBothDialects("lopen, read, write and create move data through messages", (c, dir) => {
  const fid = bind(c, "a", "b", "file");
  assertEquals(c.read(fid, 0, 10), -EBADF);
  assertEquals(c.lopen(fid, O_RDWR), 0);
  assertEquals(c.lopen(fid, O_RDWR), -EINVAL);
  assertEquals(c.read(fid, 3, 100), 13);
  assertEquals(c.data.toByteString(), "tent of file\n");
  assertEquals(c.read(fid, 1000, 100), 0);
  assertEquals(c.write(fid, 2 ** 32, new Uint8Array([1, 2, 3]), 1, 2), 2);
  assertEquals(Deno.statSync(`${dir}/a/b/file`).size, 2 ** 32 + 2);
  const made = c.fids.take();
  const uid = Deno.uid() ?? 0;
  assertEquals(
    c.create(0, made, "made", O_RDWR | O_CREAT | O_EXCL, 0o640, uid, Deno.gid() ?? 0),
    0,
  );
  const bytes = new Uint8Array(300_000).map((_, i) => i);
  let done = 0;
  while (done < bytes.length) {
    const n = c.write(made, done, bytes, done, bytes.length - done);
    assert(n > 0);
    done += n;
  }
  assertEquals(Deno.readFileSync(`${dir}/made`), bytes);
  assertEquals(c.fsync(made, true), 0);
  assertEquals(c.create(0, c.fids.take(), "made", O_RDWR | O_EXCL, 0o640, uid, 0), -EEXIST);
  assertEquals(c.fsync(bind(c, "a"), false), 0);
});

inBothDialects("extended attributes are set, listed, read and removed", (c) => {
  const fid = bind(c, "a", "b", "file");
  const value = new Uint8Array([0, 1, 255, 0]);
  const set = c.setxattr(fid, "user.one", value, XATTR_CREATE);
  if (set === -EOPNOTSUPP) return; // a tmpfs without user attributes
  assertEquals(set, 0);
  assertEquals(c.getxattr(fid, "user.one"), value);
  assertEquals(c.getxattr(fid, "user.one", 3), -ERANGE);
  assertEquals(c.getxattr(fid, "user.two"), -ENODATA);
  assertEquals(c.setxattr(fid, "user.one", value, XATTR_CREATE), -EEXIST);
  assertEquals(c.setxattr(fid, "user.two", value, XATTR_REPLACE), -ENODATA);
  assertEquals(c.setxattr(fid, "user.two", new Uint8Array(0), 0), 0);
  const names = c.listxattr(fid);
  assert(Array.isArray(names) && names.includes("user.one") && names.includes("user.two"));
  assertEquals(c.removexattr(fid, "user.one"), 0);
  assertEquals(c.removexattr(fid, "user.one"), -ENODATA);
  assertEquals(c.setxattr(fid, "trusted.overlay.opaque", value, 0), -EOPNOTSUPP);
  assertEquals(c.getxattr(fid, "system.nfs4_acl"), -EOPNOTSUPP);
});

inBothDialects("locks of two open fids exclude each other", (c) => {
  const one = bind(c, "a", "b", "file");
  const two = bind(c, "a", "b", "file");
  const want = Object.assign(new Tlock(), { fid: one, lockType: C.LOCK_TYPE_WRLCK, length: 10 });
  assertEquals(c.lock(want), -EBADF);
  assertEquals(c.lopen(one, O_RDWR), 0);
  assertEquals(c.lopen(two, O_RDWR), 0);
  assertEquals(c.lock(want), C.LOCK_SUCCESS);
  want.fid = two;
  want.start = 5;
  assertEquals(c.lock(want), C.LOCK_BLOCKED);
  const ask = Object.assign(new Tgetlock(), { fid: two, lockType: C.LOCK_TYPE_WRLCK });
  assertEquals(c.getlock(ask), 0);
  assertEquals([c.lockFound.lockType, c.lockFound.length], [C.LOCK_TYPE_WRLCK, 10]);
  c.clunk(one);
  assertEquals(c.getlock(ask), 0);
  assertEquals(c.lockFound.lockType, C.LOCK_TYPE_UNLCK);
  assertEquals(c.lock(want), C.LOCK_SUCCESS);
  want.lockType = 7;
  assertEquals(c.lock(want), -EINVAL);
});

inBothDialects("statfs, readlink and the order of clunks", (c) => {
  assertEquals(c.statfs(0), 0);
  assert(c.statfsResult.blocks > 0 && c.statfsResult.namelen >= 255);
  assertEquals(c.readlink(bind(c, "a", "link")), "b/file");
  assertEquals(c.readlink(bind(c, "a")), -EINVAL);
  for (let i = 0; i < 5000; i++) {
    const fid = bind(c, "a", "b");
    c.clunk(fid);
  }
  assert(c.fids.used < 10);
  const fid = bind(c, "a");
  c.clunk(fid);
  assertEquals(c.getattr(fid), -EBADF);
});

for (const offersExtension of [true, false]) {
  Deno.test(`a read-only root refuses every change (extension ${offersExtension})`, async () => {
    await inTree({}, offersExtension, (c, dir) => {
      const a = bind(c, "a");
      const file = bind(c, "a", "b", "file");
      assertEquals(c.mkdir(a, NOFID, "x", 0o755, 0, 0), -EROFS);
      assertEquals(c.symlink(a, NOFID, "x", "y", 0, 0), -EROFS);
      assertEquals(c.make(a, NOFID, "x", S_IFIFO, 0, 0), -EROFS);
      assertEquals(c.link(a, file, "x"), -EROFS);
      assertEquals(c.rename(a, "link", a, "x"), -EROFS);
      assertEquals(c.unlink(a, "link", 0), -EROFS);
      assertEquals(c.setattr(setattr(file, { valid: C.SETATTR_MODE, mode: 0 })), -EROFS);
      assertEquals(c.setxattr(file, "user.x", new Uint8Array(1), 0), -EROFS);
      assertEquals(c.create(a, c.fids.take(), "x", O_RDWR, 0o644, 0, 0), -EROFS);
      assertEquals(c.lopen(file, O_RDWR), -EROFS);
      assertEquals(c.lopen(file, O_RDONLY | O_TRUNC), -EROFS);
      if (offersExtension) {
        assertEquals(c.openFd(file, O_WRONLY), -EROFS);
        assertEquals(c.createFd(a, NOFID, "x", O_RDWR, 0o644, 0, 0), -EROFS);
        assertEquals(c.removexattr(file, "user.x"), -EROFS);
        assertEquals(c.walkGetattr(a, NOFID, ["b", "file"], 0, O_RDWR), 2);
        assertEquals(c.walk.openEcode, EROFS);
      }
      assertEquals(c.lopen(file, O_RDONLY), 0);
      assertEquals(c.read(file, 0, 7), 7);
      assertEquals([...Deno.readDirSync(`${dir}/a`)].length, 3);
    }, true);
  });
}

Deno.test("a client is held to its number of fids", async () => {
  await inTree({ fidsMax: 5 }, true, (c) => {
    const fids = [1, 2, 3, 4].map(() => bind(c, "a"));
    assertEquals(c.walkGetattr(0, 77, ["a"]), -24);
    assertEquals(c.walkGetattr(0, NOFID, ["a"], 0, OPEN_NONE), 1);
    c.clunk(fids[0] ?? 0);
    assertEquals(c.walkGetattr(0, 77, ["a"]), 1);
  });
});

Deno.test("a walk's answer fits the smallest message of the extension", async () => {
  await inTree({ msizeMax: 16384 }, true, (c, dir) => {
    const deep = Array.from({ length: 64 }, (_, i) => `d${i}`);
    Deno.mkdirSync(`${dir}/${deep.join("/")}`, { recursive: true });
    const last = deep.slice(0, 63);
    Deno.symlinkSync("t".repeat(4000), `${dir}/${last.join("/")}/link`);
    assert(c.canDonate);
    assertEquals(c.walkGetattr(0, NOFID, deep), 64);
    assertEquals(c.walkGetattr(0, NOFID, [...last, "link"]), 64);
    assertEquals(c.walk.target.len, 4000);
  });
  await inTree({ msizeMax: 8192 }, true, (c) => assertEquals(c.canDonate, false));
});
