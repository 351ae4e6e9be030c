/**
 * Every file operation through a real server and client, in dvisor's dialect and in the base
 * protocol.
 */

import { assert, assertEquals } from "@std/assert";
import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EPERM,
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
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, pread, pwrite } from "../../ffi/sys/files.ts";
import {
  type GoferClient,
  NOFID,
  OPEN_NONE,
  STOP_COMPLETE,
  STOP_ERROR,
  STOP_SYMLINK,
} from "../client/gofer_client.ts";
import { list, LIST_ALL, LIST_DIRS, nextEntry, walkList } from "../client/listing.ts";
import * as C from "../protocol/constants.ts";
import { byteStringOf } from "../protocol/wire.ts";
import { bind, entriesOf, inBothDialects, inTree, setattr } from "./tree_testing.ts";
import { withServer } from "./testing.ts";
import { named } from "../../tests/harness/machine.ts";

const UID = Deno.uid() ?? 0;
const GID = Deno.gid() ?? 0;
const isRoot = UID === 0;

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
  assertEquals(c.mkdir(fid, NOFID, "new", 0o755, UID, GID), 0);
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

Deno.test("openFd donates exactly the requested access, and only regular files", async () => {
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
    assertEquals(c.make(0, NOFID, "fifo", S_IFIFO | 0o644, UID, GID), 0);
    assertEquals(c.openFd(bind(c, "fifo"), O_RDONLY), -ENXIO);
  });
});

Deno.test("directories are donated only where the policy allows it", async () => {
  await inTree({ donateDirectories: true }, true, (c) => {
    const fd = c.openFd(bind(c, "a"), O_RDONLY);
    assert(fd >= 0);
    close(fd);
  });
});

Deno.test(
  named("createFd makes a file with mode and owner, exclusively", isRoot ? null : "needs root"),
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
    const fd = c.createFd(0, fid, "", O_RDWR | O_TMPFILE, 0o600, UID, GID);
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
  const fid = c.fids.take();
  assertEquals(c.make(0, fid, "fifo", S_IFIFO | 0o640, UID, GID), 0);
  assert(Deno.lstatSync(`${dir}/fifo`).isFifo);
  assertEquals(c.getattr(fid), 0);
  assertEquals(c.attr.mode, S_IFIFO | 0o640);
  assertEquals(c.make(0, NOFID, "sock", S_IFSOCK | 0o640, UID, GID), 0);
  assert(Deno.lstatSync(`${dir}/sock`).isSocket);
  assertEquals(c.make(0, NOFID, "null", S_IFCHR | 0o666, UID, GID, 1, 3), -EPERM);
  assertEquals(c.make(0, NOFID, "fifo", S_IFIFO | 0o640, UID, GID), -EEXIST);
  if (isDvisor) assertEquals(c.make(0, NOFID, "odd", 0o30000, UID, GID), -EINVAL);
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
  assertEquals(c.mkdir(0, NOFID, name, 0o755, UID, GID), 0);
  assert(entriesOf(c, bind(c), 4000).includes(name));
  const snow = byteStringOf("☃");
  assertEquals(c.mkdir(0, NOFID, snow, 0o755, UID, GID), 0);
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
    assertEquals(c.mkdir(0, NOFID, "z", 0o755, UID, GID), 0);
    assertEquals(c.rename(0, "z", 0, "a", RENAME_NOREPLACE), -EEXIST);
    assertEquals(c.rename(0, "z", 0, "a", RENAME_EXCHANGE), 0);
    assert(Deno.statSync(`${dir}/z/b/file`).isFile);
  });
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
  // every cookie leads to its entry
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
    assertEquals(c.mkdir(empty, NOFID, "e", 0o755, UID, GID), 0);
    assertEquals(c.readdirAttr(bind(c, "e"), 0, 0, 3000), 0);
  });
});

