/** Tests of host_file.ts and host_inode.ts over pipes and files of the host. */
import { POLLHUP, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  O_CREAT,
  O_LARGEFILE,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../ffi/abi/fcntl.ts";
import { TCGETS } from "../../../ffi/abi/ioctl.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { close, lseek, openat, pipe, read, write } from "../../../ffi/sys/files.ts";
import { Waiter } from "../../core/wait.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import { IoHost } from "../../testing/io_host.ts";
import { DeviceNumbers } from "../../vfs/device_numbers.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { errno } from "../../vfs/vfs_testing.ts";
import { adoptHostFd } from "./adopt.ts";
import { HostFdFs } from "./host_inode.ts";
import { REGULAR, STREAM } from "./kinds.ts";

const page = allocBuffer(4096), buffer = allocBuffer(262144);
const at = addressOf(buffer);

class Count extends Waiter {
  woken: number = 0;
  override onWake(_events: number): void {
    this.woken++;
  }
}

function lab() {
  const host = new IoHost();
  return { host, fs: new HostFdFs(host, new DeviceNumbers(), { bounce: addressOf(page) }) };
}

function put(file: OpenFile, text: string): number {
  const bytes = new TextEncoder().encode(text);
  copyFromBuffer(at, bytes, 0, bytes.length);
  const n = file.write(new KernelCursor().set(at, bytes.length), file.isSeekable ? file.pos : -1);
  if (n > 0 && file.isSeekable) file.pos += n;
  return n;
}

function get(file: OpenFile, len: number): string | number {
  const n = file.read(new KernelCursor().set(at, len), file.isSeekable ? file.pos : -1);
  if (n < 0) return errno(n);
  if (file.isSeekable) file.pos += n;
  const bytes = new Uint8Array(n);
  copyToBuffer(bytes, 0, at, n);
  return new TextDecoder().decode(bytes);
}

function hostPipe(): [number, number] {
  const fds = pipe(0);
  if (typeof fds === "number") throw new Error(`pipe: ${fds}`);
  return fds;
}

Deno.test("an empty host pipe never blocks: the reader is woken by the host", () => {
  const { host, fs } = lab(), [r, w] = hostPipe();
  const file = adoptHostFd(TEST_ACCOUNT, fs, r, O_RDONLY);
  assertEquals(file.inode.kind, STREAM);
  assertEquals(get(file, 10), "EAGAIN");
  const waiter = new Count();
  file.waitQueue!.add(waiter, POLLIN);
  host.report(r);
  assertEquals(waiter.woken, 0);
  copyFromBuffer(at, new TextEncoder().encode("hi"), 0, 2);
  write(w, at, 2);
  host.report(r);
  assertEquals(waiter.woken, 1);
  assertEquals(file.poll() & POLLIN, POLLIN);
  assertEquals(get(file, 10), "hi");
  close(w);
  assertEquals(file.poll() & POLLHUP, POLLHUP);
  assertEquals(get(file, 10), "");
  file.drop();
  assertEquals([host.closed, host.watches.size], [1, 0]);
});

Deno.test("a full host pipe takes the bytes that fit and then fails with EAGAIN", () => {
  const { host, fs } = lab(), [r, w] = hostPipe();
  const file = adoptHostFd(TEST_ACCOUNT, fs, w, O_WRONLY);
  const total = file.write(new KernelCursor().set(at, 262144), -1);
  assertEquals(total, 65536);
  assertEquals(errno(file.write(new KernelCursor().set(at, 10), -1)), "EAGAIN");
  const waiter = new Count();
  file.waitQueue!.add(waiter, POLLOUT);
  read(r, at, 65536);
  host.report(w);
  assertEquals(waiter.woken, 1);
  assertEquals(put(file, "more"), 4);
  close(r);
  assertEquals(errno(file.write(new KernelCursor().set(at, 10), -1)), "EPIPE");
  file.drop();
});

Deno.test("a host file is ready for reading and writing, in every mode", () => {
  const { fs } = lab(), path = Deno.makeTempFileSync(), [r, w] = hostPipe();
  const file = adoptHostFd(TEST_ACCOUNT, fs, openat(AT_FDCWD, path, O_WRONLY), O_WRONLY);
  assertEquals(file.poll() & (POLLIN | POLLOUT), POLLIN | POLLOUT);
  assertEquals(file.flags, O_WRONLY | O_LARGEFILE);
  const stream = adoptHostFd(TEST_ACCOUNT, fs, w, O_WRONLY);
  assertEquals(stream.flags, O_WRONLY);
  stream.drop();
  file.drop();
  close(r);
  Deno.removeSync(path);
});

Deno.test("a host file is used at the position that its starter left, which moves along", () => {
  const { fs } = lab();
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, "0123456789");
  const fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT), mine = openat(AT_FDCWD, path, O_RDONLY);
  lseek(fd, 2, 0);
  const file = adoptHostFd(TEST_ACCOUNT, fs, fd, O_RDWR);
  assertEquals(file.inode.kind, REGULAR);
  assertEquals(get(file, 3), "234");
  assertEquals(put(file, "xy"), 2);
  assertEquals(lseek(fd, 0, 1), 7);
  file.pos = 0;
  assertEquals(get(file, 10), "01234xy789");
  assertEquals(file.inode.refresh(), 0);
  assertEquals(file.inode.size, 10);
  const again = file.inode.open(fs.rootDentry!, O_RDONLY, file.cred!, TEST_ACCOUNT);
  if (typeof again === "number") throw new Error(`open: ${again}`);
  assertEquals(get(again, 2), "01");
  assertEquals(lseek(fd, 0, 1), 10);
  file.drop();
  assertEquals(get(again, 2), "23");
  again.drop();
  assertEquals(lseek(fd, 0, 1) < 0, true);
  close(mine);
  Deno.removeSync(path);
});

Deno.test("a host pipe refuses requests of terminals", () => {
  const { fs } = lab(), [r, w] = hostPipe();
  const file = adoptHostFd(TEST_ACCOUNT, fs, r, O_RDONLY);
  assertEquals(errno(file.ioctl(TCGETS, 0, null!)), "ENOTTY");
  file.drop();
  close(w);
});
