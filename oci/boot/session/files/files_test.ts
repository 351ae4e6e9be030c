import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { AT_FDCWD } from "../../../../ffi/abi/fcntl.ts";
import { MS_RDONLY } from "../../../../ffi/abi/mount.ts";
import { S_IFIFO, S_IFSOCK } from "../../../../ffi/abi/stat.ts";
import { mkdirAt, mknodAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { statAt } from "../../../../kernel/vfs/status.ts";
import { listDir, readText, writeText } from "../../../../kernel/vfs/vfs_testing.ts";
import { UserError } from "../../../user_error.ts";
import { FilesLab } from "./files_testing.ts";

/** Runs a test in a lab. */
function test(name: string, run: (lab: FilesLab) => void): void {
  Deno.test(name, () => {
    const lab = new FilesLab();
    try {
      run(lab);
    } finally {
      lab.close();
    }
  });
}

/** Asserts that an answer has these members among others. */
function assertHas(answer: object | null, members: object): void {
  assertEquals(answer, { ...answer, ...members });
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("a file comes back as it was written, and a channel ends later than it begins", (lab) => {
  const sent = new Uint8Array(300_000).map((_, i) => i * 7);
  const write = lab.open("writeFile", { path: "/f" });
  write.send(sent);
  write.channel?.onEnd(0);
  assertEquals([write.outcome, write.granted], [null, sent.length]);
  lab.settle();
  assertEquals(write.outcome, { bytes: sent.length });
  const read = lab.do("readFile", { path: "/f" });
  assertEquals([read.output, read.hasEnded, read.outcome], [sent, true, {}]);
});

test("an empty file is made, truncated, appended to", (lab) => {
  assertEquals(lab.write({ path: "/e" }, bytes("")).outcome, { bytes: 0 });
  assertEquals(lab.do("readFile", { path: "/e" }).text, "");
  lab.write({ path: "/e" }, bytes("long text"));
  lab.write({ path: "/e" }, bytes("new"));
  lab.write({ path: "/e", append: true }, bytes("er"));
  assertEquals(readText(lab.root, "/e"), "newer");
  assertEquals(
    lab.write({ path: "/e", createNew: true }, bytes("x")).outcome,
    "AlreadyExists EEXIST",
  );
  assertEquals(readText(lab.root, "/e"), "newer");
});

test("a range of a file is read, beyond 4 GiB too", (lab) => {
  writeText(lab.root, "/f", "0123456789");
  const part = (offset: number, length?: number) =>
    lab.do("readFile", { path: "/f", offset, length }).text;
  assertEquals([part(3, 4), part(8), part(8, 100), part(10), part(99), part(0, 0)], [
    "3456",
    "89",
    "89",
    "",
    "",
    "",
  ]);
  assertEquals(part(2 ** 40), "");
});

test("a reader without credit gets no more than it takes", (lab) => {
  writeText(lab.root, "/f", "x".repeat(1000));
  const read = lab.open("readFile", { path: "/f" });
  read.credit = 300;
  lab.settle();
  assertEquals([read.output.length, read.outcome], [300, null]);
  read.credit = Infinity;
  read.wantsToSend(1);
  lab.settle();
  assertEquals([read.output.length, read.outcome], [1000, {}]);
});

test("what is no regular file is never opened", (lab) => {
  mknodAt(lab.root, AT_FDCWD, "/fifo", S_IFIFO | 0o666, 0);
  mknodAt(lab.root, AT_FDCWD, "/sock", S_IFSOCK | 0o666, 0);
  symlinkAt(lab.root, "fifo", AT_FDCWD, "/link");
  for (const path of ["/fifo", "/sock", "/link"]) {
    assertEquals(lab.do("readFile", { path }).outcome, "InvalidArgument -");
    assertEquals(lab.write({ path }, bytes("x")).outcome, "InvalidArgument -");
    assertEquals(lab.write({ path, append: true }, bytes("")).outcome, "InvalidArgument -");
  }
  assertEquals(lab.do("readFile", { path: "/" }).outcome, "IsADirectory EISDIR");
  assertEquals(lab.write({ path: "/proc" }, bytes("x")).outcome, "IsADirectory EISDIR");
  const { error } = lab.do("readFile", { path: "/fifo" });
  assertEquals(error?.message, "cannot read /fifo: it is no regular file");
});

test("files of /proc have no size and are read to their end", (lab) => {
  const { text, outcome } = lab.do("readFile", { path: "/proc/version" });
  assertStringIncludes(text, "Linux version");
  assertEquals(outcome, {});
  assertEquals(lab.do("readFile", { path: "/proc/mounts" }).outcome, "NotFound ENOENT");
  for (const path of ["/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/uptime"]) {
    assertEquals(lab.do("readFile", { path }).outcome, {}, path);
  }
  assertEquals(lab.do("readFile", { path: "/proc/kmsg" }).outcome, "Failed EAGAIN");
});

test("errors name the call, the path and errno", (lab) => {
  assertEquals(lab.do("readFile", { path: "/a/b" }).error, {
    code: "NotFound",
    message: "cannot read /a/b: no such file or directory",
    errno: "ENOENT",
    path: "/a/b",
  });
  const long = `/${"x".repeat(5000)}`;
  const { error } = lab.do("readFile", { path: long });
  assertEquals([error?.code, error?.errno, (error?.path ?? "").length < 300], [
    "InvalidArgument",
    "ENAMETOOLONG",
    true,
  ]);
  for (const op of ["stat", "mkdir", "remove", "readlink"] as const) {
    assertEquals(lab.do(op, { path: long }).outcome, "InvalidArgument ENAMETOOLONG", op);
  }
  assertEquals(
    lab.do("mkdir", { path: long, recursive: true }).outcome,
    "InvalidArgument ENAMETOOLONG",
  );
  assertEquals(lab.write({ path: long }, bytes("x")).outcome, "InvalidArgument ENAMETOOLONG");
});

test("a request that is not valid is refused with the place", (lab) => {
  const refused: readonly [Parameters<FilesLab["open"]>[0], object, string][] = [
    ["readFile", {}, "request: path is missing, expected a string"],
    ["readFile", { path: "a" }, 'request: path is "a", expected an absolute path'],
    ["readFile", { path: "/a\0b" }, 'request: path is "/a\\u0000b", expected a string without NUL'],
    ["readFile", { path: "/a", offset: -1 }, "request: offset is -1"],
    ["writeFile", { path: "/a", mode: 0o10000 }, "request: mode is 4096"],
    ["writeFile", { path: "/a", append: 1 }, "request: append is 1, expected true or false"],
    ["chmod", { path: "/a" }, "request: mode is missing"],
    ["rename", { from: "/a" }, "request: to is missing"],
    ["stat", { path: "/a", user: "mary" }, 'the sandbox has no user "mary"'],
  ];
  for (const [op, members, message] of refused) {
    const error = assertThrows(() => lab.open(op, members), UserError);
    assertStringIncludes(error.message, message);
  }
  assertEquals(lab.settle(), 0);
});

test("a write to a read-only mount changes nothing", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/ro", 0o755);
  lab.mount(lab.tmpfs(), "/ro", MS_RDONLY);
  assertEquals(lab.write({ path: "/ro/f" }, bytes("x")).outcome, "PermissionDenied EROFS");
  assertEquals(lab.do("mkdir", { path: "/ro/d" }).outcome, "PermissionDenied EROFS");
  const deep = lab.do("mkdir", { path: "/ro/d/e", recursive: true });
  assertEquals(deep.outcome, "PermissionDenied EROFS");
  assertEquals(listDir(lab.root, "/ro"), []);
});

test("a file system that is full ends a write, and keeps what was written", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/small", 0o755);
  const fs = lab.kernel.fsTypes.find("tmpfs")?.create(lab.root, "tmpfs", "size=64k");
  if (typeof fs !== "object") throw new Error("no tmpfs");
  lab.mount(fs, "/small", 0);
  const write = lab.write({ path: "/small/f" }, new Uint8Array(200_000));
  assertEquals(write.outcome, "Limit ENOSPC");
  assertEquals(write.error?.message, "cannot write /small/f: no space left on device");
  assertHas(lab.do("stat", { path: "/small/f" }).answer, {
    size: 65536,
  });
});

