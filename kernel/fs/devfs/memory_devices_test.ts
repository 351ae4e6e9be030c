/** Tests of memory_devices.ts and devices.ts. */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EFAULT, EINVAL, ENODEV, ENOSPC, EPERM } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, O_RDONLY, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { RNDADDENTROPY, RNDRESEEDCRNG } from "../../../ffi/abi/ioctl.ts";
import { makedev, S_IFCHR } from "../../../ffi/abi/stat.ts";
import { ZeroBacking } from "../../mm/zero_backing.ts";
import { openAt } from "../../vfs/open.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { BufferCursor, TestFiles } from "../../vfs/vfs_testing.ts";
import { NO_MEMORY } from "../devpts/terminal_testing.ts";
import { registerMemoryDevices } from "./devices.ts";
import { populateDev } from "./devtmpfs.ts";

class Lab {
  readonly files: TestFiles = new TestFiles();
  readonly lines: string[] = [];

  constructor() {
    registerMemoryDevices(this.files.vfs.special, this.files.host, this);
    assertEquals(populateDev(this.files.tmpfs.root, TEST_ACCOUNT), 0);
    const kmsg = this.files.tmpfs.root.mknod(
      "kmsg",
      S_IFCHR | 0o600,
      makedev(1, 11),
      0,
      0,
      TEST_ACCOUNT,
    );
    assertEquals(typeof kmsg, "object");
  }
  log(line: string): void {
    this.lines.push(line);
  }
  open(name: string, flags: number = O_RDWR): OpenFile {
    const file = openAt(this.files.root, AT_FDCWD, name, flags, 0);
    if (typeof file === "number") throw new Error(`${name}: ${file}`);
    return file;
  }
}

function filled(len: number): BufferCursor {
  return new BufferCursor(new Uint8Array(len).fill(7));
}

Deno.test("null is empty and accepts every write, even of unreadable memory", () => {
  const lab = new Lab(), file = lab.open("/null");
  assertEquals(file.read(filled(10), 0), 0);
  assertEquals(file.write(new BufferCursor(new Uint8Array(10), 0), 0), 10);
  assertEquals(file.mmap(false, false), -ENODEV);
});

Deno.test("zero reads as zeros and can be mapped", () => {
  const lab = new Lab(), file = lab.open("/zero"), io = filled(10000);
  assertEquals(file.read(io, 0), 10000);
  assertEquals(io.buffer.every((b) => b === 0), true);
  assertEquals(file.read(new BufferCursor(new Uint8Array(10), 0), 0), -EFAULT);
  assertEquals(file.write(filled(10), 0), 10);
  assertEquals(file.mmap(true, true) instanceof ZeroBacking, true);
});

Deno.test("full reads as zeros and has no space", () => {
  const lab = new Lab(), file = lab.open("/full"), io = filled(10);
  assertEquals(file.read(io, 0), 10);
  assertEquals(io.buffer[9], 0);
  assertEquals(file.write(filled(1), 0), -ENOSPC);
});

Deno.test("random returns any number of bytes, up to an inaccessible page", () => {
  const lab = new Lab();
  for (const name of ["/random", "/urandom"]) {
    const file = lab.open(name), io = new BufferCursor(new Uint8Array(9000));
    assertEquals(file.read(io, 0), 9000);
    // The lab's host gives only sevens.
    assertEquals(io.buffer.every((b) => b === 7), true);
    assertEquals(file.read(new BufferCursor(new Uint8Array(9000), 5000), 0), 5000);
    assertEquals(file.write(filled(10), 0), 10);
  }
});

Deno.test("only an administrator may credit entropy", () => {
  const lab = new Lab(), { root } = lab.files;
  const user = openAt(root.as(1000), AT_FDCWD, "/random", O_RDWR, 0);
  if (typeof user === "number") throw new Error("refused");
  assertEquals(user.ioctl(RNDADDENTROPY, 0, NO_MEMORY), -EPERM);
  assertEquals(lab.open("/random").ioctl(RNDRESEEDCRNG, 0, NO_MEMORY), 0);
});

Deno.test("kmsg takes lines of a bounded length, and is not read", () => {
  const lab = new Lab();
  assertEquals(openAt(lab.files.root, AT_FDCWD, "/kmsg", O_RDONLY, 0), -EPERM);
  const file = lab.open("/kmsg", O_WRONLY);
  const text = new TextEncoder().encode("<6>hello\x1b[0m\nthere");
  assertEquals(file.write(new BufferCursor(text), -1), text.length);
  assertEquals(lab.lines, ["guest: <6>hello [0m there"]);
  assertEquals(file.write(filled(2000), -1), -EINVAL);
});
