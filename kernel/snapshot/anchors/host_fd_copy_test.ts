/** Open files over descriptors of the host are copied, and get the descriptors of a new start. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AT_FDCWD, O_RDONLY, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { POLLHUP, POLLIN } from "../../../ffi/abi/poll.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { close, lseek, openat, pipe } from "../../../ffi/sys/files.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { Waiter } from "../../core/wait.ts";
import { adoptHostFd } from "../../fs/hostfd/adopt.ts";
import { HostFile } from "../../fs/hostfd/host_file.ts";
import { HostFdFs } from "../../fs/hostfd/host_inode.ts";
import { REGULAR, STREAM } from "../../fs/hostfd/kinds.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import { IoHost } from "../../testing/io_host.ts";
import { DeviceNumbers } from "../../vfs/device_numbers.ts";
import { errno } from "../../vfs/vfs_testing.ts";
import { decodeGraph } from "../graph/decoder.ts";
import { encodeGraph } from "../graph/encoder.ts";
import { RefusedError } from "../graph/graph_error.ts";
import { LAB_TABLE } from "./copied_lab_testing.ts";

const page = allocBuffer(4096), buffer = allocBuffer(4096), at = addressOf(buffer);

class Count extends Waiter {
  woken: number = 0;
  override onWake(_events: number): void {
    this.woken++;
  }
}

function fileOver(fd: number, flags: number): HostFile {
  const fs = new HostFdFs(new IoHost(), new DeviceNumbers(), { bounce: addressOf(page) });
  return adoptHostFd(TEST_ACCOUNT, fs, fd, flags);
}

/** A copy on a host of its own, and that host. */
function copyOf(file: HostFile): { copy: HostFile; host: IoHost } {
  const host = new IoHost();
  const image = encodeGraph([TEST_ACCOUNT, file], LAB_TABLE, { isThorough: true });
  const [, copy] = decodeGraph(image.bytes, LAB_TABLE, { host: { host } }) as unknown[];
  if (!(copy instanceof HostFile)) throw new Error("no file");
  return { copy, host };
}

function put(file: HostFile, text: string): number {
  const bytes = new TextEncoder().encode(text);
  copyFromBuffer(at, bytes, 0, bytes.length);
  const n = file.write(new KernelCursor().set(at, bytes.length), file.isSeekable ? file.pos : -1);
  if (n > 0 && file.isSeekable) file.pos += n;
  return n;
}

function get(file: HostFile, len: number): string {
  const n = file.read(new KernelCursor().set(at, len), file.isSeekable ? file.pos : -1);
  if (n < 0) return `${errno(n)}`;
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

Deno.test("a copy of a pipe is closed until it gets a descriptor, which it watches", () => {
  const [r, w] = hostPipe(), file = fileOver(r, O_RDONLY);
  assertEquals(get(file, 10), "EAGAIN");
  const { copy, host } = copyOf(file), { inode } = copy;
  file.drop();
  assertEquals([get(copy, 10), errno(put(copy, "x")), copy.poll() & POLLHUP], [
    "",
    "EPIPE",
    POLLHUP,
  ]);
  const waiter = new Count();
  copy.waitQueue!.add(waiter, POLLIN);
  const [r2, w2] = hostPipe();
  inode.connect(r2);
  assertEquals([waiter.woken, get(copy, 10), host.watches.has(r2)], [1, "EAGAIN", true]);
  const other = fileOver(w2, O_WRONLY);
  put(other, "hi");
  host.report(r2);
  assertEquals([waiter.woken, get(copy, 10)], [2, "hi"]);
  other.drop();
  copy.drop();
  assertEquals([host.closed, host.watches.size], [1, 0]);
  close(w);
});

Deno.test("a copy that gets no descriptor is at its end, and wakes those that wait", () => {
  const [r, w] = hostPipe(), file = fileOver(w, O_WRONLY), { copy, host } = copyOf(file);
  const waiter = new Count();
  copy.waitQueue!.add(waiter, POLLIN);
  copy.inode.connect(-1);
  assertEquals([waiter.woken, errno(put(copy, "x"))], [1, "EPIPE"]);
  copy.drop();
  assertEquals(host.closed, 0);
  file.drop();
  close(r);
});

Deno.test("a regular file goes on at its position, if the new one reaches so far", () => {
  const path = Deno.makeTempFileSync({ prefix: "dvisor-hostfd-" });
  Deno.writeTextFileSync(path, "0123456789");
  const file = fileOver(openat(AT_FDCWD, path, O_RDWR), O_RDWR);
  assertEquals(get(file, 4), "0123");
  const long = copyOf(file).copy, short = copyOf(file).copy;
  long.inode.connect(openat(AT_FDCWD, path, O_RDWR));
  assertEquals([get(long, 2), put(long, "x")], ["45", 1]);
  assertEquals(lseek(long.inode.fd, 0, 1), 7);
  Deno.writeTextFileSync(path, "ab");
  const fd = openat(AT_FDCWD, path, O_RDWR);
  lseek(fd, 2, 0);
  short.inode.connect(fd);
  assertEquals([put(short, "c"), Deno.readTextFileSync(path)], [1, "abc"]);
  for (const open of [file, long, short]) open.drop();
  Deno.removeSync(path);
});

Deno.test("a copy may get a descriptor of another kind", () => {
  const path = Deno.makeTempFileSync({ prefix: "dvisor-hostfd-" });
  const [r, w] = hostPipe(), file = fileOver(w, O_WRONLY), { copy } = copyOf(file);
  const fd = openat(AT_FDCWD, path, O_WRONLY);
  Deno.writeTextFileSync(path, "log: ");
  lseek(fd, 5, 0);
  copy.inode.connect(fd);
  assertEquals([file.inode.kind, copy.inode.kind, copy.pos], [STREAM, REGULAR, 5]);
  assertEquals([put(copy, "one"), Deno.readTextFileSync(path)], [3, "log: one"]);
  assertEquals(copy.inode.mode & 0o170000, 0o100000);
  copy.drop();
  file.drop();
  close(r);
  Deno.removeSync(path);
});

Deno.test("a FIFO of the host that is open is refused, or closed in the copy", () => {
  const [r, w] = hostPipe(), file = fileOver(r, O_RDONLY), root = [TEST_ACCOUNT, file];
  file.inode.isFifo = true;
  assertThrows(() => encodeGraph(root, LAB_TABLE), RefusedError, "of the host is open");
  const image = encodeGraph(root, LAB_TABLE, { endsConnections: true });
  const [, copy] = decodeGraph(image.bytes, LAB_TABLE, {
    host: { host: new IoHost() },
  }) as unknown[];
  assert(copy instanceof HostFile);
  assertEquals([get(copy, 9), copy.poll() & POLLHUP], ["", POLLHUP]);
  file.drop();
  close(w);
});

Deno.test("a descriptor for a file that the guest has closed is closed", () => {
  const [r, w] = hostPipe(), file = fileOver(w, O_WRONLY), { copy, host } = copyOf(file);
  copy.drop();
  const [r2, w2] = hostPipe();
  copy.inode.connect(w2);
  assertEquals([copy.inode.fd, host.closed], [-1, 1]);
  file.drop();
  for (const fd of [r, r2]) close(fd);
});
