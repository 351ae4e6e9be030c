/**
 * SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER and SO_GET_FILTER of socket(7), for sockets
 * that receive packets.
 */

import { EFAULT, EINVAL, ENOENT, ENOMEM, ENOPROTOOPT, EPERM } from "../../ffi/abi/errno.ts";
import { BPF_MAXINSNS, SockFilter } from "../../ffi/abi/seccomp.ts";
import { SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER } from "../../ffi/abi/socket.ts";
import { BpfProgram } from "../bpf/classic_program.ts";
import { FILTER_INSTRUCTIONS } from "../core/quota.ts";
import type { Socket } from "./socket.ts";
import type { OptionValue } from "./socket_options.ts";

/** struct sock_fprog: the number of instructions and their address. */
const FPROG_BYTES = 16, FPROG_POINTER = 8;

/**
 * Sets one of the options: 0 or -errno. DIFFERS: TCP sockets take no filter, as they have no
 * packets.
 */
export function setFilterOption(socket: Socket, name: number, value: OptionValue): number {
  const { options } = socket;
  switch (name) {
    case SO_ATTACH_FILTER:
      if (!socket.takesFilters) return -ENOPROTOOPT;
      return attach(socket, value);
    case SO_DETACH_FILTER:
      if (!value.isInt) return -EINVAL;
      if (options.isFilterLocked) return -EPERM;
      if (options.filter === null) return -ENOENT;
      releaseFilter(socket);
      return 0;
    case SO_LOCK_FILTER:
      if (!value.isInt) return -EINVAL;
      if (options.isFilterLocked && value.int === 0) return -EPERM;
      options.isFilterLocked = value.int !== 0;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** The program of a struct sock_fprog, or -errno. */
export function readProgram(value: OptionValue): BpfProgram | number {
  if (value.length !== FPROG_BYTES) return -EINVAL;
  const count = value.dv.getUint16(0, true);
  const from = Number(value.dv.getBigUint64(FPROG_POINTER, true));
  if (count === 0 || count > BPF_MAXINSNS || from === 0) return -EINVAL;
  const source = new Uint8Array(count * SockFilter.size);
  const { user } = value;
  if (user === null || user.copyIn(source, 0, from, source.length) < 0) return -EFAULT;
  return BpfProgram.parse(source, "socket") ?? -EINVAL;
}

function attach(socket: Socket, value: OptionValue): number {
  const { options } = socket;
  if (options.isFilterLocked) return -EPERM;
  const program = readProgram(value);
  if (typeof program === "number") return program;
  if (!FILTER_INSTRUCTIONS.take(program.length, socket.account)) return -ENOMEM;
  releaseFilter(socket);
  options.filter = program;
  return 0;
}

/** Drops the socket's filter and its charge. */
export function releaseFilter(socket: Socket): void {
  const { options } = socket;
  if (options.filter === null) return;
  FILTER_INSTRUCTIONS.give(options.filter.length, socket.account);
  options.filter = null;
}

/** SO_GET_FILTER: the instructions; the reported length is their number. */
export function getFilter({ options }: Socket, value: OptionValue): number {
  const { filter } = options, room = value.length;
  value.length = filter?.length ?? 0;
  value.unit = SockFilter.size;
  if (filter === null || room === 0) return 0;
  if (room < filter.length) return -EINVAL;
  value.u8.set(filter.source.subarray(0, value.u8.length));
  return 0;
}
