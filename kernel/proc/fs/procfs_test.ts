import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../../ffi/abi/fcntl.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { rootCredentials, userCredentials } from "../../cred/credentials.ts";
import { mkdirAt } from "../../vfs/create.ts";
import type { Caller } from "../../vfs/caller.ts";
import { holdPath } from "../../vfs/dentry.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { bindMount } from "../../vfs/mount_operations.ts";
import { openAt } from "../../vfs/open.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { findAt, readlinkAt, statAt } from "../../vfs/status.ts";
import {
  BufferCursor,
  errno,
  listDir,
  mustOpen,
  readBytes,
  writeText,
} from "../../vfs/vfs_testing.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { MemoryLab } from "../../testing/memory_lab.ts";
import { FakeTask, NamelessFile, PLAIN_STAT, ProcLab } from "./proc_testing.ts";

function write(caller: Caller, path: string, text: string): string | number {
  const file = openAt(caller, AT_FDCWD, path, O_WRONLY | O_TRUNC, 0);
  if (typeof file === "number") return errno(file);
  const n = file.write(new BufferCursor(stringToBytes(text)), 0);
  file.drop();
  return errno(n);
}

function link(caller: Caller, path: string): string | number {
  const text = readlinkAt(caller, AT_FDCWD, path);
  return typeof text === "number" ? errno(text) : text;
}

function open(caller: Caller, path: string, flags: number = O_RDONLY): OpenFile | string | number {
  const file = openAt(caller, AT_FDCWD, path, flags, 0);
  return typeof file === "number" ? errno(file) : file;
}

Deno.test("/proc lists files of the system, then processes by number", () => {
  const lab = new ProcLab();
  for (const pid of [300, 20, 4194303]) lab.source.add(new FakeTask(pid));
  lab.source.add(new FakeTask(21, 20));
  const names = listDir(lab.root, "/proc");
  assertEquals(names.slice(-6), ["self", "thread-self", "1", "20", "300", "4194303"]);
  assert(names.includes("meminfo") && names.includes("sys"));
  assertEquals(statAt(lab.root, AT_FDCWD, "/proc", 0) instanceof Object, true);
  assertEquals(link(lab.root, "/proc/self"), "1");
  assertEquals(link(lab.root, "/proc/thread-self"), "1/task/1");
  assertEquals(link(lab.root, "/proc/mounts"), "self/mounts");
});

Deno.test("a reader of /proc meets each lasting process once while others come and go", () => {
  const lab = new ProcLab();
  for (let pid = 10; pid < 30; pid++) lab.source.add(new FakeTask(pid));
  const dir = mustOpen(lab.root, "/proc", 0);
  const seen: number[] = [];
  for (let round = 0; round < 200; round++) {
    let left = 2;
    dir.readdir((name) => {
      if (left-- === 0) return false;
      if (/^\d+$/.test(name)) seen.push(Number(name));
      return true;
    });
    lab.source.tasks.delete(10 + 2 * round);
    lab.source.add(new FakeTask(1000 + round));
    if (round > 10) { for (let i = 0; i < 9; i++) lab.source.tasks.delete(1000 + round - i); }
  }
  const stayed = seen.filter((pid) => pid < 30 && pid % 2 === 1);
  assertEquals(stayed, [1, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29]);
  dir.drop();
});

Deno.test("names of processes are plain numbers; threads are found but not listed", () => {
  const lab = new ProcLab();
  lab.source.add(new FakeTask(20));
  lab.source.add(new FakeTask(21, 20));
  for (const name of ["01", "+1", "0", "-1", "2", "1x", "99999999999", "nothing"]) {
    assertEquals(errno(statAt(lab.root, AT_FDCWD, `/proc/${name}`, 0)), "ENOENT", name);
  }
  assertEquals(lab.text("/proc/21/comm"), "fake\n");
  assertEquals(lab.text("/proc/20/task/20/comm"), "fake\n");
  assertEquals(open(lab.root, "/proc/20/task/1"), "ENOENT");
});

