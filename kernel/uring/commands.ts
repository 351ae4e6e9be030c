/** Commands of files (IORING_OP_URING_CMD): those of sockets. */

import { EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { AF_INET, AF_INET6, SOL_SOCKET } from "../../ffi/abi/socket.ts";
import { Socket } from "../net/socket.ts";
import { readOption, sysSetsockopt } from "../net/calls/options.ts";
import { setArguments } from "./arguments.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

/** The command's number is in the lower half of `off`. */
export function checkCommand({ offHi, rwFlags }: Sqe): number {
  return offHi !== 0 || (rwFlags & ~U.IORING_URING_CMD_FIXED) !== 0 ? -EINVAL : 0;
}

/**
 * Level and name of an option are in `addr`, address and length of its value in `addr3` and
 * `splice_fd_in`.
 */
export function command(w: Worker): number {
  const { sqe, file } = w;
  if (!(file instanceof Socket)) return -EOPNOTSUPP;
  const isInet = file.family === AF_INET || file.family === AF_INET6;
  const level = sqe.addrLo, name = sqe.addrHi | 0, length = sqe.spliceFd;
  switch (sqe.offLo) {
    case U.SOCKET_URING_OP_SIOCINQ:
      return !isInet ? -EOPNOTSUPP : file.isListening ? -EINVAL : file.pendingBytes;
    case U.SOCKET_URING_OP_SIOCOUTQ:
      return !isInet ? -EOPNOTSUPP : file.isListening ? -EINVAL : file.unsentBytes;
    case U.SOCKET_URING_OP_GETSOCKOPT:
      if (level !== SOL_SOCKET) return -EOPNOTSUPP;
      return readOption(w, file, level, name, sqe.addr3, length);
    case U.SOCKET_URING_OP_SETSOCKOPT:
      setArguments(w, [sqe.fd, level, name >>> 0, sqe.addr3, length >>> 0]);
      return sysSetsockopt(w, w.args);
    default:
      return -EOPNOTSUPP;
  }
}
