import { assertEquals } from "@std/assert";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from "../../../ffi/abi/fcntl.ts";
import * as M from "../../../ffi/abi/mount.ts";
import * as S from "../../../ffi/abi/statmount.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab, LabTmpfs } from "../../testing/call_lab.ts";
import { sysClose } from "../io/descriptors.ts";
import { sysMountSetattr } from "./mount_attributes.ts";
import * as context from "./mount_context.ts";
import { sysListmount, sysStatmount } from "./mount_query.ts";
import { sysMoveMount, sysOpenTree } from "./mount_tree.ts";
import { sysMkdir } from "./names.ts";

const BAD = 8, REQUEST = 0, ATTR = 512, OUT = 4096, CWD = AT_FDCWD + 2 ** 32;
type Argument = number | string;

class MountLab extends CallLab {
  constructor() {
    super();
    this.kernel.fsTypes.register(new LabTmpfs(this.kernel));
    for (const name of ["/a", "/b"]) this.call(sysMkdir, name, 0o755);
  }
  open(): number {
    return Number(this.call(context.sysFsopen, "tmpfs", 0));
  }
  config(fd: number, command: number, key: Argument = 0, value: Argument = 0, aux = 0) {
    return this.call(context.sysFsconfig, fd, command, key, value, aux);
  }
  /** A descriptor of a mount that is not attached. */
  detached(attributes = 0): number {
    const fd = this.open();
    this.config(fd, M.FSCONFIG_CMD_CREATE);
    return Number(this.call(context.sysFsmount, fd, 0, attributes));
  }
  attach(mount: number, path: string): number | string {
    return this.call(sysMoveMount, mount, "", CWD, path, M.MOVE_MOUNT_F_EMPTY_PATH);
  }
  change(path: string, set: number, clear: number, propagation = 0, flags = 0) {
    const attr = this.words(64, ATTR, set, clear, propagation, 0);
    return this.call(sysMountSetattr, CWD, path, flags, attr, 32);
  }
  /** The address of a request about a mount. */
  request(id: number, param: number, size = 24): number {
    const at = this.words(64, REQUEST, 0, id, param);
    this.words(32, REQUEST, size, 0);
    return at;
  }
  /** Without any capability. */
  weaken(): void {
    this.task.cred = { ...this.task.cred, effective: NO_CAPS };
  }
}

Deno.test("fsopen, fsconfig and fsmount: arguments, phases, a mount that is attached", () => {
  const lab = new MountLab(), { sysFsopen, sysFsmount } = context;
  assertEquals(lab.call(sysFsopen, "tmpfs", 2), "EINVAL");
  assertEquals([lab.call(sysFsopen, BAD, 0), lab.call(sysFsopen, "none", 0)], ["EFAULT", "ENODEV"]);
  const fd = lab.open(), dir = Number(lab.call(sysOpenTree, CWD, "/", 0));
  const wrong: readonly [number, Argument, Argument, number, string][] = [
    [99, 0, 0, 0, "EOPNOTSUPP"],
    [M.FSCONFIG_SET_FLAG, 0, 0, 0, "EINVAL"],
    [M.FSCONFIG_SET_FLAG, "ro", "x", 0, "EINVAL"],
    [M.FSCONFIG_SET_STRING, "size", 0, 0, "EINVAL"],
    [M.FSCONFIG_SET_STRING, BAD, "1", 0, "EFAULT"],
    [M.FSCONFIG_SET_STRING, "size", BAD, 0, "EFAULT"],
    [M.FSCONFIG_SET_STRING, "x".repeat(300), "1", 0, "EINVAL"],
    [M.FSCONFIG_SET_BINARY, "a", "b", 0, "EINVAL"],
    [M.FSCONFIG_SET_PATH, "a", "b", -5 >>> 0, "EINVAL"],
    [M.FSCONFIG_SET_FD, "a", 0, 1, "EINVAL"],
    [M.FSCONFIG_CMD_CREATE, "a", 0, 0, "EINVAL"],
    [M.FSCONFIG_CMD_RECONFIGURE, 0, 0, 0, "EBUSY"],
  ];
  for (const [command, key, value, aux, error] of wrong) {
    assertEquals(lab.config(fd, command, key, value, aux), error, `${command} ${key}`);
  }
  assertEquals(lab.config(-1 >>> 0, M.FSCONFIG_CMD_CREATE), "EINVAL");
  assertEquals(lab.config(99, M.FSCONFIG_CMD_CREATE), "EBADF");
  assertEquals(lab.config(fd, M.FSCONFIG_SET_STRING, "source", "name"), 0);
  assertEquals(lab.config(fd, M.FSCONFIG_SET_STRING, "source", "name"), "EINVAL");
  assertEquals(lab.config(fd, M.FSCONFIG_SET_FLAG, "ro"), 0);
  assertEquals(lab.call(sysFsmount, fd, 0, 0), "EINVAL", "nothing was made");
  assertEquals(lab.config(fd, M.FSCONFIG_CMD_CREATE), 0);
  assertEquals(lab.config(fd, M.FSCONFIG_SET_FLAG, "rw"), "EBUSY");
  assertEquals([lab.call(sysFsmount, fd, 2, 0), lab.call(sysFsmount, fd, 0, 0x70)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.call(sysFsmount, 99, 0, 0), lab.call(sysFsmount, dir, 0, 0)], [
    "EBADF",
    "EBADF",
  ]);
  const mount = Number(lab.call(sysFsmount, fd, 1, 0));
  assertEquals(lab.call(sysFsmount, fd, 0, 0), "EBUSY");
  assertEquals([lab.attach(mount, "/a"), lab.call(sysMkdir, "/a/d", 0o755)], [0, "EROFS"]);
  lab.weaken();
  assertEquals(lab.call(sysFsopen, "tmpfs", 0), "EPERM");
});

