/**
 * The operations of requests, by opcode. Most are system calls with their arguments in other
 * places. Each checks the fields that it does not use, as Linux does: they must be zero.
 *
 * Neighbours: transfers.ts (reads, writes, polls), timeouts.ts (time-outs, cancelling).
 */

import { EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { MSG_NOSIGNAL, MSG_WAITALL } from "../../ffi/abi/socket.ts";
import { rows as epollRows } from "../epoll/calls/rows.ts";
import { rows as fsRows } from "../syscalls/fs/rows.ts";
import { rows as ioRows } from "../syscalls/io/rows.ts";
import { rows as mmRows } from "../syscalls/mm/rows.ts";
import { rows as netRows } from "../net/calls/rows.ts";
import { checkIoprio } from "../syscalls/sched/priority.ts";
import type { Handler } from "../syscalls/table.ts";
import { setArguments } from "./arguments.ts";
import { cancel, checkCancel } from "./cancel.ts";
import type { Sqe } from "./sqe.ts";
import { provideBuffers, removeBuffers } from "./buffers.ts";
import { checkCommand, command } from "./commands.ts";
import * as direct from "./direct_descriptors.ts";
import * as others from "./object_requests.ts";
import { receiveMessages } from "./messages.ts";
import {
  checkReadMany,
  checkReceive,
  checkSend,
  checkSendMessage,
  readMany,
  receive,
  send,
} from "./selected_buffers.ts";
import { acceptMany, poll, read, readVector, writeVector } from "./transfers.ts";
import { readFixed, write, writeFixed } from "./transfers.ts";
import { checkRemovePoll, linkTimeout, removePoll, removeTimeout, timeout } from "./timeouts.ts";
import type { Worker } from "./worker.ts";
import { checkZeroCopy, sendMessageWith, sendWith } from "./zero_copy.ts";

export interface Operation {
  /** The operation uses the file of `fd`, which it holds while in flight. */
  readonly needsFile: boolean;
  /** It moves bytes: a short transfer breaks a chain. */
  readonly isTransfer: boolean;
  /** It waits even if its file is O_NONBLOCK, as transfers do. */
  readonly waits?: boolean;
  /** It can read into a buffer that the ring chooses. */
  readonly selects?: boolean;
  /** The file that it makes can go into a slot of the registered files (file_index). */
  readonly makesFile?: boolean;
  /** A second completion reports that its bytes are no longer in use. */
  readonly notifies?: boolean;
  /** It waits in queues of futexes. */
  readonly waitsForFutex?: boolean;
  /** A cancel request of it completes with 1, not 0. */
  readonly countsCancels?: boolean;
  /** Meaning of `ioprio`: flags of its own, or a priority; without, it must be zero. */
  readonly ioprio?: "flags" | "priority";
  /** Checks the request: 0 or -errno. */
  check(sqe: Sqe): number;
  /** Runs the request: a result, or BLOCK; it runs again after a wake-up. */
  run(worker: Worker): number;
}

type Arguments = (sqe: Sqe) => readonly number[];

const nothingWrong = (_sqe: Sqe): number => 0;

function handlerOf(name: string): Handler {
  for (const rows of [epollRows, fsRows, ioRows, mmRows, netRows]) {
    const row = rows.find((r) => r.name === name);
    if (row !== undefined) return row.handler;
  }
  throw new Error(`no such system call: ${name}`);
}

function systemCall(
  name: string,
  args: Arguments,
  needsFile: boolean,
  check: (sqe: Sqe) => number = nothingWrong,
): Operation {
  const handler = handlerOf(name);
  return {
    needsFile,
    isTransfer: false,
    check,
    run(worker) {
      setArguments(worker, args(worker.sqe));
      return handler(worker, worker.args);
    },
  };
}

function own(
  run: (worker: Worker) => number,
  needsFile: boolean,
  isTransfer: boolean = false,
  check: (sqe: Sqe) => number = nothingWrong,
): Operation {
  return { needsFile, isTransfer, check, run };
}

const checkBind = (s: Sqe): number =>
  s.len !== 0 || s.bufIndex !== 0 || s.rwFlags !== 0 || s.spliceFd !== 0 ? -EINVAL : 0;
const checkTruncate = (s: Sqe): number =>
  s.rwFlags !== 0 || s.addr !== 0 || s.len !== 0 || s.bufIndex !== 0 || s.spliceFd !== 0
    ? -EINVAL
    : 0;
const checkListen = (s: Sqe): number =>
  s.addr !== 0 || s.bufIndex !== 0 || s.rwFlags !== 0 || s.spliceFd !== 0 || s.off !== 0
    ? -EINVAL
    : 0;

const fsync = systemCall("fsync", (s) => [s.fd], true);
const fdatasync = systemCall("fdatasync", (s) => [s.fd], true);
const close = systemCall("close", (s) => [s.fd], false);

const sendmsg = systemCall("sendmsg", (s) => [s.fd, s.addr, s.rwFlags | MSG_NOSIGNAL], true);

const OPERATIONS: readonly (readonly [number, Operation])[] = [
  [
    U.IORING_OP_NOP,
    own(
      ({ sqe }) => (sqe.rwFlags & U.IORING_NOP_INJECT_RESULT) !== 0 ? sqe.len | 0 : 0,
      false,
      false,
      (s) => (s.rwFlags & ~U.IORING_NOP_INJECT_RESULT) !== 0 ? -EINVAL : 0,
    ),
  ],
  [U.IORING_OP_READV, { ...own(readVector, true, true), selects: true, ioprio: "priority" }],
  [U.IORING_OP_WRITEV, { ...own(writeVector, true, true), ioprio: "priority" }],
  [U.IORING_OP_READ_FIXED, { ...own(readFixed, true, true), ioprio: "priority" }],
  [U.IORING_OP_WRITE_FIXED, { ...own(writeFixed, true, true), ioprio: "priority" }],
  [U.IORING_OP_READ, { ...own(read, true, true), selects: true, ioprio: "priority" }],
  [U.IORING_OP_WRITE, { ...own(write, true, true), ioprio: "priority" }],
  [
    U.IORING_OP_FSYNC,
    own(
      (w) => ((w.sqe.rwFlags & U.IORING_FSYNC_DATASYNC) !== 0 ? fdatasync : fsync).run(w),
      true,
      false,
      (s) =>
        s.addr !== 0 || s.bufIndex !== 0 || (s.rwFlags & ~U.IORING_FSYNC_DATASYNC) !== 0
          ? -EINVAL
          : 0,
    ),
  ],
  [
    U.IORING_OP_POLL_ADD,
    own(
      poll,
      true,
      false,
      (s) =>
        s.off !== 0 || s.addr !== 0 || (s.len & ~U.IORING_POLL_ADD_MULTI) !== 0 ||
          s.bufIndex !== 0
          ? -EINVAL
          : 0,
    ),
  ],
  [U.IORING_OP_POLL_REMOVE, own(removePoll, false, false, checkRemovePoll)],
  [
    U.IORING_OP_SYNC_FILE_RANGE,
    systemCall("sync_file_range", (s) => [s.fd, s.off, s.len, s.rwFlags], true),
  ],
  [U.IORING_OP_SENDMSG, { ...sendmsg, check: checkSendMessage, waits: true, ioprio: "flags" }],
  [U.IORING_OP_RECVMSG, {
    ...own(receiveMessages, true, false, checkReceive),
    ioprio: "flags",
    selects: true,
    waits: true,
  }],
  [U.IORING_OP_TIMEOUT, own(timeout, false)],
  [U.IORING_OP_TIMEOUT_REMOVE, own(removeTimeout, false)],
  [
    U.IORING_OP_ACCEPT,
    {
      ...own(acceptMany, true, false, direct.checkAccept),
      ioprio: "flags",
      makesFile: true,
      waits: true,
    },
  ],
  [U.IORING_OP_ASYNC_CANCEL, own(cancel, false, false, checkCancel)],
  [U.IORING_OP_LINK_TIMEOUT, own(linkTimeout, false)],
  [U.IORING_OP_CONNECT, {
    ...systemCall("connect", (s) => [s.fd, s.addr, s.off], true),
    waits: true,
  }],
  [
    U.IORING_OP_FALLOCATE,
    systemCall(
      "fallocate",
      (s) => [s.fd, s.len, s.off, s.addr],
      true,
      (s) => s.rwFlags !== 0 || s.bufIndex !== 0 ? -EINVAL : 0,
    ),
  ],
  [U.IORING_OP_OPENAT, {
    ...systemCall("openat", (s) => [s.fd, s.addr, s.rwFlags, s.len], false, direct.checkOpen),
    makesFile: true,
  }],
  [U.IORING_OP_OPENAT2, {
    ...own(direct.openat2, false, false, direct.checkOpen2),
    makesFile: true,
  }],
  [
    U.IORING_OP_CLOSE,
    own(
      (w) => w.sqe.spliceFd !== 0 ? direct.closePlace(w) : close.run(w),
      false,
      false,
      direct.checkClose,
    ),
  ],
  [U.IORING_OP_FILES_UPDATE, own(direct.filesUpdate, false, false, direct.checkFilesUpdate)],
  [U.IORING_OP_STATX, systemCall("statx", (s) => [s.fd, s.addr, s.rwFlags, s.len, s.off], false)],
  [
    U.IORING_OP_FADVISE,
    systemCall("fadvise64", (s) => [s.fd, s.off, s.addr !== 0 ? s.addr : s.len, s.rwFlags], true),
  ],
  [
    U.IORING_OP_MADVISE,
    systemCall("madvise", (s) => [s.addr, s.off !== 0 ? s.off : s.len, s.rwFlags], false),
  ],
  [U.IORING_OP_SEND, { ...own(send, true, true, checkSend), ioprio: "flags", selects: true }],
  [U.IORING_OP_SEND_ZC, {
    ...own(sendWith(send), true, true, checkZeroCopy),
    ioprio: "flags",
    notifies: true,
  }],
  [U.IORING_OP_SENDMSG_ZC, {
    ...own(sendMessageWith(sendmsg.run), true, false, checkZeroCopy),
    ioprio: "flags",
    waits: true,
    notifies: true,
  }],
  [U.IORING_OP_RECV, { ...own(receive, true, true, checkReceive), ioprio: "flags", selects: true }],
  [U.IORING_OP_EPOLL_CTL, systemCall("epoll_ctl", (s) => [s.fd, s.len, s.off, s.addr], false)],
  [
    U.IORING_OP_SHUTDOWN,
    systemCall(
      "shutdown",
      (s) => [s.fd, s.len],
      true,
      (s) => s.off !== 0 || s.addr !== 0 || s.rwFlags !== 0 ? -EINVAL : 0,
    ),
  ],
  [
    U.IORING_OP_RENAMEAT,
    systemCall("renameat2", (s) => [s.fd, s.addr, s.len, s.off, s.rwFlags], false),
  ],
  [U.IORING_OP_UNLINKAT, systemCall("unlinkat", (s) => [s.fd, s.addr, s.rwFlags], false)],
  [U.IORING_OP_MKDIRAT, systemCall("mkdirat", (s) => [s.fd, s.addr, s.len], false)],
  [U.IORING_OP_SYMLINKAT, systemCall("symlinkat", (s) => [s.addr, s.fd, s.off], false)],
  [
    U.IORING_OP_LINKAT,
    systemCall("linkat", (s) => [s.fd, s.addr, s.len, s.off, s.rwFlags], false),
  ],
  [
    U.IORING_OP_FSETXATTR,
    systemCall("fsetxattr", (s) => [s.fd, s.addr, s.off, s.len, s.rwFlags], true),
  ],
  [
    U.IORING_OP_SETXATTR,
    systemCall("setxattr", (s) => [s.addr3, s.addr, s.off, s.len, s.rwFlags], false),
  ],
  [U.IORING_OP_FGETXATTR, systemCall("fgetxattr", (s) => [s.fd, s.addr, s.off, s.len], true)],
  [U.IORING_OP_GETXATTR, systemCall("getxattr", (s) => [s.addr3, s.addr, s.off, s.len], false)],
  [
    U.IORING_OP_SOCKET,
    {
      ...systemCall("socket", (s) => [s.fd, s.off, s.len], false, direct.checkSocket),
      makesFile: true,
    },
  ],
  [U.IORING_OP_URING_CMD, own(command, true, false, checkCommand)],
  [U.IORING_OP_READ_MULTISHOT, {
    ...own(readMany, true, false, checkReadMany),
    selects: true,
    waits: true,
  }],
  [U.IORING_OP_PROVIDE_BUFFERS, own(provideBuffers, false)],
  [U.IORING_OP_REMOVE_BUFFERS, own(removeBuffers, false)],
  [U.IORING_OP_SPLICE, own(others.splice, true)],
  [U.IORING_OP_TEE, own(others.tee, true, false, others.checkTee)],
  [U.IORING_OP_MSG_RING, own(others.messageRing, true)],
  [U.IORING_OP_WAITID, {
    ...own(others.waitid, false, false, others.checkWaitid),
    countsCancels: true,
  }],
  [U.IORING_OP_FUTEX_WAIT, {
    ...own(others.futexWait, false, false, others.checkFutex),
    waitsForFutex: true,
    countsCancels: true,
  }],
  [U.IORING_OP_FUTEX_WAKE, own(others.futexWake, false, false, others.checkFutex)],
  [U.IORING_OP_FUTEX_WAITV, {
    ...own(others.futexWaitMany, false, false, others.checkFutexMany),
    waitsForFutex: true,
    countsCancels: true,
  }],
  [U.IORING_OP_FIXED_FD_INSTALL, own(others.installFixed, true, false, others.checkInstall)],
  [U.IORING_OP_FTRUNCATE, systemCall("ftruncate", (s) => [s.fd, s.off], true, checkTruncate)],
  [U.IORING_OP_BIND, systemCall("bind", (s) => [s.fd, s.addr, s.off], true, checkBind)],
  [U.IORING_OP_LISTEN, systemCall("listen", (s) => [s.fd, s.len], true, checkListen)],
];

const BY_OPCODE: readonly (Operation | undefined)[] = (() => {
  const table: (Operation | undefined)[] = [];
  for (const [opcode, operation] of OPERATIONS) table[opcode] = operation;
  return table;
})();

/** The last opcode of Linux 6.12. */
export const LAST_OPCODE = 57;

export function operationOf(opcode: number): Operation | null {
  return BY_OPCODE[opcode] ?? null;
}

const KNOWN_FLAGS = U.IOSQE_FIXED_FILE | U.IOSQE_IO_DRAIN | U.IOSQE_IO_LINK |
  U.IOSQE_IO_HARDLINK | U.IOSQE_ASYNC | U.IOSQE_BUFFER_SELECT | U.IOSQE_CQE_SKIP_SUCCESS;

/** Checks a request that was just taken: 0 or -errno. */
export function prepare(worker: Worker): number {
  const { sqe, ring } = worker, op = operationOf(sqe.opcode);
  if (op === null || (sqe.flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  const { restrictions } = ring;
  if (restrictions !== null) {
    const refused = restrictions.checkRequest(sqe);
    if (refused < 0) return refused;
  }
  if ((sqe.flags & U.IOSQE_BUFFER_SELECT) !== 0 && op.selects !== true) return -EOPNOTSUPP;
  if ((ring.setup & U.IORING_SETUP_IOPOLL) !== 0) return op.isTransfer ? -EOPNOTSUPP : -EINVAL;
  if (sqe.ioprio !== 0 && op.ioprio === undefined) return -EINVAL;
  const isPriority = op.ioprio === "priority";
  const r = (isPriority ? checkIoprio(worker, sqe.ioprio) : 0) || op.check(sqe);
  if (r < 0) return r;
  if (sqe.personality !== 0) {
    const cred = ring.personalities.get(sqe.personality);
    if (cred === undefined) return -EINVAL;
    worker.cred = cred;
  }
  return 0;
}

/**
 * The request begins: takes a reference to its file, which an earlier request of its chain may have
 * opened.
 */
export function takeFile(worker: Worker): void {
  const { sqe, ring, op, table } = worker;
  if (op === null || !op.needsFile) return;
  if ((sqe.flags & U.IOSQE_FIXED_FILE) !== 0) {
    worker.fixedFile = ring.files?.places[sqe.fd] ?? null;
    if (worker.fixedFile !== null) worker.fixedFile.users++;
    worker.file = worker.fixedFile?.file.hold() ?? null;
  } else worker.file = table.get(sqe.fd)?.hold() ?? null;
}

/** True for a transfer that moved fewer bytes than requested. */
export function isShort(worker: Worker, result: number): boolean {
  const { sqe, op } = worker;
  if (op === null || !op.isTransfer) return false;
  const { opcode } = sqe;
  if (
    opcode === U.IORING_OP_SEND || opcode === U.IORING_OP_SEND_ZC || opcode === U.IORING_OP_RECV
  ) {
    return (sqe.rwFlags & MSG_WAITALL) !== 0 && result < sqe.len;
  }
  return result < worker.wanted;
}