Deno.test("open files of an ended process answer ESRCH", () => {
  const lab = new ProcLab();
  lab.source.add(new FakeTask(20));
  const status = mustOpen(lab.root, "/proc/20/status", 0);
  const dir = mustOpen(lab.root, "/proc/20", 0), fds = mustOpen(lab.root, "/proc/20/fd", 0);
  const inode = statAt(lab.root, AT_FDCWD, "/proc/20", 0);
  lab.source.tasks.delete(20);
  const read = (): string | number => errno(status.read(new BufferCursor(new Uint8Array(9)), 0));
  assertEquals(read(), "ESRCH");
  assertEquals(errno(dir.readdir(() => true)), "ENOENT");
  assertEquals(errno(fds.readdir(() => true)), "ENOENT");
  assertEquals(open(lab.root, "/proc/20/stat"), "ENOENT");
  lab.root.files.install(dir, false, 10);
  assertEquals(errno(openAt(lab.root, 0, "stat", 0, 0)), "ESRCH");
  // Another process gets the number.
  lab.source.add(new FakeTask(20, 20, 77));
  assertEquals(read(), "ESRCH");
  assertEquals(errno(openAt(lab.root, 0, "stat", 0, 0)), "ESRCH");
  assert(statAt(lab.root, AT_FDCWD, "/proc/20", 0) !== inode);
  assertMatch(lab.text("/proc/20/stat"), /^20 \(fake\) S /);
});

Deno.test("nothing can be made, removed or renamed in /proc", () => {
  const lab = new ProcLab();
  assertEquals(open(lab.root, "/proc/new", O_CREAT | O_WRONLY), "ENOENT");
  assertEquals(errno(mkdirAt(lab.root, AT_FDCWD, "/proc/self/new", 0o755)), "ENOENT");
  assertEquals(errno(unlinkAt(lab.root, AT_FDCWD, "/proc/uptime")), "EPERM");
  assertEquals(write(lab.root, "/proc/uptime", "1"), "EIO");
  assertEquals(write(lab.root, "/proc/self/stat", "1"), "EINVAL");
});

Deno.test("stat and status have the fields of proc_pid_stat(5)", () => {
  const lab = new ProcLab();
  lab.init.comm = "a b) (\n\\";
  lab.init.mm = null;
  const fields = lab.text("/proc/1/stat").replace(/^.*\) /s, "").trimEnd().split(" ");
  assertEquals(fields.length, 50);
  assertEquals(fields[0], "S");
  assertEquals(fields.slice(11, 13), ["125", "50"]);
  assertEquals(fields[19], "300");
  assertEquals(fields.slice(28, 32), ["0", "1", "0", "2"]);
  const status = lab.text("/proc/1/status");
  assert(status.startsWith("Name:\ta b) (\\n\\\\\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\n"));
  assertMatch(status, /\nSigBlk:\t0000000080000001\nSigIgn:\t0{16}\nSigCgt:\t8000000000000002\n/);
  assertMatch(status, /\nCapEff:\t000001ffffffffff\n/);
  assertMatch(status, /\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n/);
});

Deno.test("limits are laid out as Linux lays them out", () => {
  const lines = new ProcLab().text("/proc/1/limits").split("\n");
  assertEquals(
    lines[0],
    "Limit                     Soft Limit           Hard Limit           Units     ",
  );
  assertEquals(
    lines[1],
    "Max cpu time              10                   20                   seconds   ",
  );
  assertEquals(lines[14], "Max nice priority         unlimited            unlimited            ");
  assertEquals(lines.length, 18);
});

Deno.test("fd links show file and mode; opening one opens the file again", () => {
  const lab = new ProcLab(), files = new FdTable(TEST_ACCOUNT);
  lab.init.files = files;
  writeText(lab.root, "/data", "hello");
  files.install(mustOpen(lab.root, "/data", O_RDWR), false, 10);
  files.install(mustOpen(lab.root, "/data", O_PATH), false, 10);
  files.install(new NamelessFile(TEST_ACCOUNT, 0), true, 10);
  assertEquals(listDir(lab.root, "/proc/self/fd"), ["0", "1", "2"]);
  assertEquals(link(lab.root, "/proc/self/fd/0"), "/data");
  assertEquals(link(lab.root, "/proc/self/fd/2"), "anon_inode:[test]");
  const mode = (fd: number): number => {
    const inode = statAt(lab.root, AT_FDCWD, `/proc/self/fd/${fd}`, AT_SYMLINK_NOFOLLOW);
    return typeof inode === "number" ? inode : inode.mode;
  };
  assertEquals([mode(0), mode(1), mode(2)], [0o120700, 0o120000, 0o120500]);
  const again = mustOpen(lab.root, "/proc/self/fd/0", O_RDONLY);
  assertEquals(new TextDecoder().decode(readBytes(again, 0, 9)), "hello");
  again.drop();
  assertEquals(open(lab.root, "/proc/self/fd/2"), "ENXIO");
  for (const name of ["3", "00", "+0", "-1", "0x0", ""]) {
    if (name !== "") assertEquals(link(lab.root, `/proc/self/fd/${name}`), "ENOENT", name);
  }
  assertEquals(unlinkAt(lab.root, AT_FDCWD, "/data"), 0);
  assertEquals(link(lab.root, "/proc/self/fd/0"), "/data (deleted)");
  files.close(0);
  assertEquals(link(lab.root, "/proc/self/fd/0"), "ENOENT");
  files.install(new NamelessFile(TEST_ACCOUNT, O_WRONLY), false, 10);
  assertEquals(link(lab.root, "/proc/self/fd/0"), "anon_inode:[test]");
  assertEquals(mode(0), 0o120300);
});