Deno.test("fspick changes the file system of a mount", () => {
  const lab = new MountLab(), { sysFspick } = context;
  lab.attach(lab.detached(), "/a");
  assertEquals(lab.call(sysFspick, CWD, "/a", 16), "EINVAL");
  assertEquals([lab.call(sysFspick, CWD, "/none", 0), lab.call(sysFspick, CWD, "/b", 0)], [
    "ENOENT",
    "EINVAL",
  ]);
  const fd = Number(lab.call(sysFspick, CWD, "/a", 1));
  assertEquals(lab.config(fd, M.FSCONFIG_CMD_CREATE), "EBUSY");
  assertEquals(lab.config(fd, M.FSCONFIG_SET_FLAG, "ro"), 0);
  assertEquals(lab.config(fd, M.FSCONFIG_CMD_RECONFIGURE), 0);
  assertEquals(lab.call(sysMkdir, "/a/d", 0o755), "EROFS");
});

Deno.test("open_tree and move_mount: flags, copies, places that cannot be", () => {
  const lab = new MountLab(), clone = M.OPEN_TREE_CLONE;
  assertEquals(lab.call(sysOpenTree, CWD, "/", 2), "EINVAL");
  assertEquals(lab.call(sysOpenTree, CWD, "/", AT_RECURSIVE), "EINVAL");
  assertEquals(lab.call(sysOpenTree, CWD, "/none", 0), "ENOENT");
  const top = lab.detached(), copy = Number(lab.call(sysOpenTree, CWD, "/", clone | AT_RECURSIVE));
  assertEquals(lab.call(sysMoveMount, top, "", CWD, "/a", 8), "EINVAL");
  assertEquals(lab.call(sysMoveMount, top, "", CWD, "/a", 0), "ENOENT");
  assertEquals(lab.attach(top, "/none"), "ENOENT");
  const both = M.MOVE_MOUNT_SET_GROUP | M.MOVE_MOUNT_BENEATH;
  assertEquals(lab.call(sysMoveMount, top, "", CWD, "/a", both), "EINVAL");
  assertEquals([lab.attach(top, "/a"), lab.attach(copy, "/b")], [0, 0]);
  assertEquals(lab.call(sysMkdir, "/b/d", 0o755), 0);
  assertEquals(lab.call(sysMkdir, "/d", 0o755), "EEXIST", "the copy shows the same files");
  assertEquals(lab.call(sysMoveMount, CWD, "/a", CWD, "/d", 0), 0);
  assertEquals(lab.call(sysMoveMount, CWD, "/a", CWD, "/d", 0), "EINVAL", "no mount is there");
  const left = lab.detached();
  assertEquals(lab.call(sysClose, left), 0);
  lab.weaken();
  assertEquals([lab.call(sysOpenTree, CWD, "/", clone), lab.attach(top, "/a")], ["EPERM", "EPERM"]);
});