test("a client that goes away leaves what it has written", (lab) => {
  const write = lab.open("writeFile", { path: "/part" });
  write.send(bytes("some"));
  write.channel?.onGone();
  lab.settle();
  assertEquals([write.outcome, readText(lab.root, "/part")], [null, "some"]);
  const inode = statAt(lab.root, AT_FDCWD, "/part", 0);
  assertEquals(typeof inode === "number" ? inode : [inode.openCount, inode.writeCount], [0, 0]);
});

test("a request can be cancelled", (lab) => {
  const write = lab.open("writeFile", { path: "/f" });
  assertThrows(() => write.channel?.onControl({}), UserError, "close is missing");
  assertThrows(() => write.channel?.onControl({ close: false }), UserError, "expected true");
  write.channel?.onControl({ close: true });
  lab.settle();
  assertEquals(write.outcome, "Failed -");
});

test("names that are no UTF-8 come back as they went", (lab) => {
  const path = "/\udcff\udc80é\u{1f480}\udce2\udc82";
  assertEquals(lab.write({ path }, bytes("x")).outcome, { bytes: 1 });
  assertEquals(listDir(lab.root, "/"), ["proc", "\xff\x80\xc3\xa9\xf0\x9f\x92\x80\xe2\x82"]);
  assertEquals(lab.do("readFile", { path }).text, "x");
  const status = lab.do("stat", { path }).answer;
  assertHas(status, { name: path.slice(1) });
  assertEquals(lab.do("symlink", { target: path, path: "/l" }).outcome, {});
  assertEquals(lab.do("readlink", { path: "/l" }).outcome, { target: path });
});