Deno.test("fdinfo shows position, flags and lines of the file's own", () => {
  const lab = new ProcLab(), files = new FdTable(TEST_ACCOUNT);
  lab.init.files = files;
  writeText(lab.root, "/data", "hello");
  const file = mustOpen(lab.root, "/data", O_RDWR);
  file.pos = 3;
  files.install(file, true, 10);
  files.install(new NamelessFile(TEST_ACCOUNT, O_RDWR), false, 10);
  const mount = file.path!.mount.id;
  assertEquals(
    lab.text("/proc/1/fdinfo/0"),
    `pos:\t3\nflags:\t02100002\nmnt_id:\t${mount}\nino:\t${file.inode.ino}\n`,
  );
  assertMatch(lab.text("/proc/1/fdinfo/1"), /\nflags:\t02\n.*\ntest:\t1\n$/s);
});

Deno.test("cwd, root and exe are links to files, and to nothing for a zombie", () => {
  const lab = new ProcLab();
  mkdirAt(lab.root, AT_FDCWD, "/dir", 0o755);
  const zombie = lab.source.add(new FakeTask(9));
  zombie.numbers = { ...PLAIN_STAT, state: "Z" };
  assertEquals(link(lab.root, "/proc/self/cwd"), "/");
  assertEquals(lab.text("/proc/self/root/proc/1/comm"), "fake\n");
  assertEquals(link(lab.root, "/proc/self/exe"), "ENOENT");
  for (const name of ["cwd", "root", "exe"]) {
    assertEquals(link(lab.root, `/proc/9/${name}`), "ENOENT");
  }
  assertEquals(lab.text("/proc/9/cmdline"), "");
  assertEquals(lab.text("/proc/9/maps"), "");
  assertEquals(lab.text("/proc/9/statm"), "0 0 0 0 0 0 0\n");
  assertEquals(open(lab.root, "/proc/9/environ"), "ESRCH");
  assertEquals(open(lab.root, "/proc/9/mem"), "ESRCH");
  assertEquals(open(lab.root, "/proc/9/mounts"), "EINVAL");
  assertEquals(listDir(lab.root, "/proc/9/fd"), []);
  assertEquals(listDir(lab.root, "/proc/9/task"), ["9"]);
});

Deno.test("other users may read public files and nothing else", () => {
  const memory = new MemoryLab(), lab = new ProcLab();
  lab.init.mm = memory.newManager();
  lab.init.files!.install(new NamelessFile(TEST_ACCOUNT, 0), false, 10);
  const other = lab.as(lab.source.add(new FakeTask(50)), 1000);
  assertMatch(lab.text("/proc/1/stat", other), /^1 /);
  assertEquals(open(other, "/proc/1/maps"), "EACCES");
  assertEquals(open(other, "/proc/1/environ"), "EACCES");
  assertEquals(open(other, "/proc/1/fd"), "EACCES");
  assertEquals(open(other, "/proc/1/fdinfo"), "EACCES");
  assertEquals(link(other, "/proc/1/cwd"), "EACCES");
  assertEquals(link(other, "/proc/1/ns/mnt"), "EACCES");
  const io = mustOpen(lab.root, "/proc/1/io", 0);
  assertEquals(errno(io.read(new BufferCursor(new Uint8Array(9)), 0)), "EACCES");
  lab.init.mm.put();
  memory.close();
});

