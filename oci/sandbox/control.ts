/**
 * The socket between the launcher and `dvisor boot`: one JSON message a packet, both ways.
 *
 * The end of the other side is the end of the sandbox: for boot because nobody would hear its result, for the
 * launcher because the kernel is gone. Not here: what the messages lead to.
 */

import { EAGAIN, EINTR } from "../../ffi/abi/errno.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import { check } from "../../ffi/sys/errors.ts";
import { allocBuffer } from "../../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, socketpair } from "../../ffi/sys/files.ts";

/** From boot. */
export type BootMessage =
  /** All is set up; waits for `go`. */
  | { readonly type: "ready" }
  /** The sandbox could not be started: why, and the exit code that says so. */
  | { readonly type: "failed"; readonly message: string; readonly exitCode: number }
  /** A line for the user; the sandbox goes on. */
  | { readonly type: "note"; readonly message: string }
  /** The first process ended: its wait(2) status. */
  | { readonly type: "exit"; readonly status: number };

/** From the launcher. */
export type LaunchMessage =
  /** Confinement is complete: run the guest. */
  | { readonly type: "go" }
  /** For the first process. */
  | { readonly type: "signal"; readonly signo: number }
  /** The host terminal has another size. */
  | { readonly type: "resize"; readonly rows: number; readonly columns: number };

/** LIMIT: bytes of a message. */
const MESSAGE_MAX = 65536;

export type Received<M> =
  | { readonly kind: "message"; readonly message: M }
  | { readonly kind: "none" }
  | { readonly kind: "end" };

/** One end. `In` is what arrives here, `Out` what is sent. */
export class ControlSocket<In extends { type: string }, Out extends { type: string }> {
  readonly fd: number;
  readonly #buffer = allocBuffer(MESSAGE_MAX);

  constructor(fd: number) {
    this.fd = fd;
  }

  /** False when the other side is gone. */
  send(message: Out): boolean {
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    const data = allocBuffer(Math.max(bytes.length, 1));
    data.set(bytes);
    return sendFds(this.fd, data, []) === data.length;
  }

  /** The next message; waits for it if `wait`. */
  receive(wait: boolean): Received<In> {
    for (;;) {
      const r = recvFds(this.fd, this.#buffer, wait ? 0 : MSG_DONTWAIT);
      if (r === -EINTR) continue;
      if (r === -EAGAIN) return { kind: "none" };
      if (typeof r === "number" || r.len === 0) return { kind: "end" };
      for (const fd of r.fds) close(fd);
      return { kind: "message", message: parse(this.#buffer.subarray(0, r.len)) };
    }
  }

  close(): void {
    close(this.fd);
  }
}

/** The boot process's end. */
export type BootSocket = ControlSocket<LaunchMessage, BootMessage>;

/** Both ends are this program, of the same version: the shape is not checked again. */
function parse<M>(bytes: Uint8Array<ArrayBuffer>): M {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** A connected pair: the launcher's end, and the number of boot's. */
export function controlPair(): {
  launcher: ControlSocket<BootMessage, LaunchMessage>;
  bootFd: number;
} {
  const pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  if (typeof pair === "number") {
    check(pair, "socketpair");
    throw new Error("socketpair gave no pair");
  }
  return { launcher: new ControlSocket(pair[0]), bootFd: pair[1] };
}