Deno.test("mount_setattr: sizes, attributes that go together, trees", () => {
  const lab = new MountLab(), at = lab.memory + ATTR, { MOUNT_ATTR_NOATIME } = M;
  const call = (flags: number, addr: number, size: number) =>
    lab.call(sysMountSetattr, CWD, "/", flags, addr, size);
  assertEquals([call(2, at, 32), call(0, at, 4097), call(0, at, 31)], [
    "EINVAL",
    "E2BIG",
    "EINVAL",
  ]);
  assertEquals([call(0, BAD, 32), call(0, lab.words(64, ATTR, 0, 0, 0, 0, 1), 40)], [
    "EFAULT",
    "E2BIG",
  ]);
  assertEquals(lab.change("/none", 0, 0), 0, "nothing to change");
  assertEquals(lab.change("/none", M.MOUNT_ATTR_RDONLY, 0), "ENOENT");
  assertEquals([lab.change("/", 2 ** 40, 0), lab.change("/", 0, 0, 3)], ["EINVAL", "EINVAL"]);
  assertEquals(lab.change("/", MOUNT_ATTR_NOATIME, 0), "EINVAL");
  assertEquals(lab.change("/", MOUNT_ATTR_NOATIME, M.MOUNT_ATTR__ATIME), 0);
  assertEquals(lab.change("/a", M.MOUNT_ATTR_RDONLY, 0), "EINVAL", "no mount");
  lab.attach(lab.detached(), "/a");
  assertEquals(lab.change("/", M.MOUNT_ATTR_RDONLY, 0, M.MS_SHARED, AT_RECURSIVE), 0);
  assertEquals([lab.call(sysMkdir, "/a/d", 0o755), lab.call(sysMkdir, "/d", 0o755)], [
    "EROFS",
    "EROFS",
  ]);
  assertEquals(lab.change("/a", 0, M.MOUNT_ATTR_RDONLY), 0);
  assertEquals(lab.call(sysMkdir, "/a/d", 0o755), 0);
});

Deno.test("listmount and statmount check requests and ids, and describe a mount", () => {
  const lab = new MountLab(), out = lab.memory + OUT, root = -1;
  lab.attach(lab.detached(M.MOUNT_ATTR_NODEV), "/a");
  const list = (addr: number, count: number, flags = 0) =>
    lab.call(sysListmount, addr, out, count, flags);
  const stat = (addr: number, size = 1024, flags = 0) =>
    lab.call(sysStatmount, addr, out, size, flags);
  assertEquals([list(BAD, 8), list(lab.request(root, 0), 8, 2)], ["EFAULT", "EINVAL"]);
  assertEquals([list(lab.request(root, 0, 23), 8), list(lab.request(root, 0, 4097), 8)], [
    "EINVAL",
    "E2BIG",
  ]);
  assertEquals(list(lab.request(1, 0), 8), "EINVAL", "an id that can be used again");
  const count = Number(list(lab.request(root, 0), 8)), ids = lab.readWords(64, OUT, count);
  const last = ids.at(-1)!;
  assertEquals(list(lab.request(root, 0), 1), 1);
  assertEquals(stat(lab.request(last, 0), 1024, 1), "EINVAL");
  assertEquals(stat(lab.request(last + 1000, 0)), "ENOENT");
  const { STATMOUNT_MNT_POINT, STATMOUNT_FS_TYPE, STATMOUNT_MNT_BASIC } = S;
  const parts = STATMOUNT_MNT_POINT | STATMOUNT_FS_TYPE | STATMOUNT_MNT_BASIC;
  assertEquals(stat(lab.request(last, parts), 512), "EOVERFLOW");
  assertEquals(stat(lab.request(last, parts)), 0);
  const { at, size } = S.StatmountHeader, v = lab.view(OUT, size);
  assertEquals(v.getUint32(at.mask, true), parts);
  assertEquals(Number(v.getBigUint64(at.mntId, true)), last);
  assertEquals(Number(v.getBigUint64(at.mntAttr, true)), M.MOUNT_ATTR_NODEV);
  assertEquals(lab.textAt(OUT + size + v.getUint32(at.mntPoint, true), 3), "/a\0");
  assertEquals(lab.textAt(OUT + size + v.getUint32(at.fsType, true), 6), "tmpfs\0");
  assertEquals(lab.call(sysOpenTree, CWD, "", AT_EMPTY_PATH), 2);
});
