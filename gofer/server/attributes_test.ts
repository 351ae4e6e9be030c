/**
 * Attributes, extended attributes, locks and clunks through a real server and client, in both
 * dialects.
 */

import { assert, assertEquals } from "@std/assert";
import { EBADF, EEXIST, EINVAL, ENODATA, EOPNOTSUPP, ERANGE } from "../../ffi/abi/errno.ts";
import { O_ACCMODE, O_APPEND, O_DIRECT, O_RDONLY, O_RDWR, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../ffi/abi/xattr.ts";
import { Tgetlock, Tlock } from "../client/gofer_client.ts";
import * as C from "../protocol/constants.ts";
import { bind, inBothDialects, inTree, setattr } from "./tree_testing.ts";

const isRoot = Deno.uid() === 0;

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
  const want = Object.assign(new Tlock(), { fid: one, lockType: C.LOCK_TYPE_WRLCK, lengthLo: 10 });
  assertEquals(c.lock(want), -EBADF);
  assertEquals(c.lopen(one, O_RDWR), 0);
  assertEquals(c.lopen(two, O_RDWR), 0);
  assertEquals(c.lock(want), C.LOCK_SUCCESS);
  want.fid = two;
  want.startLo = 5;
  assertEquals(c.lock(want), C.LOCK_BLOCKED);
  const ask = Object.assign(new Tgetlock(), { fid: two, lockType: C.LOCK_TYPE_WRLCK });
  assertEquals(c.getlock(ask), 0);
  assertEquals([c.lockFound.lockType, c.lockFound.lengthLo], [C.LOCK_TYPE_WRLCK, 10]);
  c.clunk(one);
  assertEquals(c.getlock(ask), 0);
  assertEquals(c.lockFound.lockType, C.LOCK_TYPE_UNLCK);
  assertEquals(c.lock(want), C.LOCK_SUCCESS);
  want.lockType = 7;
  assertEquals(c.lock(want), -EINVAL);
});

inBothDialects("locks reach as far as files, and do not ask how the file was opened", (c) => {
  const one = bind(c, "a", "b", "file");
  const two = bind(c, "a", "b", "file");
  assertEquals(c.lopen(one, O_RDONLY), 0);
  assertEquals(c.lopen(two, O_WRONLY), 0);
  const shared = Object.assign(new Tlock(), { fid: one, lockType: C.LOCK_TYPE_RDLCK });
  assertEquals(c.lock(shared), C.LOCK_SUCCESS);
  // flock(LOCK_EX) behind flock(LOCK_SH), on a file that is only read
  assertEquals(c.lock(Object.assign(shared, { lockType: C.LOCK_TYPE_WRLCK })), C.LOCK_SUCCESS);
  const far = { fid: two, startHi: 0x7fffffff, startLo: 0xfffffff0, lengthLo: 4 };
  const want = Object.assign(new Tlock(), far);
  assertEquals(c.lock(want), C.LOCK_BLOCKED);
  c.clunk(one);
  assertEquals(c.lock(want), C.LOCK_SUCCESS);
  const three = bind(c, "a", "b", "file");
  assertEquals(c.lopen(three, O_RDONLY), 0);
  const ask = Object.assign(new Tgetlock(), { fid: three, lockType: C.LOCK_TYPE_WRLCK });
  assertEquals(c.getlock(ask), 0);
  const { startHi, startLo, lengthHi, lengthLo } = c.lockFound;
  assertEquals([startHi, startLo, lengthHi, lengthLo], [0x7fffffff, 0xfffffff0, 0, 4]);
  want.startHi = 0x80000000;
  assertEquals(c.lock(want), -EINVAL);
});

inBothDialects("a file that was opened to be written can be cut, whatever its mode became", (c) => {
  const fid = bind(c, "a", "b", "file");
  assertEquals(c.lopen(fid, O_WRONLY), 0);
  assertEquals(c.setattr(setattr(fid, { valid: C.SETATTR_MODE, mode: 0 })), 0);
  assertEquals(c.setattr(setattr(fid, { valid: C.SETATTR_SIZE, size: 3 })), 0);
  assertEquals(c.getattr(fid), 0);
  assertEquals(c.attr.size, 3);
});

for (const flags of [O_WRONLY | O_APPEND, O_RDWR | O_APPEND, O_RDWR | O_DIRECT]) {
  const name = `a file opened with ${flags.toString(8)} is written where its client may expect`;
  Deno.test(name, async () => {
    await inTree({}, false, (c) => {
      const fid = bind(c, "a", "b", "file");
      assertEquals(c.lopen(fid, flags), 0);
      assertEquals(c.write(fid, 3, new Uint8Array([0x58]), 0, 1), 1);
      const other = bind(c, "a", "b", "file");
      assertEquals(c.lopen(other, O_RDONLY), 0);
      assert(c.read(other, 0, 100) > 0);
      const appends = (flags & O_ACCMODE) === O_WRONLY;
      assertEquals(
        c.data.toByteString(),
        appends ? "content of file\nX" : "conXent of file\n",
      );
    });
  });
}

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
