/**
 * Sends a descriptor to the process that listens on a UNIX socket, as clients of runtimes get
 * terminals and processes.
 */

import { basename, dirname } from "@std/path";
import * as F from "../../ffi/abi/fcntl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SYS_connect, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { putUnixAddress } from "../host/unix_address.ts";

/** One message: `name`, and the descriptor. Does not wait for an answer. @throws SyscallError */
export function giveFd(path: string, name: string, fd: number): void {
  const socket = connectStream(path);
  try {
    const text = new TextEncoder().encode(name), data = allocBuffer(text.length);
    data.set(text);
    check(sendFds(socket, data, [fd]), "sendmsg");
  } finally {
    close(socket);
  }
}

/**
 * Connects through a descriptor of the directory, because the path may be longer than a socket
 * address.
 * @throws SyscallError
 */
function connectStream(path: string): number {
  const flags = F.O_PATH | F.O_DIRECTORY | F.O_CLOEXEC, directory = dirname(path);
  const dir = check(openat(F.AT_FDCWD, directory, flags), `open ${directory}`);
  const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const length = putUnixAddress(`/proc/self/fd/${dir}/${basename(path)}`);
  const r = syscall(SYS_connect, fd, scratch.area(0), length);
  close(dir);
  if (r >= 0) return fd;
  close(fd);
  throw new SyscallError("connect", r);
}
