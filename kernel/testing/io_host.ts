/** A FakeHost whose file calls are real: for tests over descriptors that a Gofer donated. */

import {
  SYS_close,
  SYS_fallocate,
  SYS_fdatasync,
  SYS_fsync,
  SYS_ftruncate,
  SYS_lseek,
  SYS_preadv,
  SYS_pwritev,
  SYS_read,
  SYS_readv,
  SYS_write,
  SYS_writev,
} from "../../ffi/abi/syscall_numbers.ts";
import { SEEK_END } from "../../ffi/abi/fs.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { FakeHost } from "./fake_host.ts";

export class IoHost extends FakeHost {
  /** Host calls on descriptors. */
  calls: number = 0;
  /** Descriptors that were closed. */
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
  override close(fd: number): void {
    this.closed++;
    syscall(SYS_close, fd);
  }
}
