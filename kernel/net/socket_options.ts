/**
 * Options at SOL_SOCKET (socket(7)): their values, bounds, setting and getting. Options of other
 * levels are in the folders of the families.
 */

import { EDOM, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM } from "../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../ffi/abi/capability.ts";
import {
  AF_INET,
  AF_INET6,
  Linger,
  SO_ACCEPTCONN,
  SO_ATTACH_FILTER,
  SO_ATTACH_REUSEPORT_CBPF,
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SO_BPF_EXTENSIONS,
  SO_BROADCAST,
  SO_BSDCOMPAT,
  SO_BUF_LOCK,
  SO_CNX_ADVICE,
  SO_DEBUG,
  SO_DETACH_FILTER,
  SO_DETACH_REUSEPORT_BPF,
  SO_DOMAIN,
  SO_DONTROUTE,
  SO_ERROR,
  SO_INCOMING_CPU,
  SO_INCOMING_NAPI_ID,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_LOCK_FILTER,
  SO_MARK,
  SO_MEMINFO,
  SO_NO_CHECK,
  SO_NOFCS,
  SO_OOBINLINE,
  SO_PASSCRED,
  SO_PASSSEC,
  SO_PEERNAME,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVMARK,
  SO_RCVTIMEO,
  SO_RCVTIMEO_NEW,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO,
  SO_SNDTIMEO_NEW,
  SO_TIMESTAMP,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMPNS,
  SO_TIMESTAMPNS_NEW,
  SO_TYPE,
  SO_WIFI_STATUS,
} from "../../ffi/abi/socket.ts";
import { SOF_TIMESTAMPING_SOFTWARE } from "../../ffi/abi/errqueue.ts";
import type { BpfProgram } from "../bpf/classic_program.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import { SKF_AD_MAX } from "../../ffi/abi/packet.ts";
import { bindToDevice, bindToIndex, getDevice } from "./bound_device.ts";
import { getFilter, setFilterOption } from "./filter_options.ts";
import {
  SK_MEMINFO_DROPS,
  SK_MEMINFO_RCVBUF,
  SK_MEMINFO_RMEM_ALLOC,
  SK_MEMINFO_SNDBUF,
  SK_MEMINFO_VARS,
} from "../../ffi/abi/sock_diag.ts";
import { SocketAddress, type SocketCaller } from "./message.ts";
import { getLinuxOption, setLinuxOption, UNLIMITED_RATE } from "./linux_options.ts";
import type { Socket } from "./socket.ts";

/**
 * net.core.{r,w}mem_max and the defaults where there are no settings; a value that is set counts
 * double, as on Linux.
 */
const MAX_BUFFER = 212992;
const DEFAULT_BUFFER = 212992;
const MIN_SEND = 4608, MIN_RECEIVE = 2304;
/** LIMIT: the most that SO_SNDBUFFORCE and SO_RCVBUFFORCE set. */
const MAX_FORCED = 16 << 20;

/** The largest buffer that a setting allows. */
function maxOf({ net }: Socket, path: string): number {
  return Math.min(net.shared.settings?.number(path) ?? MAX_BUFFER, MAX_FORCED);
}

const name = new SocketAddress();

/** The value of an option between user memory and the socket. */
export class OptionValue {
  /** The calling task; null: none. */
  asker: SocketCaller | null = null;
  /** The memory of the caller; null: none. */
  user: UserMemory | null = null;
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(32768);
  readonly dv: DataView = new DataView(this.u8.buffer);
  /** Bytes given, or bytes of the result. */
  length: number = 0;
  /** Get: the int that the caller's buffer contains. */
  asked: number = 0;
  /** Get: the address of that buffer. */
  askedAt: number = 0;
  /** Get: the unit of `length` in bytes. */
  unit: number = 1;

  /** Whether the value is long enough for an int. */
  get isInt(): boolean {
    return this.length >= 4;
  }
  get int(): number {
    return this.dv.getInt32(0, true);
  }
  /** Get: read `bytes` of the caller's buffer; false: a fault. */
  takeAsked(bytes: number): boolean {
    return this.user !== null && this.user.copyIn(this.u8, 0, this.askedAt, bytes) >= 0;
  }
  /** Returns an int. */
  setInt(value: number): number {
    this.dv.setInt32(0, value, true);
    this.length = 4;
    return 0;
  }
  setBool(value: boolean): number {
    return this.setInt(value ? 1 : 0);
  }
}

