import { TEST_ACCOUNT } from "./core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EACCES, EIO, ENODEV, ENOENT } from "../ffi/abi/errno.ts";
import { AT_FDCWD, O_RDWR } from "../ffi/abi/fcntl.ts";
import { makedev, S_IFCHR } from "../ffi/abi/stat.ts";
import { Console } from "./console.ts";
import { bytesToString, stringToBytes } from "./core/bytes.ts";
import { DevptsFs } from "./fs/devpts/devpts_fs.ts";
import { registerTerminals } from "./fs/devpts/openers.ts";
import { TestHooks } from "./fs/devpts/terminal_testing.ts";
import { mkdirAt, mknodAt } from "./vfs/create.ts";
import { addMount } from "./vfs/mount_operations.ts";
import { openAt } from "./vfs/open.ts";
import { findAt } from "./vfs/status.ts";
import { BufferCursor, TestFiles } from "./vfs/vfs_testing.ts";

function lab(ptmxMode: number) {
  const files = new TestFiles(), hooks = new TestHooks(), { root } = files;
  const terminals = registerTerminals(files.vfs.special, files.host, hooks);
  mkdirAt(root, AT_FDCWD, "/dev", 0o755);
  mkdirAt(root, AT_FDCWD, "/dev/pts", 0o755);
  const console = Console.open(TEST_ACCOUNT, terminals, files.namespace, root.cred);
  assertEquals(console, -ENOENT);
  const options = { uid: -1, gid: 5, mode: 0o620, ptmxMode, max: 8 };
  const at = findAt(root, AT_FDCWD, "/dev/pts", 0);
  if (typeof at === "number") throw new Error("no /dev/pts");
  assertEquals(addMount(root, new DevptsFs(files.vfs, hooks, options), at, 0, "devpts"), 0);
  return { files, root, terminals };
}

Deno.test("the console joins the host's side and the first process's files", () => {
  const { files, root, terminals } = lab(0o666);
  assertEquals(mknodAt(root, AT_FDCWD, "/dev/console", S_IFCHR | 0o600, makedev(5, 1)), 0);
  assertEquals(openAt(root, AT_FDCWD, "/dev/console", O_RDWR, 0), -ENODEV);
  const cred = root.as(1000).cred;
  const opened = Console.open(TEST_ACCOUNT, terminals, files.namespace, cred);
  if (typeof opened === "number") throw new Error(`refused: ${opened}`);
  const { console, files: [stdin, stdout, stderr] } = opened;
  const { master } = console;
  assertEquals([stdin, stdout], [stdout, stderr]);
  assertEquals([stdin?.inode.uid, stdin?.inode.gid, stdin?.inode.mode], [1000, 5, 0o20620]);
  assertEquals(stdin?.path?.dentry.name, "0");
  master.resize(24, 80);
  assertEquals([master.terminal.rows, master.terminal.columns], [24, 80]);
  assertEquals(master.type(stringToBytes("hi\n"), 3), 3);
  const io = new BufferCursor(new Uint8Array(100));
  assertEquals(stdin?.read(io, -1), 3);
  stdout?.write(new BufferCursor(stringToBytes("out\n")), -1);
  const screen = new Uint8Array(100), n = master.fetch(screen);
  assertEquals(bytesToString(screen, 0, n), "hi\r\nout\r\n");
  assertEquals(master.fetch(screen), 0);
  const again = openAt(root, AT_FDCWD, "/dev/console", O_RDWR, 0);
  if (typeof again === "number") throw new Error(`refused: ${again}`);
  again.drop();
  for (const file of opened.files) file.drop();
  assertEquals(master.fetch(screen), -EIO);
  console.hangUp();
  assertEquals(openAt(root, AT_FDCWD, "/dev/console", O_RDWR, 0), -ENODEV);
  assertEquals(openAt(root, AT_FDCWD, "/dev/pts/0", O_RDWR, 0), -ENOENT);
});

Deno.test("a devpts whose ptmx the user may not open gives no console", () => {
  const { files, root, terminals } = lab(0);
  const cred = root.as(1000).cred;
  assertEquals(Console.open(TEST_ACCOUNT, terminals, files.namespace, cred), -EACCES);
});
