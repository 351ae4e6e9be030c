/** A FakeHost whose file calls are real, for tests over descriptors that a Gofer donated. */

import {
  SYS_close,
  SYS_fallocate,
  SYS_fdatasync,
  SYS_fsync,
  SYS_ftruncate,
  SYS_ioctl,
  SYS_lseek,
  SYS_preadv,
  SYS_pwritev,
  SYS_read,
  SYS_readv,
  SYS_write,
  SYS_writev,
} from "../../ffi/abi/syscall_numbers.ts";
import { SEEK_END } from "../../ffi/abi/fs.ts";
import { POLLERR, POLLHUP } from "../../ffi/abi/poll.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Waiter } from "../core/wait.ts";
import type { HostFileStatus } from "../core/host.ts";
import { FakeHost } from "./fake_host.ts";

export class IoHost extends FakeHost {
  /** The number of host calls on descriptors. */
  calls: number = 0;
  /** The number of descriptors that were closed. */
  closed: number = 0;

  override read(fd: number, addr: number, len: number): number {
    this.calls++;
    return syscall(SYS_read, fd, addr, len);
  }
  override write(fd: number, addr: number, len: number): number {
    this.calls++;
    return syscall(SYS_write, fd, addr, len);
  }
  override preadv(fd: number, iov: number, count: number, offset: number): number {
    this.calls++;
    if (offset === -1) return syscall(SYS_readv, fd, iov, count);
    return syscall(SYS_preadv, fd, iov, count, offset, 0);
  }
  override pwritev(fd: number, iov: number, count: number, offset: number): number {
    this.calls++;
    if (offset === -1) return syscall(SYS_writev, fd, iov, count);
    return syscall(SYS_pwritev, fd, iov, count, offset, 0);
  }
  override ftruncate(fd: number, size: number): number {
    return syscall(SYS_ftruncate, fd, size);
  }
  override fallocate(fd: number, mode: number, offset: number, len: number): number {
    return syscall(SYS_fallocate, fd, mode, offset, len);
  }
  override fsync(fd: number, dataOnly: boolean): number {
    return syscall(dataOnly ? SYS_fdatasync : SYS_fsync, fd);
  }
  override lseek(fd: number, offset: number, whence: number): number {
    return syscall(SYS_lseek, fd, offset, whence);
  }
  override fileSize(fd: number): number {
    return syscall(SYS_lseek, fd, 0, SEEK_END);
  }
  override fileStatus(fd: number, out: HostFileStatus): number {
    const size = this.fileSize(fd);
    if (size < 0) return size;
    out.size = size;
    out.blocks = Math.ceil(size / 512);
    return 0;
  }
  override ioctl(fd: number, request: number, addr: number): number {
    return syscall(SYS_ioctl, fd, request, addr);
  }
  override pollNow(fd: number, events: number): number {
    const r = poll(fd, events, 0);
    return r < 0 ? r : r & (events | POLLERR | POLLHUP);
  }
  /** The watched descriptors: a test reports their events with `report`. */
  readonly watches: Map<number, { events: number; waiter: Waiter }> = new Map();
  override watch(fd: number, events: number, waiter: Waiter): number {
    this.watches.set(fd, { events, waiter });
    return 0;
  }
  override arm(fd: number, events: number): number {
    const watch = this.watches.get(fd);
    if (watch !== undefined) watch.events = events;
    return 0;
  }
  override unwatch(fd: number): void {
    this.watches.delete(fd);
  }
  /** Reports the armed events of a descriptor that are set, as the loop would. */
  report(fd: number): void {
    const watch = this.watches.get(fd);
    if (watch === undefined || watch.events === 0) return;
    const now = this.pollNow(fd, watch.events);
    if (now === 0) return;
    watch.events = 0;
    watch.waiter.onWake(now);
  }
  override close(fd: number): void {
    this.closed++;
    syscall(SYS_close, fd);
  }
}