Deno.test("files belong to the effective user, or to root if not dumpable", () => {
  const lab = new ProcLab();
  const task = lab.source.add(new FakeTask(50));
  task.files = new FdTable(TEST_ACCOUNT);
  task.mm = lab.init.mm;
  task.cred = userCredentials(1000, 1001, [], { lo: 0, hi: 0 });
  const owner = (path: string): number[] => {
    const inode = statAt(lab.root, AT_FDCWD, path, 0);
    return typeof inode === "number" ? [inode] : [inode.uid, inode.gid];
  };
  assertEquals(owner("/proc/50"), [1000, 1001]);
  // Without memory it counts as not dumpable.
  assertEquals(owner("/proc/50/status"), [0, 0]);
  assertEquals(owner("/proc/50/task"), [1000, 1001]);
  task.cred = userCredentials(7, 8, [], { lo: 0, hi: 0 });
  assertEquals(owner("/proc/50"), [7, 8]);
  // A process may always see its own descriptors, whichever user owns the directory.
  const other = lab.source.add(new FakeTask(51));
  other.cred = task.cred;
  lab.source.acting = other;
  assertEquals(open(lab.root.as(7), "/proc/50/fd"), "EACCES");
  lab.source.acting = task;
  assertEquals([owner("/proc/50/fd")[0], typeof open(lab.root.as(7), "/proc/50/fd")], [
    0,
    "object",
  ]);
});

Deno.test("a caller outside the PID namespace of a mount is checked like any other", () => {
  const lab = new ProcLab(), outside = new FakeTask(0);
  lab.source.hidesCaller = true;
  const other = lab.as(outside, 1000);
  for (const path of ["/proc/1/cwd", "/proc/1/ns/mnt"]) {
    assertEquals(link(other, path), "EACCES");
  }
  assertEquals(open(other, "/proc/1/fdinfo"), "EACCES");
  outside.cred = rootCredentials();
  assertEquals(link(lab.root, "/proc/1/cwd"), "/");
  // Without a caller the check fails.
  lab.source.acting = null;
  assertEquals(link(lab.root, "/proc/1/cwd"), "EACCES");
});

Deno.test("comm can be written by threads of the process only", () => {
  const lab = new ProcLab();
  const other = lab.source.add(new FakeTask(50));
  assertEquals(write(lab.root, "/proc/self/comm", "0123456789abcdefgh"), 18);
  assertEquals(lab.init.comm, "0123456789abcde");
  assertEquals(write(lab.root, "/proc/self/comm", "x\0y"), 3);
  assertEquals(lab.text("/proc/self/comm"), "x\n");
  assertEquals(write(lab.root, "/proc/50/comm", "y"), "EINVAL");
  assertEquals(other.comm, "fake");
});

Deno.test("oom_score_adj takes -1000 to 1000, and only privilege lowers it", () => {
  const lab = new ProcLab();
  for (const bad of ["1001", "-1001", "x", "", "1 2", "0x", "1e3"]) {
    assertEquals(write(lab.root, "/proc/self/oom_score_adj", bad), "EINVAL", bad);
  }
  assertEquals(write(lab.root, "/proc/self/oom_score_adj", " 500\n"), 5);
  assertEquals(lab.text("/proc/self/oom_score_adj"), "500\n");
  lab.init.cred = userCredentials(0, 0, [], { lo: 0, hi: 0 });
  assertEquals(write(lab.root, "/proc/self/oom_score_adj", "499"), "EACCES");
  assertEquals(write(lab.root, "/proc/self/oom_score_adj", "501"), 3);
});

Deno.test("loginuid is set once; maps of ids cannot be written", () => {
  const lab = new ProcLab();
  assertEquals(lab.text("/proc/self/loginuid"), "4294967295");
  lab.init.cred = userCredentials(0, 0, [], { lo: 0, hi: 0 });
  assertEquals(write(lab.root, "/proc/self/loginuid", "1000"), 4);
  assertEquals(write(lab.root, "/proc/self/loginuid", "1001"), "EPERM");
  assertEquals(lab.init.loginUid, 1000);
  // The opener's rights count, not the writer's.
  assertEquals(write(lab.root, "/proc/self/setgroups", "allow\n"), 6);
  lab.init.cred = rootCredentials();
  assertEquals(write(lab.root, "/proc/self/uid_map", "0 0 1"), "EPERM");
  assertEquals(write(lab.root, "/proc/self/setgroups", "deny"), "EPERM");
  assertEquals(write(lab.root, "/proc/self/setgroups", "allow\n"), 6);
  assertEquals(write(lab.root, "/proc/self/setgroups", "perhaps"), "EINVAL");
});

