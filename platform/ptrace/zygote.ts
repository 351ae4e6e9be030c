/**
 * The first stub: a process of one page after execve, of which every other stub is a clone. It
 * never runs guest code.
 *
 * All stubs share its table of files: the arena, the command pages, and the mappable host files,
 * which arrive over a socket. Neighbours: `stub_image.ts`, `space.ts`, `ptrace_platform.ts`.
 */

import { USER_END } from "../platform.ts";
import { ECHILD, EMFILE } from "../../ffi/abi/errno.ts";
import { CLOSE_RANGE_CLOEXEC, F_DUPFD_CLOEXEC, MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { MAP_FIXED, MAP_SHARED, PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { MREMAP_FIXED, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { PR_SET_NAME, PR_SET_NO_NEW_PRIVS } from "../../ffi/abi/prctl.ts";
import {
  PTRACE_O_EXITKILL,
  PTRACE_O_TRACESYSGOOD,
  PTRACE_SETOPTIONS,
  PTRACE_SETSIGMASK,
  PTRACE_TRACEME,
} from "../../ffi/abi/ptrace.ts";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { SECCOMP_SET_MODE_FILTER } from "../../ffi/abi/seccomp.ts";
import { SIGKILL, SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import {
  AF_UNIX,
  Cmsghdr,
  cmsgSpace,
  Iovec,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  Msghdr,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
} from "../../ffi/abi/socket.ts";
import {
  SYS_close,
  SYS_close_range,
  SYS_dup3,
  SYS_fcntl,
  SYS_kill,
  SYS_mmap,
  SYS_mremap,
  SYS_munmap,
  SYS_prctl,
  SYS_prlimit64,
  SYS_ptrace,
  SYS_recvmsg,
  SYS_seccomp,
  SYS_setpgid,
} from "../../ffi/abi/syscall_numbers.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { addressOf, scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, memfdCreate, pwrite, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { PREV, spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { type CommandPages, ZYGOTE_PAGE } from "./command_pages.ts";
import { fenceProgram } from "./fence.ts";
import { probeFpu } from "./fpu_state.ts";
import { HelperThread } from "./helper_thread.ts";
import { LOAD_ADDRESS, STUB_CONTROL, STUB_TEXT, stubImage } from "./stub_image.ts";
import type { PtraceSpace } from "./space.ts";
import type { Tracer } from "./tracer.ts";

/** Descriptors of the table that all stubs share. */
export const ARENA_FD = 3;
export const COMMANDS_FD = 4;
const SOCKET_FD = 5;
const FIRST_FREE_FD = 6;
const MAX_FD = 0xffffffff;

/** Offsets in the zygote's command page, which the zygote can write. */
const MSGHDR = 0, IOVEC = 64, DATA = 80, CONTROL = 96, NAME = 192, FPROG = 208, FILTER = 512;
const CONTROL_BYTES = cmsgSpace(4);

/** The parts of the platform that its spaces use. */
export interface StubOwner {
  readonly tracer: Tracer;
  readonly commands: CommandPages;
  /** Spaces that have a host process. */
  readonly spaces: Set<PtraceSpace>;
  /** Spaces with changes that the host has not made yet. */
  readonly dirty: Set<PtraceSpace>;
}

export class Zygote {
  readonly helper: HelperThread;
  /** Ranges that the zygote could not unmap, as [start, end) pairs: every stub has them. */
  readonly reserved: [number, number][] = [];
  readonly #commands: CommandPages;
  /** This process's end of the socket. */
  readonly #socket: number;

  private constructor(helper: HelperThread, commands: CommandPages, socket: number) {
    this.helper = helper;
    this.#commands = commands;
    this.#socket = socket;
  }

  /** @throws Error naming the call that the host refused */
  static start(
    tracer: Tracer,
    commands: CommandPages,
    arena: Arena,
    prepare: ((script: SpawnScript) => void) | null,
  ): Zygote {
    const pair = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC);
    if (typeof pair === "number") throw new SyscallError("socketpair", pair);
    try {
      tracer.group = launch(arena.fd, commands.region.fd, pair[1], prepare);
      const helper = new HelperThread(tracer, tracer.group);
      tracer.adopt(helper);
      tracer.waitFor(helper); // the trap behind execve
      const zygote = new Zygote(helper, commands, pair[0]);
      zygote.#setUp();
      return zygote;
    } catch (error) {
      if (tracer.group !== 0) syscall(SYS_kill, tracer.group, SIGKILL);
      while (tracer.group !== 0 && tracer.wait(true) !== -ECHILD);
      close(pair[0]);
      throw error;
    } finally {
      close(pair[1]);
    }
  }

  #setUp(): void {
    const { helper } = this;
    const { tracer } = helper;
    check(helper.fetch(), "ptrace PTRACE_GETREGS");
    const options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
    check(helper.request(PTRACE_SETOPTIONS, 0, options), "ptrace PTRACE_SETOPTIONS");
    tracer.dv.setBigUint64(tracer.siginfo, 0n, true);
    const none = tracer.address(tracer.siginfo);
    check(helper.request(PTRACE_SETSIGMASK, SIGSET_SIZE, none), "ptrace PTRACE_SETSIGMASK");
    if (!probeFpu(helper)) throw new Error("this host's ptrace does not give FPU state");

    helper.text = LOAD_ADDRESS;
    this.#unmapAll();
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    // It faults behind the call, where no page is left.
    helper.call(SYS_mremap, LOAD_ADDRESS, PAGE_SIZE, PAGE_SIZE, flags, STUB_TEXT);
    helper.text = STUB_TEXT;
    const prot = PROT_READ | PROT_WRITE;
    const share = MAP_SHARED | MAP_FIXED;
    const offset = ZYGOTE_PAGE * PAGE_SIZE;
    const page = helper.call(SYS_mmap, STUB_CONTROL, PAGE_SIZE, prot, share, COMMANDS_FD, offset);
    check(page, "mmap in the stub");
    this.#setName();
    this.#raiseFence();
  }

  /**
   * Unmaps all but its page: the stack, the vdso and what the host may have added. Some hosts seal
   * the vdso.
   */
  #unmapAll(): void {
    const { helper } = this;
    const behind = LOAD_ADDRESS + PAGE_SIZE;
    if (helper.call(SYS_munmap, behind, USER_END - behind) === 0) return;
    for (const line of Deno.readTextFileSync(`/proc/${helper.tid}/maps`).split("\n")) {
      const [start, end] = line.split(" ", 1)[0]!.split("-").map((hex) => parseInt(hex, 16));
      if (start === undefined || end === undefined || start === LOAD_ADDRESS) continue;
      if (start >= USER_END || helper.call(SYS_munmap, start, end - start) === 0) continue;
      this.reserved.push([start, end]);
    }
  }

  #setName(): void {
    const name = new TextEncoder().encode("dvisor-stub\0");
    for (let i = 0; i < name.length; i++) this.#dv.setUint8(NAME + i, name[i]!);
    this.helper.call(SYS_prctl, PR_SET_NAME, STUB_CONTROL + NAME);
  }

  #raiseFence(): void {
    const program = fenceProgram();
    for (let i = 0; i < program.length; i++) this.#dv.setUint8(FILTER + i, program[i]!);
    this.#dv.setUint16(FPROG, program.length / 8, true);
    this.#dv.setBigUint64(FPROG + 8, BigInt(STUB_CONTROL + FILTER), true);
    check(this.helper.call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl in the stub");
    const at = STUB_CONTROL + FPROG;
    check(this.helper.call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, at), "seccomp in the stub");
  }

  /** Sends a file to the table of the stubs. @returns its number there, or -errno */
  receiveFile(hostFd: number): number {
    const sent = sendFds(this.#socket, ONE_BYTE, [hostFd]);
    if (sent < 0) return sent;
    const dv = this.#dv;
    dv.setBigUint64(IOVEC + Iovec.at.base, BigInt(STUB_CONTROL + DATA), true);
    dv.setBigUint64(IOVEC + Iovec.at.len, 1n, true);
    for (let i = 0; i < Msghdr.size; i++) dv.setUint8(MSGHDR + i, 0);
    dv.setBigUint64(MSGHDR + Msghdr.at.iov, BigInt(STUB_CONTROL + IOVEC), true);
    dv.setBigUint64(MSGHDR + Msghdr.at.iovlen, 1n, true);
    dv.setBigUint64(MSGHDR + Msghdr.at.control, BigInt(STUB_CONTROL + CONTROL), true);
    dv.setBigUint64(MSGHDR + Msghdr.at.controllen, BigInt(CONTROL_BYTES), true);
    const flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    const r = this.helper.call(SYS_recvmsg, SOCKET_FD, STUB_CONTROL + MSGHDR, flags);
    if (r < 0) return r;
    // There is no control message: the table of the stubs is full.
    if (dv.getUint32(MSGHDR + Msghdr.at.controllen, true) < Cmsghdr.size + 4) return -EMFILE;
    return dv.getInt32(CONTROL + Cmsghdr.size, true);
  }

  closeFile(file: number): void {
    this.helper.call(SYS_close, file);
  }

  close(): void {
    close(this.#socket);
  }

  get #dv(): DataView {
    return this.#commands.region.dv;
  }
}