/** The values of one socket's options. */
export class SocketOptions {
  sendBytes: number = DEFAULT_BUFFER;
  receiveBytes: number = DEFAULT_BUFFER;
  /** The sizes were set, so TCP does not choose them. */
  isSendFixed: boolean = false;
  isReceiveFixed: boolean = false;
  /** Infinity: no timeout. */
  receiveTimeoutNs: number = Infinity;
  sendTimeoutNs: number = Infinity;
  receiveLowWater: number = 1;
  debug: boolean = false;
  reuseAddress: boolean = false;
  reusePort: boolean = false;
  keepAlive: boolean = false;
  broadcast: boolean = false;
  dontRoute: boolean = false;
  outOfBandInline: boolean = false;
  noCheck: boolean = false;
  passCredentials: boolean = false;
  passSecurity: boolean = false;
  /** SO_TIMESTAMP or SO_TIMESTAMPNS: deliver arrival times; 0: off. */
  timestamp: number = 0;
  /** SO_TIMESTAMPING: SOF_TIMESTAMPING_*, and whether SO_TIMESTAMPING_NEW set it. */
  timestamping: number = 0;
  isTimestampingNew: boolean = false;
  overflowCount: boolean = false;
  lingerOn: boolean = false;
  lingerSeconds: number = 0;
  priority: number = 0;
  mark: number = 0;
  busyPoll: number = 0;
  /** SO_MAX_PACING_RATE in bytes a second: kept and shown. */
  maxPacingRate: bigint = UNLIMITED_RATE;
  /** SO_INCOMING_CPU: kept and shown; -1: none. */
  incomingCpu: number = -1;
  /** Options that are on and have no effect on links here: kept and shown. */
  unused: Set<number> = new Set();
  /** SO_BINDTODEVICE, SO_BINDTOIFINDEX: index of the link, or 0. */
  deviceIndex: number = 0;
  /** SO_PEEK_OFF: where MSG_PEEK begins; negative: always at the first byte. */
  peekOffset: number = -1;
  /** SO_ZEROCOPY: MSG_ZEROCOPY is reported. */
  zerocopy: boolean = false;
  /** SO_TXTIME: SCM_TXTIME is accepted. */
  takesSendTimes: boolean = false;
  sendClock: number = 0;
  sendFlags: number = 0;
  passPidfd: boolean = false;
  busyPollBudget: number = 0;
  /** SO_TXREHASH: kept and shown. */
  rehashes: boolean = true;
  /** The filter of arriving packets, and whether it is locked. */
  filter: BpfProgram | null = null;
  isFilterLocked: boolean = false;

  /** Whether the receiver wants times of arrival. */
  get wantsTimes(): boolean {
    return this.timestamp !== 0 || (this.timestamping & SOF_TIMESTAMPING_SOFTWARE) !== 0;
  }

  /** Whether the receiver wants the sender's credentials. */
  get wantsSender(): boolean {
    return this.passCredentials || this.passPidfd;
  }

  /** Takes over the options that an accepted UNIX socket has from its listener. */
  inheritSender({ passCredentials, passPidfd, passSecurity }: SocketOptions): void {
    Object.assign(this, { passCredentials, passPidfd, passSecurity });
  }

  /** Takes over the options that an accepted socket has from its listener. */
  inherit(from: SocketOptions): void {
    Object.assign(this, from, { unused: new Set(from.unused) });
  }
}

