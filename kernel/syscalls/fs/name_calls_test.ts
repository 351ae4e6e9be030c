import { assertEquals } from "@std/assert";
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as F from "../../../ffi/abi/fs.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysIoctl } from "../io/descriptors.ts";
import { sysPipe2 } from "../io/pipe.ts";
import { sysNameToHandleAt, sysOpenByHandleAt } from "./handles.ts";
import * as names from "./names.ts";
import { sysOpenat } from "./open.ts";

const BAD = 8, HANDLE = 0, ID = 512, OUT = 4096, CWD = AT_FDCWD + 2 ** 32;

class NameLab extends CallLab {
  file(name: string): number {
    return Number(this.call(sysOpenat, CWD, name, O_RDWR | O_CREAT, 0o644));
  }
  handleOf(path: string, room: number, flags = 0): number | string {
    const handle = this.words(32, HANDLE, room, 0);
    return this.call(sysNameToHandleAt, CWD, path, handle, this.memory + ID, flags);
  }
}

Deno.test("names: a pointer that is bad, and each call's two forms", () => {
  const lab = new NameLab();
  for (const sys of [names.sysMkdir, names.sysMknod, names.sysUnlink, names.sysRmdir]) {
    assertEquals(lab.call(sys, BAD, 0, 0), "EFAULT", sys.name);
  }
  for (const sys of [names.sysSymlink, names.sysLink, names.sysRename]) {
    assertEquals([lab.call(sys, BAD, "/x"), lab.call(sys, "/x", BAD)], ["EFAULT", "EFAULT"]);
  }
  assertEquals(lab.call(names.sysMkdirat, CWD, "/d", 0o755), 0);
  assertEquals(lab.call(names.sysMknodat, CWD, "/d/f", 0o100644, 0), 0);
  assertEquals(lab.call(names.sysSymlink, "f", "/d/l"), 0);
  assertEquals(lab.call(names.sysSymlinkat, "f", CWD, "/d/l"), "EEXIST");
  assertEquals(lab.call(names.sysLink, "/d/f", "/d/g"), 0);
  assertEquals(lab.call(names.sysLinkat, CWD, "/d/f", CWD, "/d/h", 1), "EINVAL");
  const fd = lab.file("/d/f");
  assertEquals(lab.call(names.sysLinkat, fd, "", CWD, "/d/h", AT_EMPTY_PATH), 0);
  assertEquals(lab.call(names.sysRename, "/d/h", "/d/i"), 0);
  assertEquals(lab.call(names.sysRenameat, CWD, "/d/h", CWD, "/d/i"), "ENOENT");
  assertEquals(lab.call(names.sysRenameat2, CWD, "/d/i", CWD, "/d/g", 1), "EEXIST");
  assertEquals(lab.call(names.sysRenameat2, CWD, "/d/i", CWD, "/d/g", 8), "EINVAL");
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/d", 1), "EINVAL");
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/d", 0), "EISDIR");
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/d", AT_REMOVEDIR), "ENOTEMPTY");
  for (const name of ["f", "g", "i", "l"]) assertEquals(lab.call(names.sysUnlink, `/d/${name}`), 0);
  assertEquals([lab.call(names.sysRmdir, "/d"), lab.call(names.sysRmdir, "/d")], [0, "ENOENT"]);
});

Deno.test("name_to_handle_at and open_by_handle_at: sizes, files that are gone, privilege", () => {
  const lab = new NameLab(), handle = lab.memory + HANDLE;
  const open = (fd = CWD, addr = handle) => lab.call(sysOpenByHandleAt, fd, addr, O_RDWR);
  lab.file("/f");
  assertEquals([lab.handleOf("/f", 8, 4), lab.handleOf("/none", 8)], ["EINVAL", "ENOENT"]);
  lab.call(sysPipe2, lab.memory + OUT, 0);
  const [pipe = -1] = lab.readWords(32, OUT, 1);
  assertEquals(lab.call(sysNameToHandleAt, pipe, "", handle, 0, AT_EMPTY_PATH), "EOPNOTSUPP");
  assertEquals(lab.call(sysNameToHandleAt, CWD, "/f", BAD, lab.memory + ID, 0), "EFAULT");
  assertEquals([lab.handleOf("/f", 129), lab.handleOf("/f", 0)], ["EINVAL", "EOVERFLOW"]);
  const [size = 0] = lab.readWords(32, HANDLE, 1);
  assertEquals(lab.call(sysNameToHandleAt, CWD, "/f", handle, BAD, 0), "EFAULT");
  assertEquals(lab.handleOf("/f", size), 0);
  assertEquals([typeof open(), open(99), open(CWD, BAD)], ["number", "EBADF", "EFAULT"]);
  lab.words(32, HANDLE, 0);
  assertEquals(open(), "EINVAL");
  lab.handleOf("/f", size);
  lab.words(32, HANDLE + 8, 999_999);
  assertEquals(open(), "ESTALE");
  lab.words(32, HANDLE + 4, 77);
  assertEquals(open(), "ESTALE", "a handle of another kind");
  lab.task.cred = { ...lab.task.cred, effective: NO_CAPS };
  assertEquals(open(), "EPERM");
});

Deno.test("requests of files: block sizes, clones, flags, FIBMAP", () => {
  const lab = new NameLab(), fd = lab.file("/f"), other = lab.file("/g"), out = lab.memory + OUT;
  const ask = (request: number, arg: number) => lab.call(sysIoctl, fd, request, arg);
  assertEquals([ask(F.FIGETBSZ, BAD), ask(F.FIGETBSZ, out)], ["EFAULT", 0]);
  assertEquals(lab.readWords(32, OUT, 1), [4096]);
  assertEquals(ask(F.FS_IOC_FIEMAP, out), "EOPNOTSUPP", "as tmpfs of Linux");
  assertEquals([ask(F.FIFREEZE, 0), ask(F.FITHAW, 0)], ["EOPNOTSUPP", "EINVAL"]);
  assertEquals([ask(F.FICLONE, 99), ask(F.FICLONE, other)], ["EBADF", "EOPNOTSUPP"]);
  assertEquals(ask(F.FICLONERANGE, BAD), "EFAULT");
  assertEquals(ask(F.FICLONERANGE, lab.words(64, OUT, other, 0, 0, 0)), "EOPNOTSUPP");
  assertEquals([ask(F.FS_IOC_SETFLAGS, BAD), ask(F.FS_IOC_FSSETXATTR, BAD)], ["EFAULT", "EFAULT"]);
  assertEquals(ask(F.FS_IOC_SETFLAGS, lab.words(32, OUT, F.FS_NODUMP_FL)), 0);
  assertEquals([ask(F.FS_IOC_GETFLAGS, BAD), ask(F.FS_IOC_GETFLAGS, out)], ["EFAULT", 0]);
  assertEquals(lab.readWords(32, OUT, 1)[0]! & F.FS_NODUMP_FL, F.FS_NODUMP_FL);
  assertEquals([ask(F.FS_IOC_FSGETXATTR, BAD), ask(F.FS_IOC_FSGETXATTR, out)], ["EFAULT", 0]);
  assertEquals(lab.readWords(32, OUT, 1), [F.FS_XFLAG_NODUMP]);
  assertEquals(ask(F.FIBMAP, lab.words(32, OUT, -1)), "EINVAL");
  assertEquals(ask(F.FS_IOC_RESVSP, BAD), "EFAULT");
  lab.task.cred = { ...lab.task.cred, effective: NO_CAPS };
  assertEquals([ask(F.FIFREEZE, 0), ask(F.FIBMAP, out)], ["EPERM", "EPERM"]);
});
