/**
 * getsockopt(2) and setsockopt(2) of host sockets: options of host_options.ts go to the host,
 * others are kept here.
 */

import { EINVAL, ENOPROTOOPT, EPERM } from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import * as S from "../../../ffi/abi/socket.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { SocketCaller } from "../message.ts";
import { getSocketOption, type OptionValue, setSocketOption } from "../socket_options.ts";
import { LENGTH_AT, VALUE_AT } from "./message_area.ts";
import { GET_OPTIONS, isListed, MAX_OPTION_BYTES, SET_OPTIONS } from "./host_options.ts";
import type { HostSocket } from "./host_socket.ts";

/** setsockopt(2) at SOL_SOCKET. */
export function setHostSocketOption(
  socket: HostSocket,
  caller: SocketCaller,
  name: number,
  value: OptionValue,
): number {
  switch (name) {
    case S.SO_SNDBUFFORCE:
    case S.SO_RCVBUFFORCE:
      if (!hasCap(caller.cred, CAP_NET_ADMIN)) return -EPERM;
      // DIFFERS: within the host's bounds also with CAP_NET_ADMIN.
      return setOnHost(
        socket,
        S.SOL_SOCKET,
        name === S.SO_SNDBUFFORCE ? S.SO_SNDBUF : S.SO_RCVBUF,
        value,
      );
    case S.SO_TIMESTAMP:
    case S.SO_TIMESTAMPNS:
      if (!value.isInt) return -EINVAL;
      return passTimestamp(socket, caller, name, value);
    case S.SO_LINGER:
      return setLinger(socket, caller, value);
    case S.SO_PRIORITY:
      if (value.isInt && (value.int < 0 || value.int > 6)) {
        return setSocketOption(caller, socket, name, value);
      }
      break;
    case S.SO_BINDTOIFINDEX:
    case S.SO_MAX_PACING_RATE:
    case S.SO_TXTIME:
      // DIFFERS: the host is not asked.
      return -ENOPROTOOPT;
    case S.SO_RCVLOWAT: {
      const r = setSocketOption(caller, socket, name, value);
      if (r < 0) return r;
      break;
    }
  }
  if (isListed(SET_OPTIONS, S.SOL_SOCKET, name)) {
    return setOnHost(socket, S.SOL_SOCKET, name, value);
  }
  return setSocketOption(caller, socket, name, value);
}

/** The host delivers ns; the format that the guest wants is kept here. */
function passTimestamp(
  socket: HostSocket,
  caller: SocketCaller,
  name: number,
  value: OptionValue,
): number {
  const r = setSocketOption(caller, socket, name, value);
  return r < 0 ? r : setOnHost(socket, S.SOL_SOCKET, S.SO_TIMESTAMPNS, value);
}

/**
 * A linger time would make the host's close wait, and the whole kernel with it: only a time of 0
 * (reset) is passed to the host.
 */
function setLinger(socket: HostSocket, caller: SocketCaller, value: OptionValue): number {
  const r = setSocketOption(caller, socket, S.SO_LINGER, value);
  if (r < 0) return r;
  const { options } = socket, { at } = S.Linger;
  const isReset = options.lingerOn && options.lingerSeconds === 0;
  value.dv.setInt32(at.onoff, isReset ? 1 : 0, true);
  value.dv.setInt32(at.linger, 0, true);
  value.length = S.Linger.size;
  return setOnHost(socket, S.SOL_SOCKET, S.SO_LINGER, value);
}

/** getsockopt(2) at SOL_SOCKET. */
export function getHostSocketOption(
  socket: HostSocket,
  name: number,
  value: OptionValue,
): number {
  const isOwn = name === S.SO_LINGER || name === S.SO_TIMESTAMPNS ||
    (name === S.SO_ERROR && socket.error !== 0) ||
    (name === S.SO_PRIORITY && socket.options.priority !== 0);
  if (!isOwn && isListed(GET_OPTIONS, S.SOL_SOCKET, name)) {
    return fetch(socket, S.SOL_SOCKET, name, value);
  }
  return getSocketOption(socket, name, value);
}

/** setsockopt(2) at other levels. */
export function setHostOption(
  socket: HostSocket,
  level: number,
  name: number,
  value: OptionValue,
): number {
  return isListed(SET_OPTIONS, level, name) ? setOnHost(socket, level, name, value) : -ENOPROTOOPT;
}

/** getsockopt(2) at other levels. */
export function getHostOption(
  socket: HostSocket,
  level: number,
  name: number,
  value: OptionValue,
): number {
  return isListed(GET_OPTIONS, level, name) ? fetch(socket, level, name, value) : -ENOPROTOOPT;
}

function setOnHost(socket: HostSocket, level: number, name: number, value: OptionValue): number {
  const { host, fd } = socket, { area } = host, n = Math.min(value.length, MAX_OPTION_BYTES);
  area.u8.set(value.u8.subarray(0, n), VALUE_AT);
  const r = host.setsockopt(fd, level, name, area.address + VALUE_AT, n);
  if (r === 0) socket.noteOption(level, name, value.u8.slice(0, n));
  return r;
}

function fetch(socket: HostSocket, level: number, name: number, value: OptionValue): number {
  if (value.length < 0) return -EINVAL;
  const { host, fd } = socket, { area } = host, n = Math.min(value.length, MAX_OPTION_BYTES);
  area.u8.fill(0, VALUE_AT, VALUE_AT + n);
  area.dv.setInt32(LENGTH_AT, n, true);
  const { address } = area;
  const r = host.getsockopt(fd, level, name, address + VALUE_AT, address + LENGTH_AT);
  if (r < 0) return r;
  const length = Math.max(0, Math.min(area.dv.getInt32(LENGTH_AT, true), n));
  value.u8.set(area.u8.subarray(VALUE_AT, VALUE_AT + length));
  value.length = length;
  return r;
}