/** setsockopt(2) at SOL_SOCKET. */
export function setSocketOption(
  caller: SocketCaller,
  socket: Socket,
  name: number,
  value: OptionValue,
): number {
  const { options } = socket;
  switch (name) {
    case SO_BINDTODEVICE:
      return bindToDevice(caller, socket, value);
    case SO_DETACH_FILTER:
    case SO_ATTACH_FILTER:
    case SO_LOCK_FILTER:
      return setFilterOption(socket, name, value);
    case SO_ATTACH_REUSEPORT_CBPF:
    case SO_DETACH_REUSEPORT_BPF:
      // Only sockets with ports can share them.
      return -EINVAL;
  }
  if (!value.isInt) return -EINVAL;
  const n = value.int, on = n !== 0;
  switch (name) {
    case SO_DEBUG:
      if (on && !socket.net.isCapable(caller.cred, CAP_NET_ADMIN)) return -EPERM;
      options.debug = on;
      return 0;
    case SO_REUSEADDR:
      options.reuseAddress = on;
      return 0;
    case SO_REUSEPORT:
      if (on && !hasPorts(socket)) return -EOPNOTSUPP;
      options.reusePort = on;
      return 0;
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
    case SO_ACCEPTCONN:
    case SO_SNDLOWAT:
      return -ENOPROTOOPT;
    case SO_DONTROUTE:
      options.dontRoute = on;
      return 0;
    case SO_BROADCAST:
      options.broadcast = on;
      return 0;
    case SO_SNDBUF:
      return setBuffer(socket, false, Math.min(n >>> 0, maxOf(socket, "net/core/wmem_max")));
    case SO_RCVBUF:
      return setBuffer(socket, true, Math.min(n >>> 0, maxOf(socket, "net/core/rmem_max")));
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
      if (!socket.net.isCapable(caller.cred, CAP_NET_ADMIN)) return -EPERM;
      return setBuffer(socket, name === SO_RCVBUFFORCE, Math.min(Math.max(n, 0), MAX_FORCED));
    case SO_KEEPALIVE:
      options.keepAlive = on;
      return 0;
    case SO_OOBINLINE:
      options.outOfBandInline = on;
      return 0;
    case SO_NO_CHECK:
      options.noCheck = on;
      return 0;
    case SO_PRIORITY:
      if ((n < 0 || n > 6) && !socket.net.isCapable(caller.cred, CAP_NET_ADMIN)) return -EPERM;
      options.priority = n;
      return 0;
    case SO_LINGER:
      if (value.length < Linger.size) return -EINVAL;
      options.lingerOn = on;
      options.lingerSeconds = value.dv.getInt32(Linger.at.linger, true);
      return 0;
    case SO_BSDCOMPAT:
      return 0;
    case SO_PASSCRED:
      options.passCredentials = on;
      return 0;
    case SO_PASSSEC:
      options.passSecurity = on;
      return 0;
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_NEW:
      options.timestamp = on ? name : 0;
      return 0;
    case SO_RCVLOWAT:
      options.receiveLowWater = n < 0 ? 0x7fffffff : n === 0 ? 1 : n;
      return 0;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW:
      return setTimeout(options, name, value);
    case SO_MARK:
      if (!socket.net.isCapable(caller.cred, CAP_NET_ADMIN)) return -EPERM;
      options.mark = n >>> 0;
      return 0;
    case SO_RXQ_OVFL:
      options.overflowCount = on;
      return 0;
    case SO_BINDTOIFINDEX:
      return bindToIndex(caller, socket, n);
    case SO_INCOMING_CPU:
      options.incomingCpu = n;
      return 0;
    case SO_WIFI_STATUS:
    case SO_NOFCS:
    case SO_SELECT_ERR_QUEUE:
    case SO_RCVMARK:
      if (on) options.unused.add(name);
      else options.unused.delete(name);
      return 0;
    case SO_BUF_LOCK:
      if (n < 0 || n > 3) return -EINVAL;
      options.isSendFixed = (n & 1) !== 0;
      options.isReceiveFixed = (n & 2) !== 0;
      return 0;
    case SO_CNX_ADVICE:
      // There is only one path.
      return 0;
    default:
      return setLinuxOption(caller, socket, name, value) ?? -ENOPROTOOPT;
  }
}

