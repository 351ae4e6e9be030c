/**
 * The zygote: a process without JavaScript and with little memory, of which all stubs are clones.
 *
 * It maps what all stubs share, installs the signal handlers, then takes messages from the Sentry:
 * put a descriptor into the shared table, close one, make a stub. It never runs guest code and
 * trusts the Sentry. It ends when the Sentry closes its end of the socket. Neighbours: `mapper.ts`
 * (the first steps of a stub), `../zygote_link.ts`.
 */

import { USER_END } from "../../platform.ts";
import type { Assembler } from "../../../ffi/asm/assembler.ts";
import { mem, rip } from "../../../ffi/asm/operands.ts";
import {
  eax,
  ecx,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r12,
  r14,
  r15,
  r8d,
  r9d,
  rax,
  rbp,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../../../ffi/asm/registers.ts";
import { EINTR } from "../../../ffi/abi/errno.ts";
import {
  MAP_FIXED,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../../ffi/abi/mman.ts";
import { PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG } from "../../../ffi/abi/prctl.ts";
import {
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_SET_MODE_FILTER,
  SockFilter,
  SockFprog,
} from "../../../ffi/abi/seccomp.ts";
import { Msghdr } from "../../../ffi/abi/socket.ts";
import { SIG_SETMASK, SIGKILL } from "../../../ffi/abi/signal.ts";
import {
  SYS_clone,
  SYS_close,
  SYS_dup3,
  SYS_mmap,
  SYS_munmap,
  SYS_prctl,
  SYS_pwrite64,
  SYS_recvmsg,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_seccomp,
} from "../../../ffi/abi/syscall_numbers.ts";
import {
  type AllowedSites,
  at,
  dieWith,
  EXIT_MESSAGE,
  EXIT_SETUP,
  futexWake,
  LABELS,
  privilegedCall,
} from "./emit.ts";
import type { Secret } from "./filter.ts";
import { HANDLED, SIGACTION } from "./handler.ts";
import {
  ACK_AT,
  FD_CONTROL,
  FD_MESSAGES,
  GLOBAL,
  GLOBAL_AT,
  MARK_FAILED,
  MESSAGE_AT,
  MESSAGE_BYTES,
  MESSAGE_CLOSE,
  MESSAGE_PUT,
  MESSAGE_STUB,
  SCRATCH,
  SCRATCH_BYTES,
  STUB_END,
  TABLES,
  TEXT,
  TEXT_BYTES,
  THUNKS,
} from "./layout.ts";
import { TABLE_BYTES, THUNKS_BYTES } from "../../thunks.ts";
import { STUB_FLAGS } from "./mapper.ts";

/** Control file offsets of the global page, the jump tables and the thunks. */
export interface SharedOffsets {
  readonly global: number;
  readonly tables: number;
  readonly thunks: number;
}

// The zygote's memory: struct msghdr, one iovec, room for a control message, the message, the
// secret, struct sock_fprog, filter.
const IOVEC = 64, CONTROL = 128, MESSAGE = 256, PROGRAM = 576, FILTER = 640;
/** Offset of the secret in the zygote's memory. */
export const SECRET = 512;
const CONTROL_BYTES = 64;
const MSG_CONTROLLEN = Msghdr.at.controllen;
/** sizeof(struct cmsghdr) + one descriptor. */
const CMSG_ONE_FD = 20;
/** The stack is above this when addresses are not random. */
const STACK_LOW = USER_END - 0x2000000;

/** A message field in memory. */
function field(offset: number) {
  return at(SCRATCH + MESSAGE + offset);
}

/** Emits the main loop of the zygote, which makes stubs and threads on commands. */
export function emitZygote(a: Assembler, shared: SharedOffsets, sites: AllowedSites): void {
  a.align(64).label(LABELS.zygote);
  emitSetup(a, shared);
  a.mov(eax, 1).jmp("zygote_done"); // reports its start as if message 1 were done

  a.label("zygote_next");
  a.mov(at(SCRATCH + MSG_CONTROLLEN), CONTROL_BYTES, 8);
  a.mov(edi, FD_MESSAGES).lea(rsi, at(SCRATCH)).xor(edx, edx);
  privilegedCall(a, SYS_recvmsg);
  a.cmp(eax, MESSAGE_BYTES).je("zygote_message");
  a.cmp(eax, -EINTR).je("zygote_next");
  dieWith(a, 0); // the Sentry has ended

  a.label("zygote_message");
  a.mov(eax, field(MESSAGE_AT.op));
  a.cmp(eax, MESSAGE_PUT).je("zygote_put").cmp(eax, MESSAGE_CLOSE).je("zygote_close");
  a.cmp(eax, MESSAGE_STUB).je("zygote_stub");
  a.label("zygote_fail");
  dieWith(a, EXIT_MESSAGE);

  a.label("zygote_put");
  a.cmp(at(SCRATCH + MSG_CONTROLLEN), CMSG_ONE_FD, 8).jb("zygote_fail");
  a.mov(edi, at(SCRATCH + CONTROL + 16)).mov(esi, field(MESSAGE_AT.args));
  a.cmp(edi, esi).je("zygote_did"); // it arrived at its number already
  a.xor(edx, edx);
  privilegedCall(a, SYS_dup3);
  a.test(eax, eax).js("zygote_fail");
  privilegedCall(a, SYS_close);
  a.jmp("zygote_did");

  a.label("zygote_close");
  a.mov(edi, field(MESSAGE_AT.args));
  privilegedCall(a, SYS_close);
  a.jmp("zygote_did");

  a.label("zygote_stub");
  a.mov(r12, field(MESSAGE_AT.args)).mov(r14, field(MESSAGE_AT.args + 8));
  a.mov(r15, field(MESSAGE_AT.args + 16));
  a.mov(edi, STUB_FLAGS).xor(esi, esi).xor(edx, edx).xor(r10d, r10d);
  privilegedCall(a, SYS_clone);
  a.test(eax, eax).je("birth").jns("zygote_did");
  a.mov(edi, FD_CONTROL).lea(rsi, rip("failure")).mov(edx, 8).lea(r10, mem(r15, ACK_AT.pid));
  privilegedCall(a, SYS_pwrite64);

  a.label("zygote_did");
  a.mov(eax, field(MESSAGE_AT.seq));
  a.label("zygote_done");
  a.mov(ecx, eax).rdtsc().shl(rdx, 32).or(rax, rdx);
  a.mov(at(GLOBAL + GLOBAL_AT.installedTsc), rax);
  a.mov(at(GLOBAL + GLOBAL_AT.installed), ecx);
  futexWake(a, at(GLOBAL + GLOBAL_AT.installed), 0x7fffffff, sites.futex);
  a.jmp("zygote_next");

  a.align(8).label("failure").dq(MARK_FAILED * 0x100000000);
  a.label("name").asciz("dvisor-stub");
}

function emitSetup(a: Assembler, shared: SharedOffsets): void {
  const check = () => void a.test(eax, eax).jne("setup_fail");
  const unmap = (from: number, to: number) => {
    a.mov(rdi, from).mov(rsi, to - from).mov(eax, SYS_munmap).syscall();
  };
  const map = (address: number, bytes: number, prot: number, offset: number) => {
    a.mov(rdi, address).mov(esi, bytes).mov(edx, prot).mov(r10d, MAP_SHARED | MAP_FIXED);
    a.mov(r8d, FD_CONTROL).mov(r9d, offset).mov(eax, SYS_mmap).syscall();
    a.cmp(rax, rdi).jne("setup_fail");
  };
  a.mov(edi, PR_SET_PDEATHSIG).mov(esi, SIGKILL).mov(eax, SYS_prctl).syscall();
  check();
  a.mov(edi, PR_SET_NO_NEW_PRIVS).mov(esi, 1).xor(edx, edx).xor(r10d, r10d).xor(r8d, r8d);
  a.mov(eax, SYS_prctl).syscall();
  check();
  a.mov(edi, PR_SET_NAME).lea(rsi, rip("name")).mov(eax, SYS_prctl).syscall();
  a.mov(edi, SIG_SETMASK).lea(rsi, rip("all_signals")).xor(edx, edx).mov(r10d, 8);
  a.mov(eax, SYS_rt_sigprocmask).syscall();
  check();
  for (const signo of HANDLED) {
    a.mov(edi, signo).lea(rsi, rip(SIGACTION)).xor(edx, edx).mov(r10d, 8);
    a.mov(eax, SYS_rt_sigaction).syscall();
    check();
  }
  unmapOthers(a, unmap, check);
  map(GLOBAL, PAGE_SIZE, PROT_READ | PROT_WRITE, shared.global);
  map(THUNKS, THUNKS_BYTES, PROT_READ | PROT_EXEC, shared.thunks);
  TABLES.forEach((address, i) =>
    map(address, TABLE_BYTES, PROT_READ, shared.tables + i * TABLE_BYTES)
  );
  a.mov(rsp, at(SCRATCH + SECRET)).mov(rbp, at(SCRATCH + SECRET + 8));
  a.mov(edi, SECCOMP_SET_MODE_FILTER).mov(esi, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
  a.lea(rdx, at(SCRATCH + PROGRAM)).mov(eax, SYS_seccomp).syscall();
  check();
  a.jmp("setup_done");
  a.label("setup_fail");
  dieWith(a, EXIT_SETUP);
  a.align(8).label("all_signals").dq(-1);
  a.label("setup_done");
}

/**
 * Removes everything but the program's own two parts. With random addresses the host's stack and
 * its vdso may be anywhere, also between those parts.
 */
function unmapOthers(
  a: Assembler,
  unmap: (from: number, to: number) => void,
  check: () => void,
): void {
  unmap(0, TEXT);
  check();
  unmap(TEXT + TEXT_BYTES, SCRATCH);
  check();
  unmap(SCRATCH + SCRATCH_BYTES, STUB_END);
  check();
  // Fails as a whole where the host seals its vdso, which does no harm there. The stack must go.
  unmap(STUB_END, USER_END);
  a.test(eax, eax).je("setup_unmapped");
  a.mov(rdi, STACK_LOW).cmp(rsp, rdi).jb("setup_fail");
  unmap(STACK_LOW, USER_END);
  check();
  a.label("setup_unmapped");
}

/** The initial memory of the zygote. */
export function zygoteScratch(secret: Secret, filter: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SCRATCH_BYTES);
  const view = new DataView(bytes.buffer);
  const setAddress = (at: number, offset: number) =>
    view.setBigUint64(at, BigInt(SCRATCH + offset), true);
  setAddress(Msghdr.at.iov, IOVEC);
  view.setBigUint64(Msghdr.at.iovlen, 1n, true);
  setAddress(Msghdr.at.control, CONTROL);
  setAddress(IOVEC, MESSAGE);
  view.setBigUint64(IOVEC + 8, BigInt(MESSAGE_BYTES), true);
  secret.forEach((word, i) => view.setUint32(SECRET + 4 * i, word, true));
  view.setUint16(PROGRAM + SockFprog.at.len, filter.length / SockFilter.size, true);
  setAddress(PROGRAM + SockFprog.at.filter, FILTER);
  bytes.set(filter, FILTER);
  return bytes;
}