test("users have their own rights, by number and by name of the guest", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/etc", 0o755);
  writeText(lab.root, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nmary:x:1000:1001::/home/mary:\n");
  writeText(lab.root, "/etc/group", "root:x:0:\nstaff:x:50:bob,mary\n");
  writeText(lab.root, "/secret", "s");
  assertEquals(lab.do("chmod", { path: "/secret", mode: 0o600 }).outcome, {});
  const mary = { user: "mary" }, number = { user: { uid: 1000, gid: 1001 } };
  for (const user of [mary, number]) {
    const read = lab.do("readFile", { path: "/secret", ...user });
    assertEquals(read.outcome, "PermissionDenied EACCES");
    assertEquals(
      lab.write({ path: "/new", ...user }, bytes("")).outcome,
      "PermissionDenied EACCES",
    );
  }
  const group = lab.do("mkdir", { path: "/d", mode: 0o1777 });
  assertEquals(group.outcome, {});
  lab.write({ path: "/d/f", ...mary, mode: 0o640 }, bytes("x"));
  assertHas(lab.do("stat", { path: "/d/f" }).answer, {
    uid: 1000,
    gid: 1001,
    mode: 0o640,
    type: "file",
    size: 1,
    nlink: 1,
  });
  assertEquals(
    lab.do("chmod", { path: "/d/f", mode: 0, user: { uid: 7, gid: 7 } }).outcome,
    "PermissionDenied EPERM",
  );
});

test("directories are made with those above them", (lab) => {
  const make = (path: string) => lab.do("mkdir", { path, recursive: true }).outcome;
  assertEquals([make("/a/b/c"), make("/a/b/c/"), make("/")], [{}, {}, {}]);
  assertEquals(lab.do("mkdir", { path: "/a" }).outcome, "AlreadyExists EEXIST");
  assertEquals(lab.do("mkdir", { path: "/x/y" }).outcome, "NotFound ENOENT");
  writeText(lab.root, "/file", "");
  symlinkAt(lab.root, "a/b", AT_FDCWD, "/link");
  symlinkAt(lab.root, "nowhere", AT_FDCWD, "/dangling");
  assertEquals([make("/link/d"), make("/a/../e"), make("/link")], [{}, {}, {}]);
  assertEquals([make("/file"), make("/dangling")], [
    "AlreadyExists EEXIST",
    "AlreadyExists EEXIST",
  ]);
  assertEquals([make("/file/x"), make("/dangling/x")], [
    "NotADirectory ENOTDIR",
    "NotFound ENOENT",
  ]);
  assertEquals(listDir(lab.root, "/a/b"), ["c", "d"]);
  const deep = "/d".repeat(2000);
  assertEquals([make(deep), lab.do("stat", { path: deep }).error], [{}, null]);
});

