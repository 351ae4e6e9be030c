/**
 * One connected stream socket that moves bytes, and on UNIX sockets descriptors, without
 * allocation.
 *
 * Its message headers are laid out once; a send or receive fills in an address and a length.
 * Framing and buffers belong to the callers: server/connection.ts and client/connection.ts.
 */

import {
  Cmsghdr,
  cmsgSpace,
  Iovec,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  Msghdr,
  SCM_RIGHTS,
  SOL_SOCKET,
} from "../../ffi/abi/socket.ts";
import { EPROTO } from "../../ffi/abi/errno.ts";
import {
  SYS_close,
  SYS_recvfrom,
  SYS_recvmsg,
  SYS_sendmsg,
  SYS_sendto,
} from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";

/** LIMIT: descriptors in one sendmsg; the host's own limit is 253. */
export const FDS_PER_SEND = 64;

const TWO_32 = 2 ** 32;
const IOVEC_AT = Msghdr.size;
const CONTROL_AT = 128;
const CONTROL_BYTES = cmsgSpace(4 * FDS_PER_SEND);

export class FdSocket {
  readonly fd: number;
  /** Descriptors received and not taken yet, oldest first. */
  readonly received: number[] = [];
  readonly #memory = allocBuffer(CONTROL_AT + CONTROL_BYTES);
  readonly #dv = new DataView(this.#memory.buffer);
  readonly #address = addressOf(this.#memory);

  constructor(fd: number) {
    this.fd = fd;
    this.#setU64(Msghdr.at.iov, this.#address + IOVEC_AT);
    this.#setU64(Msghdr.at.iovlen, 1);
    this.#setU64(Msghdr.at.control, this.#address + CONTROL_AT);
  }

  #setU64(at: number, v: number): void {
    const hi = Math.floor(v / TWO_32);
    this.#dv.setUint32(at, v - hi * TWO_32, true);
    this.#dv.setUint32(at + 4, hi, true);
  }

  /**
   * recvfrom(2): bytes, 0 at the end of the stream, or -errno. Descriptors sent along are refused.
   */
  receive(addr: number, len: number, flags: number): number { // HOT
    return syscall(SYS_recvfrom, this.fd, addr, len, flags);
  }

  /**
   * recvmsg(2): the same, and descriptors go to `received`. -EPROTO if the host had no room for
   * one.
   */
  receiveWithFds(addr: number, len: number, flags: number): number { // HOT
    const dv = this.#dv;
    this.#setU64(IOVEC_AT + Iovec.at.base, addr);
    this.#setU64(IOVEC_AT + Iovec.at.len, len);
    dv.setUint32(Msghdr.at.controllen, CONTROL_BYTES, true);
    dv.setUint32(Msghdr.at.flags, 0, true);
    const n = syscall(SYS_recvmsg, this.fd, this.#address, flags | MSG_CMSG_CLOEXEC);
    if (n < 0) return n;
    const control = dv.getUint32(Msghdr.at.controllen, true);
    if (control !== 0) this.#collect(control);
    return (dv.getUint32(Msghdr.at.flags, true) & MSG_CTRUNC) === 0 ? n : -EPROTO;
  }

  #collect(controlBytes: number): void {
    const dv = this.#dv;
    const end = CONTROL_AT + controlBytes;
    let at = CONTROL_AT;
    while (at + Cmsghdr.size <= end) {
      const len = dv.getUint32(at + Cmsghdr.at.len, true);
      if (len < Cmsghdr.size) return;
      if (
        dv.getInt32(at + Cmsghdr.at.level, true) === SOL_SOCKET &&
        dv.getInt32(at + Cmsghdr.at.type, true) === SCM_RIGHTS
      ) {
        for (let i = at + Cmsghdr.size; i + 4 <= at + len; i += 4) {
          this.received.push(dv.getInt32(i, true));
        }
      }
      at += cmsgSpace(len - Cmsghdr.size);
    }
  }

  /** sendto(2): bytes sent or -errno; never SIGPIPE. */
  send(addr: number, len: number, flags: number): number { // HOT
    return syscall(SYS_sendto, this.fd, addr, len, flags | MSG_NOSIGNAL);
  }

  /** sendmsg(2) with up to FDS_PER_SEND descriptors, which stay open here. */
  sendWithFds(addr: number, len: number, flags: number, fds: readonly number[]): number {
    const dv = this.#dv;
    const bytes = Cmsghdr.size + 4 * fds.length;
    this.#setU64(IOVEC_AT + Iovec.at.base, addr);
    this.#setU64(IOVEC_AT + Iovec.at.len, len);
    dv.setUint32(Msghdr.at.controllen, cmsgSpace(4 * fds.length), true);
    dv.setUint32(Msghdr.at.flags, 0, true);
    this.#setU64(CONTROL_AT + Cmsghdr.at.len, bytes);
    dv.setInt32(CONTROL_AT + Cmsghdr.at.level, SOL_SOCKET, true);
    dv.setInt32(CONTROL_AT + Cmsghdr.at.type, SCM_RIGHTS, true);
    for (let i = 0; i < fds.length; i++) {
      dv.setInt32(CONTROL_AT + Cmsghdr.size + 4 * i, fds[i] ?? -1, true);
    }
    return syscall(SYS_sendmsg, this.fd, this.#address, flags | MSG_NOSIGNAL);
  }

  /** Closes the socket and every descriptor that was not taken. */
  close(): void {
    for (const fd of this.received.splice(0)) syscall(SYS_close, fd);
    syscall(SYS_close, this.fd);
  }
}
