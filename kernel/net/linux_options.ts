/**
 * Options at SOL_SOCKET that socket(7) does not describe: SO_PEEK_OFF, pacing, zero copy,
 * SO_TXTIME, busy polling, cookies. The others: socket_options.ts.
 */

import { EBADF, EINVAL, ENODATA, EOPNOTSUPP, EPERM } from "../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../ffi/abi/capability.ts";
import { IPPROTO_TCP } from "../../ffi/abi/inet.ts";
import * as S from "../../ffi/abi/socket.ts";
import { CLOCK_MONOTONIC, CLOCK_TAI } from "../../ffi/abi/time.ts";
import type { SocketCaller } from "./message.ts";
import type { OptionValue, SocketOptions } from "./socket_options.ts";
import type { Socket } from "./socket.ts";

/** struct sock_txtime: a clock and SOF_TXTIME_*. */
const TXTIME_BYTES = 8, TXTIME_FLAGS = 3;
const LONG_BYTES = 8, UINT_MAX = 0xffffffff;
export const UNLIMITED_RATE = 0xffff_ffff_ffff_ffffn;
const BUDGET_MAX = 65535;
/** SO_TXREHASH: use the setting. */
const REHASH_DEFAULT = -1;
/** struct ucred without a process: pid 0, ids -1. */
const UCRED_WORDS: readonly number[] = [0, UINT_MAX, UINT_MAX];

/** Sets an option whose value is at least an int; undefined: `name` is no such option. */
export function setLinuxOption(
  caller: SocketCaller,
  socket: Socket,
  name: number,
  value: OptionValue,
): number | undefined {
  const { options } = socket, n = value.int, on = n !== 0;
  const isAdmin = () => socket.net.isCapable(caller.cred, CAP_NET_ADMIN);
  switch (name) {
    case S.SO_PEEK_OFF:
      if (!socket.takesPeekOffset) return -EOPNOTSUPP;
      options.peekOffset = n;
      return 0;
    case S.SO_MAX_PACING_RATE:
      options.maxPacingRate = rateOf(value);
      return 0;
    case S.SO_ZEROCOPY:
      if (!socket.takesZerocopy) return -EOPNOTSUPP;
      if (n < 0 || n > 1) return -EINVAL;
      options.zerocopy = on;
      return 0;
    case S.SO_TXTIME:
      return setSendTimes(options, value, isAdmin());
    case S.SO_PASSPIDFD:
      options.passPidfd = on;
      return 0;
    case S.SO_PREFER_BUSY_POLL:
      if (on && !isAdmin()) return -EPERM;
      if (on) options.unused.add(name);
      else options.unused.delete(name);
      return 0;
    case S.SO_BUSY_POLL:
      if (n > options.busyPoll && !isAdmin()) return -EPERM;
      if (n < 0) return -EINVAL;
      options.busyPoll = n;
      return 0;
    case S.SO_BUSY_POLL_BUDGET:
      // No link is polled, so the budget is only shown; a greater one still needs CAP_NET_ADMIN.
      if (n > options.busyPollBudget && !isAdmin()) return -EPERM;
      if (n < 0 || n > BUDGET_MAX) return -EINVAL;
      options.busyPollBudget = n;
      return 0;
    case S.SO_RESERVE_MEM:
      return n < 0 ? -EINVAL : -EOPNOTSUPP;
    case S.SO_TXREHASH:
      if (socket.protocol !== IPPROTO_TCP) return -EOPNOTSUPP;
      if (n < REHASH_DEFAULT || n > 1) return -EINVAL;
      options.rehashes = n !== 0;
      return 0;
    case S.SO_ATTACH_BPF:
      // Sockets take no eBPF programs, so no descriptor is right.
      if (value.length !== 4) return -EINVAL;
      return caller.files.get(n) === null ? -EBADF : -EINVAL;
    default:
      return undefined;
  }
}

/** Gets an option; undefined: `name` is no such option. */
export function getLinuxOption(
  socket: Socket,
  name: number,
  value: OptionValue,
): number | undefined {
  const { options } = socket, { dv } = value, room = value.length;
  switch (name) {
    case S.SO_PEEK_OFF:
      return socket.takesPeekOffset ? value.setInt(options.peekOffset) : -EOPNOTSUPP;
    case S.SO_MAX_PACING_RATE: {
      const rate = options.maxPacingRate;
      if (room < LONG_BYTES) return value.setInt(Number(rate > UINT_MAX ? UINT_MAX : rate) | 0);
      return putLong(value, rate);
    }
    case S.SO_ZEROCOPY:
      return value.setBool(options.zerocopy);
    case S.SO_TXTIME:
      dv.setInt32(0, options.sendClock, true);
      dv.setUint32(4, options.sendFlags, true);
      value.length = TXTIME_BYTES;
      return 0;
    case S.SO_PASSPIDFD:
      return value.setBool(options.passPidfd);
    case S.SO_PREFER_BUSY_POLL:
      return value.setBool(options.unused.has(name));
    case S.SO_BUSY_POLL:
      return value.setInt(options.busyPoll);
    case S.SO_RESERVE_MEM:
      return value.setInt(0);
    case S.SO_TXREHASH:
      return socket.protocol === IPPROTO_TCP ? value.setBool(options.rehashes) : -EOPNOTSUPP;
    case S.SO_COOKIE:
      return room < LONG_BYTES ? -EINVAL : putLong(value, BigInt(socket.inode.ino));
    case S.SO_NETNS_COOKIE:
      return room !== LONG_BYTES ? -EINVAL : putLong(value, BigInt(socket.net.cookie));
    case S.SO_PEERCRED:
      if (socket.family === S.AF_UNIX) return undefined;
      UCRED_WORDS.forEach((word, i) => dv.setUint32(4 * i, word, true));
      value.length = S.Ucred.size;
      return 0;
    case S.SO_PEERGROUPS:
    case S.SO_PEERPIDFD:
      return socket.family === S.AF_UNIX ? undefined : -ENODATA;
    default:
      return undefined;
  }
}

function putLong(value: OptionValue, n: bigint): number {
  value.dv.setBigUint64(0, n, true);
  value.length = LONG_BYTES;
  return 0;
}

/** An unsigned long, or an int whose greatest value means no limit. */
function rateOf(value: OptionValue): bigint {
  if (value.length >= LONG_BYTES) return value.dv.getBigUint64(0, true);
  const n = value.int >>> 0;
  return n === UINT_MAX ? UNLIMITED_RATE : BigInt(n);
}

/**
 * SO_TXTIME: accept SCM_TXTIME from now on. Links have no queue, so no packet waits for its time.
 */
function setSendTimes(options: SocketOptions, value: OptionValue, isAdmin: boolean): number {
  if (value.length !== TXTIME_BYTES) return -EINVAL;
  const clock = value.int, flags = value.dv.getUint32(4, true);
  if ((flags & ~TXTIME_FLAGS) !== 0) return -EINVAL;
  // Other clocks, CLOCK_REALTIME and CLOCK_TAI, need a capability.
  if (clock !== CLOCK_MONOTONIC && !isAdmin) return -EPERM;
  if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_TAI && clock !== 0) return -EINVAL;
  options.sendClock = clock;
  options.sendFlags = flags;
  options.takesSendTimes = true;
  return 0;
}