Deno.test("poll of mounts reports a change once", () => {
  const lab = new ProcLab();
  const file = mustOpen(lab.root, "/proc/self/mounts", 0), POLLPRI = 2, POLLERR = 8;
  const before = new TextDecoder().decode(readBytes(file, 0, 4096));
  assertEquals(before, "tmpfs / tmpfs rw,mode=755,inode64 0 0\nproc /proc proc rw,relatime 0 0\n");
  assertEquals(file.poll() & (POLLPRI | POLLERR), 0);
  mkdirAt(lab.root, AT_FDCWD, "/bind", 0o755);
  const from = findAt(lab.root, AT_FDCWD, "/proc", 0), at = findAt(lab.root, AT_FDCWD, "/bind", 0);
  assert(typeof from !== "number" && typeof at !== "number");
  assertEquals(bindMount(lab.root, holdPath(from), at, false), 0);
  assertEquals(file.poll() & (POLLPRI | POLLERR), POLLPRI | POLLERR);
  assertEquals(file.poll() & (POLLPRI | POLLERR), 0);
  assertEquals(new TextDecoder().decode(readBytes(file, 0, 4096)).split("\n").length, 4);
  file.drop();
});

Deno.test("links to namespaces lead to files of nsfs", () => {
  const lab = new ProcLab();
  assertEquals(link(lab.root, "/proc/self/ns/pid"), "pid:[4026531836]");
  assertEquals(link(lab.root, "/proc/self/ns/mnt"), "mnt:[4026531841]");
  const a = statAt(lab.root, AT_FDCWD, "/proc/1/ns/mnt", 0);
  assert(typeof a !== "number");
  assertEquals(a.ino, 4026531841);
  assert(a === statAt(lab.root, AT_FDCWD, "/proc/self/ns/mnt", 0));
  const file = mustOpen(lab.root, "/proc/self/ns/uts", 0);
  const fd = lab.root.files.install(file, false, 10);
  assertEquals(link(lab.root, `/proc/self/fd/${fd}`), "uts:[4026531838]");
  const NS_GET_USERNS = 0xb701, NS_GET_PARENT = 0xb702, NS_GET_NSTYPE = 0xb703;
  const { mm: user } = new CallLab().task;
  assertEquals(file.ioctl(NS_GET_NSTYPE, 0, user), 0x04000000);
  assertEquals(errno(file.ioctl(NS_GET_PARENT, 0, user)), "EINVAL");
  assertEquals(errno(file.ioctl(NS_GET_USERNS, 0, user)), "EMFILE");
  lab.init.limits = { soft: Array<number>(16).fill(10), hard: [] };
  const userFd = file.ioctl(NS_GET_USERNS, 0, user);
  assertEquals(link(lab.root, `/proc/self/fd/${userFd}`), "user:[4026531837]");
  assertEquals(lab.root.files.isCloexec(userFd), true);
});

Deno.test("hidepid hides processes of others", () => {
  const lab = new ProcLab("hidepid=2,gid=77");
  const mine = lab.source.add(new FakeTask(50));
  const caller = lab.as(mine, 1000);
  assertEquals(listDir(caller, "/proc").filter((n) => /^\d/.test(n)), ["50"]);
  assertEquals(open(caller, "/proc/1/stat"), "ENOENT");
  mine.cred = userCredentials(1000, 1000, [77], { lo: 0, hi: 0 });
  assertMatch(lab.text("/proc/1/stat", caller), /^1 /);
  const strict = new ProcLab("hidepid=noaccess");
  const other = strict.as(strict.source.add(new FakeTask(50)), 1000);
  assertEquals(open(other, "/proc/1/stat"), "EPERM");
  assertEquals(listDir(other, "/proc").includes("1"), true);
});

Deno.test("subset=pid leaves only processes; unknown options are refused", () => {
  const lab = new ProcLab("subset=pid");
  assertEquals(listDir(lab.root, "/proc"), ["self", "thread-self", "1"]);
  assertEquals(open(lab.root, "/proc/uptime"), "ENOENT");
  for (const bad of ["hidepid=9", "gid=x", "subset=sys", "size=1"]) {
    let error = "";
    try {
      new ProcLab(bad);
    } catch (e) {
      error = e instanceof Error ? e.message : "";
    }
    assertEquals(error, "mount /proc: EINVAL", bad);
  }
});
