/**
 * The Sentry's end of the zygote: starts it, and sends it messages with descriptors and requests
 * for stubs.
 *
 * The Sentry does not wait for messages: they have numbers, and the mapper that needs one done (for
 * a file) waits on the zygote's counter in the global page. Neighbour: `stub/zygote.ts`.
 */

import { CLOSE_RANGE_CLOEXEC, F_DUPFD_CLOEXEC, MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { Rlimit, RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_STACK } from "../../ffi/abi/resource.ts";
import { ADDR_NO_RANDOMIZE } from "../../ffi/abi/system.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import {
  SYS_close,
  SYS_close_range,
  SYS_dup3,
  SYS_fcntl,
  SYS_personality,
  SYS_prlimit64,
  SYS_setpgid,
} from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check, isErr, SyscallError } from "../../ffi/sys/errors.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, memfdCreate, pwrite, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { PREV, spawn, type Spawned, SpawnScript } from "../../ffi/sys/spawn.ts";
import {
  FD_ARENA,
  FD_CONTROL,
  FD_DOORBELL,
  FD_MESSAGES,
  MESSAGE_AT,
  MESSAGE_BYTES,
  MESSAGE_CLOSE,
  MESSAGE_PUT,
  MESSAGE_STUB,
} from "./stub/layout.ts";

/** First number above the fixed descriptors. */
const FD_ASIDE = 7;
const MAX_FD = 0xffffffff;
const NO_LIMIT = 2n ** 64n - 1n;
const STACK_BYTES = 8 * 1024 * 1024;

interface SharedFds {
  readonly control: number;
  readonly arena: number;
  readonly doorbell: number;
}

export class ZygoteLink {
  readonly pid: number;
  readonly pidfd: number;
  readonly #socket: number;
  readonly #message = allocBuffer(MESSAGE_BYTES);
  readonly #view = new DataView(this.#message.buffer, this.#message.byteOffset, MESSAGE_BYTES);
  /** Number of the last message; 1 is the start that the zygote reports. */
  #sent = 1;
  /** When it was sent, by `performance.now()`. */
  sentAtNs = performance.now() * 1e6;

  private constructor(spawned: Spawned, socket: number) {
    this.pid = spawned.pid;
    this.pidfd = spawned.pidfd;
    this.#socket = socket;
  }

  /**
   * @param prepare adds steps to what runs before execve: limits, cgroup, priority
   * @throws Error naming the call that the host refused
   */
  static start(
    elf: Uint8Array,
    fds: SharedFds,
    prepare: ((script: SpawnScript) => void) | null,
  ): ZygoteLink {
    const pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
    if (typeof pair === "number") throw new SyscallError("socketpair", pair);
    const image = check(memfdCreate("dvisor-stub", MFD_CLOEXEC), "memfd_create");
    try {
      check(pwrite(image, addressOf(elf), elf.length, 0), "write the stub");
      const script = launchScript(image, pair[1], fds, prepare);
      return new ZygoteLink(spawn(script), pair[0]);
    } catch (error) {
      close(pair[0]);
      throw error;
    } finally {
      close(image);
      close(pair[1]);
    }
  }

  /** Puts a copy of `fd` at `number` in the shared table. @returns the message's number */
  put(number: number, fd: number): number {
    return this.#send(MESSAGE_PUT, number, 0, 0, [fd]);
  }

  closeNumber(number: number): void {
    this.#send(MESSAGE_CLOSE, number, 0, 0, []);
  }

  /** Requests a stub; the arguments are control file offsets. */
  makeStub(commands: number, slots: number, ack: number): void {
    this.#send(MESSAGE_STUB, commands, slots, ack, []);
  }

  #send(op: number, a0: number, a1: number, a2: number, fds: number[]): number {
    this.#sent = (this.#sent + 1) >>> 0 || 1; // 0 means "no message"
    const view = this.#view;
    view.setUint32(MESSAGE_AT.op, op, true);
    view.setUint32(MESSAGE_AT.seq, this.#sent, true);
    [a0, a1, a2].forEach((value, i) =>
      view.setBigUint64(MESSAGE_AT.args + 8 * i, BigInt(value), true)
    );
    this.sentAtNs = performance.now() * 1e6;
    const sent = sendFds(this.#socket, this.#message, fds);
    if (isErr(sent)) throw new SyscallError("sendmsg to the zygote", sent);
    return this.#sent;
  }

  /**
   * Whether the zygote has handled the last message. @param installed number of the last message
   * that it has handled
   */
  isIdle(installed: number): boolean {
    return (installed | 0) === (this.#sent | 0);
  }

  /** Ends the zygote. */
  close(): void {
    close(this.#socket);
    close(this.pidfd);
  }
}

/**
 * Moves descriptors to their numbers, all others closed at exec; switches random addresses off
 * where the host permits it, so that the stub's are free.
 */
function launchScript(
  image: number,
  socket: number,
  fds: SharedFds,
  prepare: ((script: SpawnScript) => void) | null,
): SpawnScript {
  const script = new SpawnScript().call(SYS_setpgid, 0, 0);
  // First moves the descriptors above their numbers, as one of them may have such a number.
  const aside = [image, socket, fds.control, fds.arena, fds.doorbell].map((fd) => {
    script.call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_ASIDE);
    return PREV(script.length - 1);
  });
  const places = [FD_MESSAGES, FD_CONTROL, FD_ARENA, FD_DOORBELL];
  places.forEach((place, i) => script.call(SYS_dup3, aside[i + 1]!, place, 0));
  for (let fd = 0; fd < FD_MESSAGES; fd++) script.callMayFail(SYS_close, fd);
  script.call(SYS_close_range, FD_ASIDE, MAX_FD, CLOSE_RANGE_CLOEXEC);
  // Refused in containers of Docker and Podman: the zygote then clears random addresses itself.
  script.callMayFail(SYS_personality, ADDR_NO_RANDOMIZE);
  limit(script, RLIMIT_CORE, () => 0);
  limit(script, RLIMIT_NOFILE, (hard) => hard);
  // The limit of the stack determines where the host maps its vdso.
  limit(script, RLIMIT_STACK, (hard) => Math.min(hard, STACK_BYTES));
  prepare?.(script);
  return script.execFd(aside[0]!, ["dvisor-stub"], []);
}

/**
 * A step that sets a limit of the zygote and all stubs; the soft limit gets the value of the hard
 * one.
 */
function limit(script: SpawnScript, resource: number, soft: (hard: number) => number): void {
  const at = scratch.areaOffset(0);
  check(syscall(SYS_prlimit64, 0, resource, 0, scratch.area(0)), "prlimit64");
  const value = new Uint8Array(Rlimit.size);
  const view = new DataView(value.buffer);
  const hard = scratch.dv.getBigUint64(at + Rlimit.at.max, true);
  const isInfinite = hard === NO_LIMIT;
  const wanted = soft(isInfinite ? Number.MAX_SAFE_INTEGER : Number(hard));
  view.setBigUint64(Rlimit.at.cur, BigInt(wanted), true);
  view.setBigUint64(Rlimit.at.max, resource === RLIMIT_CORE ? 0n : hard, true);
  script.call(SYS_prlimit64, 0, resource, value, 0);
}