/** The results of `list`, part by part: names with the size where there are attributes, else -1. */
function listAll(c: GoferClient, fid: number, attrs: number): Map<string, number> {
  const found = new Map<string, number>();
  let lo = 0, hi = 0, isEnd = 0;
  while (isEnd === 0) {
    isEnd = list(c, fid, lo, hi, attrs);
    assert(isEnd >= 0, `list: ${isEnd}`);
    while (nextEntry(c)) {
      const { name, hasAttr, attr, offsetLo, offsetHi } = c.entries;
      found.set(name.toByteString(), hasAttr ? attr.size : -1);
      lo = offsetLo;
      hi = offsetHi;
    }
  }
  return found;
}

Deno.test("list reads a directory to its end, with attributes of some or of all", async () => {
  await inTree({}, true, (c, dir) => {
    Deno.mkdirSync(`${dir}/big/sub`, { recursive: true });
    for (let i = 0; i < 3000; i++) {
      Deno.writeTextFileSync(`${dir}/big/${"y".repeat(100)}${i}`, "x".repeat(i % 7));
    }
    const fid = bind(c, "big");
    for (const attrs of [LIST_DIRS, LIST_ALL]) {
      const found = listAll(c, fid, attrs);
      assertEquals(found.size, 3003);
      assertEquals([found.get("."), found.get("..")], [-1, -1]);
      assert(found.get("sub")! > 0);
      assertEquals(found.get(`${"y".repeat(100)}2995`), attrs === LIST_ALL ? 2995 % 7 : -1);
    }
    assertEquals(list(c, fid, 0, 0, 3), -EINVAL);
    assertEquals(list(c, bind(c, "a", "b", "file"), 0, 0, LIST_ALL), -ENOTDIR);
    Deno.removeSync(`${dir}/big`, { recursive: true });
    assertEquals(listAll(c, fid, LIST_ALL).size, 0, "a directory that is gone");
  });
});

Deno.test("walkList binds and lists in one request, and returns the error", async () => {
  await inTree({}, true, (c) => {
    const out = { walked: 0, listed: 0 };
    const fid = c.fids.take();
    walkList(c, 0, fid, ["a", "b"], LIST_DIRS, out);
    assertEquals(out, { walked: 2, listed: 1 });
    const names: string[] = [];
    while (nextEntry(c)) names.push(c.entries.name.toByteString());
    assertEquals(names.sort(), [".", "..", "file"]);
    assertEquals(c.getattr(fid), 0);
    walkList(c, 0, 100, ["nothing", "x"], LIST_DIRS, out);
    assertEquals(out.walked, 0);
    assertEquals(c.walk.ecode, ENOENT);
    walkList(c, 0, 101, ["a", "b", "file"], LIST_DIRS, out);
    assertEquals(out, { walked: 3, listed: -ENOTDIR });
    walkList(c, 77, 102, ["a"], LIST_DIRS, out);
    assertEquals(out, { walked: -EBADF, listed: -EBADF });
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
  assertEquals(
    c.create(0, made, "made", O_RDWR | O_CREAT | O_EXCL, 0o640, UID, GID),
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
  assertEquals(c.create(0, c.fids.take(), "made", O_RDWR | O_EXCL, 0o640, UID, 0), -EEXIST);
  assertEquals(c.fsync(bind(c, "a"), false), 0);
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

Deno.test("a root may be a single file", async () => {
  await inTree({}, true, async (_c, dir) => {
    const roots = [{ path: `${dir}/a/b/file`, isReadOnly: true }];
    await withServer({ roots }, {}, (c) => {
      assertEquals(c.getattr(0), 0);
      assertEquals([c.attr.mode & S_IFMT, c.attr.size], [S_IFREG, 16]);
      assertEquals(c.walkGetattr(0, NOFID, [".."]), 0);
      assertEquals(c.openFd(0, O_RDWR), -EROFS);
      const fd = c.openFd(0, O_RDONLY);
      assert(fd >= 0);
      close(fd);
    });
  });
});

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