/**
 * struct rlimit with this process's hard limit twice: the table has a descriptor of every mappable
 * file.
 */
function highestFileLimit(): Uint8Array {
  const at = scratch.areaOffset(0);
  check(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, scratch.area(0)), "prlimit64");
  scratch.u8.copyWithin(at, at + 8, at + 16);
  return scratch.u8.slice(at, at + 16);
}

const ONE_BYTE = new Uint8Array(1);

/**
 * Starts the stub, traced and as leader of a process group, with the descriptors of the shared
 * table. @returns its pid
 */
function launch(
  arenaFd: number,
  commandsFd: number,
  socketFd: number,
  prepare: ((script: SpawnScript) => void) | null,
): number {
  const image = stubImage();
  const imageFd = check(memfdCreate("dvisor-stub", MFD_CLOEXEC), "memfd_create");
  try {
    check(pwrite(imageFd, addressOf(image), image.length, 0), "write the stub");
    const script = new SpawnScript().call(SYS_setpgid, 0, 0);
    // First moves the descriptors above the numbers of the table, as one of them may have such a
    // number.
    const aside = [imageFd, arenaFd, commandsFd, socketFd].map((fd) => {
      script.call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
      return PREV(script.length - 1);
    });
    [ARENA_FD, COMMANDS_FD, SOCKET_FD].forEach((to, i) =>
      script.call(SYS_dup3, aside[i + 1]!, to, 0)
    );
    for (let fd = 0; fd < ARENA_FD; fd++) script.callMayFail(SYS_close, fd);
    script.callMayFail(SYS_prlimit64, 0, RLIMIT_NOFILE, highestFileLimit(), 0);
    script.callMayFail(SYS_close_range, FIRST_FREE_FD, MAX_FD, CLOSE_RANGE_CLOEXEC);
    prepare?.(script);
    script.call(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    script.execFd(aside[0]!, ["dvisor-stub"], []);
    const { pid, pidfd } = spawn(script);
    close(pidfd);
    return pid;
  } finally {
    close(imageFd);
  }
}
