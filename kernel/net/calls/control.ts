/**
 * Control messages between user memory and a Message (cmsg(3), unix(7)): SCM_RIGHTS,
 * SCM_CREDENTIALS, and those of each family.
 */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import {
  EBADF,
  EFAULT,
  EINVAL,
  ENOBUFS,
  EPERM,
  ESRCH,
  ETOOMANYREFS,
} from "../../../ffi/abi/errno.ts";
import { CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  AF_NETLINK,
  AF_UNIX,
  cmsgAlign,
  Cmsghdr,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_OOB,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_PIDFD,
  SCM_RIGHTS,
  SCM_TXTIME,
  SO_TIMESTAMP,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPING,
  SO_TIMESTAMPING_NEW,
  SOL_SOCKET,
  Ucred,
} from "../../../ffi/abi/socket.ts";
import { SOF_TIMESTAMPING_SOFTWARE } from "../../../ffi/abi/errqueue.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { hasCapIn, hasOwnCap } from "../../cred/credentials.ts";
import { ControlWriter } from "../control_writer.ts";
import { type Message, PeerCredentials, UNKNOWN_PEER } from "../message.ts";
import { maySendRights } from "../rights.ts";
import type { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { installPidfd } from "./peer_pidfd.ts";

const HEADER = Cmsghdr.size;
const TIMES_BYTES = 48, TXTIME_BYTES = 8, PIDFD_BYTES = 4;
const writer = new ControlWriter();

/**
 * Reads `length` bytes of control messages to send: 0, or -errno without descriptors in the
 * message.
 */
export function controlIn(
  t: Task,
  socket: Socket,
  message: Message,
  addr: number,
  length: number,
): number {
  const { u8, dv } = t.kernel.scratch;
  if (length > u8.length) return -ENOBUFS;
  if (t.mm.copyIn(u8, 0, addr, length) < 0) return -EFAULT;
  for (let at = 0; at + HEADER <= length;) {
    const bytes = dv.getUint32(at + Cmsghdr.at.len, true);
    const isLong = dv.getUint32(at + Cmsghdr.at.len + 4, true) !== 0;
    if (isLong || bytes < HEADER || at + bytes > length) return refuse(message, -EINVAL);
    const r = takeOne(t, socket, message, dv, at, bytes - HEADER);
    if (r < 0) return refuse(message, r);
    at += cmsgAlign(bytes);
  }
  return 0;
}

function refuse(message: Message, error: number): number {
  message.dropRights();
  return error;
}

function takeOne(
  t: Task,
  socket: Socket,
  message: Message,
  dv: DataView,
  at: number,
  length: number,
): number {
  const level = dv.getInt32(at + Cmsghdr.at.level, true);
  const type = dv.getInt32(at + Cmsghdr.at.type, true), data = at + HEADER;
  if (level !== SOL_SOCKET) return socket.takeControl(message, level, type, dv, data, length);
  if (type === SCM_TXTIME) {
    // Links have no queue: a packet leaves at once, whatever time it asks for.
    return socket.options.takesSendTimes && length === TXTIME_BYTES ? 0 : -EINVAL;
  }
  if (socket.family !== AF_UNIX) {
    return type === SCM_RIGHTS || type === SCM_CREDENTIALS ? 0 : -EINVAL;
  }
  if (type === SCM_RIGHTS) return takeRights(t, message, dv, data, length);
  if (type !== SCM_CREDENTIALS || length !== Ucred.size) return -EINVAL;
  const pid = dv.getInt32(data + Ucred.at.pid, true);
  const { userNs } = t.cred;
  const uid = userNs.kernelUid(dv.getUint32(data + Ucred.at.uid, true));
  const gid = userNs.kernelGid(dv.getUint32(data + Ucred.at.gid, true));
  if (uid === NO_ID || gid === NO_ID) return -EINVAL;
  if (!mayClaim(t, pid, uid, gid)) return -EPERM;
  const id = t.pids.groups.get(pid)?.id ?? t.pids.tasks.get(pid)?.id;
  if (id === undefined) return -ESRCH;
  message.credentials = new PeerCredentials(pid, uid, gid, [], id);
  message.hasCredentials = true;
  return 0;
}

function takeRights(
  t: Task,
  message: Message,
  dv: DataView,
  data: number,
  length: number,
): number {
  const count = length >> 2, files: OpenFile[] = [...(message.rights ?? [])];
  if (files.length + count > SCM_MAX_FD) return -EINVAL;
  if (!maySendRights(files.length + count, t.account)) return -ETOOMANYREFS;
  const before = files.length;
  for (let i = 0; i < count; i++) {
    const file = t.files.get(dv.getInt32(data + 4 * i, true));
    if (file === null || file.isRing) {
      for (const taken of files.slice(before)) taken.drop();
      return file === null ? -EBADF : -EINVAL;
    }
    files.push(file.hold());
  }
  if (files.length > 0) message.rights = files;
  return 0;
}

/**
 * Whether the caller may send these credentials: others than its own need capabilities
 * (scm_check_creds of Linux).
 */
function mayClaim(t: Task, pid: number, uid: number, gid: number): boolean {
  const { cred } = t;
  return (pid === t.pid || hasCapIn(cred, t.pids.owner ?? cred.userNs, CAP_SYS_ADMIN)) &&
    (uid === cred.uid || uid === cred.euid || uid === cred.suid || hasOwnCap(cred, CAP_SETUID)) &&
    (gid === cred.gid || gid === cred.egid || gid === cred.sgid || hasOwnCap(cred, CAP_SETGID));
}

/**
 * Stores the control messages of a received message at `addr`, which has room for `capacity` bytes:
 * bytes stored, or -EFAULT. Descriptors are installed; those that do not fit are closed, and
 * `message.outFlags` gets MSG_CTRUNC.
 */
export function controlOut(
  t: Task,
  socket: Socket,
  message: Message,
  addr: number,
  capacity: number,
): number {
  // An urgent byte has no control messages.
  if ((message.outFlags & MSG_OOB) !== 0) return 0;
  writer.start(addr === 0 ? 0 : capacity);
  if (message.timeSec >= 0) {
    if (socket.options.timestamp !== 0) putTime(socket, message);
    if ((socket.options.timestamping & SOF_TIMESTAMPING_SOFTWARE) !== 0) putTimes(socket, message);
  }
  socket.describeMessage(message, writer);
  const isLocal = socket.family === AF_UNIX || socket.family === AF_NETLINK;
  if (socket.options.passCredentials && isLocal) putCredentials(t, message);
  if (message.rights !== null) putRights(t, message, message.rights);
  if (socket.options.passPidfd && socket.family === AF_UNIX) putPidfd(t, message);
  message.outFlags |= writer.flags;
  if (writer.length === 0) return 0;
  return t.mm.copyOut(addr, writer.u8, 0, writer.length) < 0 ? -EFAULT : writer.length;
}

function putTime(socket: Socket, message: Message): void {
  const kind = socket.options.timestamp, at = writer.data;
  const part = kind === SO_TIMESTAMP || kind === SO_TIMESTAMP_NEW
    ? Math.floor(message.timeNsec / 1000)
    : message.timeNsec;
  writer.dv.setBigInt64(at, BigInt(message.timeSec), true);
  writer.dv.setBigInt64(at + 8, BigInt(part), true);
  writer.put(SOL_SOCKET, kind, 16);
}

/** struct scm_timestamping: three times, of which the first is the software time. */
function putTimes(socket: Socket, message: Message): void {
  const at = writer.data;
  writer.dv.setBigInt64(at, BigInt(message.timeSec), true);
  writer.dv.setBigInt64(at + 8, BigInt(message.timeNsec), true);
  writer.u8.fill(0, at + 16, at + TIMES_BYTES);
  const name = socket.options.isTimestampingNew ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING;
  writer.put(SOL_SOCKET, name, TIMES_BYTES);
}

function putCredentials(t: Task, message: Message): void {
  const from = message.credentials ?? UNKNOWN_PEER, { uid, gid } = from, at = writer.data;
  writer.dv.setInt32(at + Ucred.at.pid, from.pidIn(t.pids), true);
  writer.dv.setUint32(at + Ucred.at.uid, t.cred.userNs.shownUid(uid), true);
  writer.dv.setUint32(at + Ucred.at.gid, t.cred.userNs.shownGid(gid), true);
  writer.put(SOL_SOCKET, SCM_CREDENTIALS, Ucred.size);
}

/** SCM_PIDFD: a pidfd of the sender, if its credentials were recorded. */
function putPidfd(t: Task, { credentials }: Message): void {
  if (credentials === null) return;
  if (writer.room < PIDFD_BYTES) {
    writer.flags |= MSG_CTRUNC;
    return;
  }
  writer.putInt(SOL_SOCKET, SCM_PIDFD, installPidfd(t, credentials));
}

function putRights(t: Task, message: Message, files: readonly OpenFile[]): void {
  const limit = t.group.limits.get(RLIMIT_NOFILE), at = writer.data;
  const cloexec = (message.flags & MSG_CMSG_CLOEXEC) !== 0;
  const room = Math.max(0, Math.floor(writer.room / 4));
  let count = 0;
  for (const file of files) {
    const fd = count < room ? t.files.install(file, cloexec, limit) : -1;
    if (fd < 0) break;
    writer.dv.setInt32(at + 4 * count, fd, true);
    count++;
  }
  message.rights = null;
  for (const file of files.slice(count)) file.drop();
  if (count > 0) writer.put(SOL_SOCKET, SCM_RIGHTS, count * 4);
  if (count < files.length) writer.flags |= MSG_CTRUNC;
}
