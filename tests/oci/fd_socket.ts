/**
 * A UNIX socket that waits for a descriptor, as clients of runtimes have it for terminals and
 * processes. Not a test.
 */

import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../ffi/abi/fcntl.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SYS_accept4, SYS_bind, SYS_listen, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { recvFds } from "../../ffi/sys/fdpass.ts";
import { close, openat, poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { putUnixAddress } from "../../oci/host/unix_address.ts";

const SOON_MS = 10_000;

export class FdSocket {
  readonly path: string;
  readonly #fd: number;

  constructor(directory: string, name: string) {
    this.path = `${directory}/${name}`;
    this.#fd = check(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const dir = openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const length = putUnixAddress(`/proc/self/fd/${dir}/${name}`);
    check(syscall(SYS_bind, this.#fd, scratch.area(0), length), "bind");
    close(dir);
    check(syscall(SYS_listen, this.#fd, 4), "listen");
  }

  /** The descriptor that was received: one message with one descriptor. */
  receive(): number {
    assert(poll(this.#fd, POLLIN, SOON_MS) > 0, "no connection came");
    const connection = check(syscall(SYS_accept4, this.#fd, 0, 0, SOCK_CLOEXEC), "accept4");
    const got = recvFds(connection, allocBuffer(4096));
    if (typeof got === "number") throw new Error(`recvmsg: ${got}`);
    close(connection);
    assertEquals(got.fds.length, 1);
    assert(got.len >= 1 && got.len < 4096, `${got.len} bytes`);
    return got.fds[0] ?? -1;
  }

  close(): void {
    close(this.#fd);
  }
}