test("files and empty directories are removed, renamed, linked", (lab) => {
  writeText(lab.root, "/f", "x");
  mkdirAt(lab.root, AT_FDCWD, "/d", 0o755);
  assertEquals(lab.do("rename", { from: "/f", to: "/d/g" }).outcome, {});
  assertEquals(lab.do("remove", { path: "/d" }).outcome, "NotEmpty ENOTEMPTY");
  assertEquals(lab.do("remove", { path: "/d/g" }).outcome, {});
  assertEquals(lab.do("remove", { path: "/d" }).outcome, {});
  assertEquals(lab.do("remove", { path: "/d" }).outcome, "NotFound ENOENT");
  assertEquals(lab.do("remove", { path: "/" }).outcome, "Failed EBUSY");
  assertEquals(lab.do("remove", { path: "/proc" }).outcome, "Failed EBUSY");
  assertEquals(lab.do("symlink", { target: "/proc", path: "/l" }).outcome, {});
  assertEquals(lab.do("symlink", { target: "", path: "/m" }).outcome, "NotFound ENOENT");
  const type = (follow: boolean) => lab.do("stat", { path: "/l", follow }).answer;
  assertHas(type(true), { type: "directory", name: "l" });
  assertHas(type(false), { type: "symlink", size: 5 });
  assertEquals(lab.do("remove", { path: "/l" }).outcome, {});
  assertEquals(
    lab.do("rename", { from: "/q", to: "/r" }).error?.message,
    "cannot rename /q to /r: no such file or directory",
  );
  assertEquals(listDir(lab.root, "/"), ["proc"]);
});

test("a link that is swapped meanwhile leads nowhere but inside", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/d", 0o755);
  writeText(lab.root, "/d/f", "inside");
  symlinkAt(lab.root, "../../../../d/f", AT_FDCWD, "/up");
  assertEquals(lab.do("readFile", { path: "/up" }).text, "inside");
  const write = lab.open("writeFile", { path: "/d/f" });
  write.send(bytes("ab"));
  renameAt(lab.root, AT_FDCWD, "/d", AT_FDCWD, "/e", 0);
  symlinkAt(lab.root, "/proc", AT_FDCWD, "/d");
  write.send(bytes("cd"));
  write.channel?.onEnd(0);
  lab.settle();
  assertEquals([write.outcome, readText(lab.root, "/e/f")], [{ bytes: 4 }, "abcd"]);
});

test("a walk over many links is done in several steps", (lab) => {
  const long = "./".repeat(2000);
  for (let i = 0; i < 30; i++) {
    symlinkAt(lab.root, `${long}${i === 0 ? "proc" : `l${i - 1}`}`, AT_FDCWD, `/l${i}`);
  }
  const stat = lab.open("stat", { path: "/l29" });
  assertEquals(lab.settle() > 5, true);
  assertHas(stat.answer, { type: "directory", name: "l29" });
  writeText(lab.root, "/f", "x");
  symlinkAt(lab.root, "/f", AT_FDCWD, "/proc2");
  symlinkAt(lab.root, `${long}f`, AT_FDCWD, "/k0");
  for (let i = 1; i < 30; i++) symlinkAt(lab.root, `${long}k${i - 1}`, AT_FDCWD, `/k${i}`);
  assertEquals(lab.do("readFile", { path: "/k29" }).text, "x");
  assertEquals(lab.write({ path: "/k29" }, bytes("early data")).outcome, { bytes: 10 });
  assertEquals(readText(lab.root, "/f"), "early data");
});
