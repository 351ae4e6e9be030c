/**
 * The socket between the launcher and `dvisor boot`: one message a packet, both ways.
 *
 * Until the guest runs, messages are JSON. After `go` the peer of boot is the waiter
 * (proxy/waiter_image.ts), and packets are three 32-bit numbers. When one side ends, so does the
 * sandbox: without a waiter no process would get the exit code, and without boot the kernel is
 * gone. Not here: what the messages lead to.
 */

import { EAGAIN, EINTR } from "../../ffi/abi/errno.ts";
import { layout } from "../../ffi/abi/layout.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import { check } from "../../ffi/sys/errors.ts";
import { allocBuffer } from "../../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, socketpair } from "../../ffi/sys/files.ts";
import type { PlatformName } from "../../platform/select/candidates.ts";
import { readBootMessage } from "./control_answers.ts";
import type { ErrorMessage } from "./session/messages.ts";
import { wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";

/** From boot, before the guest runs. */
export type BootMessage =
  /** The boot process needs no names of the host any more: its root directory can be taken away. */
  | { readonly type: "ready"; readonly bestPlatform?: PlatformName }
  /** The guest's program is loaded, and waits for `go`. */
  | { readonly type: "loaded" }
  /**
   * Confinement is complete, and the control server listens. Sent only if the waiter is not the
   * launcher.
   */
  | { readonly type: "running" }
  /** The sandbox could not be started: the reason, and the exit code for it. */
  | { readonly type: "failed"; readonly error: ErrorMessage; readonly exitCode: number };

/** From the launcher, before the guest runs. */
type LaunchMessage =
  /** The launcher is ready: the boot process confines itself and runs the guest. */
  { readonly type: "go" };

/** Messages that are sent while the guest runs. */
export const ControlPacket = layout("control_packet", { kind: "u32", a: "u32", b: "u32" });

/** To boot: signal `a` for the first process. */
export const PACKET_SIGNAL = 1;
/** To boot: the host terminal has `a` rows and `b` columns. */
export const PACKET_RESIZE = 2;
/** From boot: the guest ended; `a` is the exit code. */
export const PACKET_EXIT = 3;

export interface Packet {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

/** LIMIT: bytes of a message. */
const MESSAGE_MAX = 65536;

/** A message or packet; null if none has arrived; "end" if none will arrive. */
type Received<M> = M | null | "end";

/** One end. `In` is what arrives here, `Out` what is sent. */
export class ControlSocket<In extends { type: string }, Out extends { type: string }> {
  readonly fd: number;
  readonly #parse: (json: string) => In;
  readonly #buffer = allocBuffer(MESSAGE_MAX);
  readonly #view = new DataView(this.#buffer.buffer);

  /** @param parse checks an incoming message; by default the peer is trusted */
  constructor(fd: number, parse: (json: string) => In = JSON.parse) {
    this.fd = fd;
    this.#parse = parse;
  }

  /** False if the peer is gone. */
  send(message: Out): boolean {
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    const data = allocBuffer(Math.max(bytes.length, 1));
    data.set(bytes);
    return sendFds(this.fd, data, []) === data.length;
  }

  sendPacket(kind: number, a: number, b: number): boolean {
    const data = packet(kind, a, b);
    return sendFds(this.fd, data, []) === data.length;
  }

  /**
   * Waits for the next message.
   * @throws UserError for one that is not valid
   */
  receive(): In | "end" {
    for (;;) {
      const n = this.#receive(0);
      if (n > 0) return this.#parse(new TextDecoder().decode(this.#buffer.subarray(0, n)));
      if (n === 0) return "end";
    }
  }

  /** The next packet, if there is one. */
  receivePacket(): Received<Packet> {
    const n = this.#receive(MSG_DONTWAIT);
    if (n < 0) return null;
    if (n !== ControlPacket.size) return "end";
    const { at } = ControlPacket, view = this.#view;
    return {
      kind: view.getUint32(at.kind, true),
      a: view.getUint32(at.a, true),
      b: view.getUint32(at.b, true),
    };
  }

  /** Bytes received, 0 at the end, -1 if there is nothing for now. */
  #receive(flags: number): number {
    const r = recvFds(this.fd, this.#buffer, flags);
    if (r === -EINTR || r === -EAGAIN) return -1;
    if (typeof r === "number") return 0;
    for (const fd of r.fds) close(fd);
    return r.len;
  }

  close(): void {
    close(this.fd);
  }
}

function packet(kind: number, a: number, b: number): Uint8Array<ArrayBuffer> {
  const data = allocBuffer(ControlPacket.size), view = new DataView(data.buffer);
  view.setUint32(ControlPacket.at.kind, kind, true);
  view.setUint32(ControlPacket.at.a, a, true);
  view.setUint32(ControlPacket.at.b, b, true);
  return data;
}

/** The bytes of a packet that brings a signal. */
export function signalPacket(signo: number): Uint8Array {
  return packet(PACKET_SIGNAL, signo, 0);
}

/** The boot process's end. */
export type BootSocket = ControlSocket<LaunchMessage, BootMessage>;
/** The launcher's end. */
export type LauncherSocket = ControlSocket<BootMessage, LaunchMessage>;

/** A connected pair: the launcher's end, and the number of boot's. */
export function controlPair(): { launcher: LauncherSocket; bootFd: number } {
  const [launcher, bootFd] = packetPair();
  return { launcher: new ControlSocket(launcher, readBootMessage), bootFd };
}

/** A connected pair of descriptors: for a waiter, and for the sandbox. */
export function packetPair(): [number, number] {
  const pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
  if (typeof pair === "number") {
    check(pair, "socketpair");
    throw new Error("socketpair gave no pair");
  }
  return pair;
}

const SIGNAL_BASE = 128;

/**
 * The exit code of dvisor for a guest's end, as a shell has it.
 * @param status of wait(2)
 */
export function exitCodeOf(status: number): number {
  return wifExited(status) ? wExitStatus(status) : SIGNAL_BASE + wTermSig(status);
}