/** getsockopt(2) at SOL_SOCKET: put the result into `value`. */
export function getSocketOption(socket: Socket, name: number, value: OptionValue): number {
  const { options } = socket;
  switch (name) {
    case SO_DEBUG:
      return value.setBool(options.debug);
    case SO_REUSEADDR:
      return value.setBool(options.reuseAddress);
    case SO_REUSEPORT:
      return value.setBool(options.reusePort);
    case SO_TYPE:
      return value.setInt(socket.type);
    case SO_PROTOCOL:
      return value.setInt(socket.protocol);
    case SO_DOMAIN:
      return value.setInt(socket.family);
    case SO_ATTACH_FILTER:
      return getFilter(socket, value);
    case SO_LOCK_FILTER:
      return value.setBool(options.isFilterLocked);
    case SO_BPF_EXTENSIONS:
      return value.setInt(SKF_AD_MAX);
    case SO_ERROR:
      return value.setInt(-socket.takeError());
    case SO_ACCEPTCONN:
      return value.setBool(socket.isListening);
    case SO_DONTROUTE:
      return value.setBool(options.dontRoute);
    case SO_BROADCAST:
      return value.setBool(options.broadcast);
    case SO_SNDBUF:
      return value.setInt(options.sendBytes);
    case SO_RCVBUF:
      return value.setInt(options.receiveBytes);
    case SO_KEEPALIVE:
      return value.setBool(options.keepAlive);
    case SO_OOBINLINE:
      return value.setBool(options.outOfBandInline);
    case SO_NO_CHECK:
      return value.setBool(options.noCheck);
    case SO_PRIORITY:
      return value.setInt(options.priority);
    case SO_LINGER:
      value.setInt(options.lingerOn ? 1 : 0);
      value.dv.setInt32(Linger.at.linger, options.lingerSeconds, true);
      value.length = Linger.size;
      return 0;
    case SO_BSDCOMPAT:
      return value.setInt(0);
    case SO_PASSCRED:
      return value.setBool(options.passCredentials);
    case SO_PASSSEC:
      return value.setBool(options.passSecurity);
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
      return value.setBool(options.timestamp === name);
    case SO_RCVLOWAT:
      return value.setInt(options.receiveLowWater);
    case SO_SNDLOWAT:
      return value.setInt(1);
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW:
      return timeoutOut(options.receiveTimeoutNs, value);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW:
      return timeoutOut(options.sendTimeoutNs, value);
    case SO_MARK:
      return value.setInt(options.mark);
    case SO_RXQ_OVFL:
      return value.setBool(options.overflowCount);
    case SO_INCOMING_CPU:
      return value.setInt(options.incomingCpu);
    case SO_PEERNAME:
      return peerNameOut(socket, value);
    case SO_MEMINFO:
      return memoryOut(socket, value);
    case SO_INCOMING_NAPI_ID:
      return value.setInt(0);
    case SO_WIFI_STATUS:
    case SO_NOFCS:
    case SO_SELECT_ERR_QUEUE:
    case SO_RCVMARK:
      return value.setBool(options.unused.has(name));
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_NEW:
      return value.setBool(options.timestamp === name);
    case SO_BUF_LOCK:
      return value.setInt(+options.isSendFixed | +options.isReceiveFixed << 1);
    case SO_BINDTODEVICE:
      return getDevice(socket, value);
    case SO_BINDTOIFINDEX:
      return value.setInt(options.deviceIndex);
    default:
      return getLinuxOption(socket, name, value) ?? socket.getFamilyOption(name, value);
  }
}

function peerNameOut(socket: Socket, value: OptionValue): number {
  const room = value.length;
  if (socket.peerName(name) < 0) return -ENOTCONN;
  // A buffer that is larger than the name gets nothing.
  if (name.length < room) return -EINVAL;
  value.u8.set(name.u8.subarray(0, name.length));
  return 0;
}

/** SO_MEMINFO: the words of sock_diag(7). */
function memoryOut(socket: Socket, value: OptionValue): number {
  const { options } = socket, words = new Array<number>(SK_MEMINFO_VARS).fill(0);
  words[SK_MEMINFO_RMEM_ALLOC] = socket.isListening ? 0 : socket.pendingBytes;
  words[SK_MEMINFO_RCVBUF] = options.receiveBytes;
  words[SK_MEMINFO_SNDBUF] = options.sendBytes;
  words[SK_MEMINFO_DROPS] = socket.drops;
  words.forEach((word, i) => value.dv.setUint32(4 * i, word, true));
  value.length = 4 * words.length;
  return 0;
}

function hasPorts({ family }: Socket): boolean {
  return family === AF_INET || family === AF_INET6;
}

function setBuffer(socket: Socket, isReceive: boolean, bytes: number): number {
  const { options } = socket;
  if (isReceive) {
    options.receiveBytes = Math.max(bytes * 2, MIN_RECEIVE);
    options.isReceiveFixed = true;
  } else {
    options.sendBytes = Math.max(bytes * 2, MIN_SEND);
    options.isSendFixed = true;
  }
  socket.onBufferSize();
  return 0;
}

/** struct timeval: zero means no timeout, a negative time expires at once. */
function setTimeout(options: SocketOptions, name: number, value: OptionValue): number {
  if (value.length < 16) return -EINVAL;
  const sec = Number(value.dv.getBigInt64(0, true)), usec = Number(value.dv.getBigInt64(8, true));
  if (usec < 0 || usec >= 1e6) return -EDOM;
  let ns = sec < 0 ? 0 : sec * 1e9 + usec * 1000;
  if ((sec === 0 && usec === 0) || ns > Number.MAX_SAFE_INTEGER) ns = Infinity;
  if (name === SO_RCVTIMEO || name === SO_RCVTIMEO_NEW) options.receiveTimeoutNs = ns;
  else options.sendTimeoutNs = ns;
  return 0;
}

function timeoutOut(ns: number, value: OptionValue): number {
  const usec = ns === Infinity ? 0 : Math.round(ns / 1000);
  value.dv.setBigInt64(0, BigInt(Math.floor(usec / 1e6)), true);
  value.dv.setBigInt64(8, BigInt(usec % 1e6), true);
  value.length = 16;
  return 0;
}
