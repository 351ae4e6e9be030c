/**
 * Descriptors over UNIX sockets: sendmsg(2) and recvmsg(2) with SCM_RIGHTS.
 *
 * The caller does the framing: on a stream socket descriptors arrive with the first byte of their
 * message. See unix(7), cmsg(3).
 */

import { EINVAL, EMFILE } from "../abi/errno.ts";
import {
  Cmsghdr,
  cmsgSpace,
  Iovec,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  Msghdr,
  SCM_MAX_FD,
  SCM_RIGHTS,
  SOL_SOCKET,
} from "../abi/socket.ts";
import { SYS_recvmsg, SYS_sendmsg } from "../abi/syscall_numbers.ts";
import { addressOf, scratch } from "./cstring.ts";
import { close } from "./files.ts";
import { syscall } from "./native.ts";

const AREA = 1;
const HEADER = 0;
const IOVEC = 64;
const CONTROL = 128;

/** A received message. The descriptors are close-on-exec and belong to the caller. */
interface Received {
  /** Bytes of data; 0 is the end of a stream. */
  readonly len: number;
  readonly fds: number[];
}

function prepare(data: Uint8Array, controlBytes: number): void {
  const { dv } = scratch;
  const at = scratch.areaOffset(AREA);
  scratch.u8.fill(0, at, at + CONTROL);
  dv.setBigUint64(at + IOVEC + Iovec.at.base, BigInt(addressOf(data)), true);
  dv.setBigUint64(at + IOVEC + Iovec.at.len, BigInt(data.length), true);
  dv.setBigUint64(at + HEADER + Msghdr.at.iov, BigInt(scratch.area(AREA) + IOVEC), true);
  dv.setBigUint64(at + HEADER + Msghdr.at.iovlen, 1n, true);
  if (controlBytes === 0) return;
  dv.setBigUint64(at + HEADER + Msghdr.at.control, BigInt(scratch.area(AREA) + CONTROL), true);
  dv.setBigUint64(at + HEADER + Msghdr.at.controllen, BigInt(controlBytes), true);
}

/**
 * Sends data and descriptors in one message; the descriptors stay open here.
 *
 * @param data at least one byte if there are descriptors
 * @param flags MSG_DONTWAIT and the like; MSG_NOSIGNAL is always set
 * @returns bytes sent, or `-errno`
 */
export function sendFds(sock: number, data: Uint8Array, fds: readonly number[], flags = 0): number {
  if (fds.length > SCM_MAX_FD || (fds.length > 0 && data.length === 0)) return -EINVAL;
  const dataBytes = 4 * fds.length;
  prepare(data, fds.length === 0 ? 0 : cmsgSpace(dataBytes));
  const at = scratch.areaOffset(AREA) + CONTROL;
  scratch.dv.setBigUint64(at + Cmsghdr.at.len, BigInt(Cmsghdr.size + dataBytes), true);
  scratch.dv.setInt32(at + Cmsghdr.at.level, SOL_SOCKET, true);
  scratch.dv.setInt32(at + Cmsghdr.at.type, SCM_RIGHTS, true);
  fds.forEach((fd, i) => scratch.dv.setInt32(at + Cmsghdr.size + 4 * i, fd, true));
  return syscall(SYS_sendmsg, sock, scratch.area(AREA) + HEADER, flags | MSG_NOSIGNAL);
}

/**
 * Receives one message into `buf`.
 *
 * @param flags MSG_DONTWAIT and the like; MSG_CMSG_CLOEXEC is always set
 * @returns the message, or `-errno`; -EMFILE if the host could not install all descriptors (the
 * installed ones are closed)
 */
export function recvFds(sock: number, buf: Uint8Array, flags = 0): Received | number {
  const capacity = cmsgSpace(4 * SCM_MAX_FD);
  prepare(buf, capacity);
  const header = scratch.areaOffset(AREA) + HEADER;
  const len = syscall(SYS_recvmsg, sock, scratch.area(AREA) + HEADER, flags | MSG_CMSG_CLOEXEC);
  if (len < 0) return len;
  const fds = receivedFds(scratch.dv.getUint32(header + Msghdr.at.controllen, true));
  if ((scratch.dv.getUint32(header + Msghdr.at.flags, true) & MSG_CTRUNC) === 0) {
    return { len, fds };
  }
  for (const fd of fds) close(fd);
  return -EMFILE;
}

function receivedFds(controlBytes: number): number[] {
  const { dv } = scratch;
  const fds: number[] = [];
  const start = scratch.areaOffset(AREA) + CONTROL;
  let at = start;
  while (at + Cmsghdr.size <= start + controlBytes) {
    const len = dv.getUint32(at + Cmsghdr.at.len, true);
    if (len < Cmsghdr.size) break;
    const isRights = dv.getInt32(at + Cmsghdr.at.level, true) === SOL_SOCKET &&
      dv.getInt32(at + Cmsghdr.at.type, true) === SCM_RIGHTS;
    for (let i = at + Cmsghdr.size; isRights && i + 4 <= at + len; i += 4) {
      fds.push(dv.getInt32(i, true));
    }
    at += cmsgSpace(len - Cmsghdr.size);
  }
  return fds;
}
