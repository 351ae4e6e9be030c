/**
 * How a guest thread waits for the Sentry after a post: it rings, spins, sleeps, and passes the
 * turn to the mapper.
 *
 * It is emitted twice, for the signal handler and for the fast path, which find the slot in
 * different ways. Neighbours: `handler.ts`, `fast_path.ts`; the other side is `../context.ts`.
 */

import type { Assembler } from "../../../ffi/asm/assembler.ts";
import type { Mem } from "../../../ffi/asm/operands.ts";
import { eax, ecx, edi, edx, esi, r10d, r8d, rsi } from "../../../ffi/asm/registers.ts";
import { rip } from "../../../ffi/asm/operands.ts";
import { FUTEX_WAIT } from "../../../ffi/abi/futex.ts";
import { SYS_futex, SYS_write } from "../../../ffi/abi/syscall_numbers.ts";
import { allowedCall, type AllowedSites, at, futexWait, futexWake } from "./emit.ts";
import {
  COMMANDS,
  COMMANDS_AT,
  FD_DOORBELL,
  FIRST_REPLY,
  GLOBAL,
  GLOBAL_AT,
  HEADER,
  HEADER_AT,
  REPLY_CHAIN,
  REPLY_CODE,
  STATE_SLEEPING,
} from "./layout.ts";

/** How a waiting thread finds its slot. */
export interface SlotAccess {
  readonly state: Mem;
  readonly chain: Mem;
  readonly cpu: Mem;
  readonly resumed: Mem;
  readonly rung: Mem;
  /** Sets rdi to the linear address of the state word; may change rdi only. */
  stateAddress(a: Assembler): void;
}

/** The part of the time stamp counter's tag (TSC_AUX) in which Linux has the number of the CPU. */
const CPU_MASK = 0xfff;
/** LIMIT: looks for a reply before the first read of the clock. */
const LOOKS = 40;
/** Label of a u64 1 in the text. */
export const ONE = "one";

/**
 * Waits until the state is a reply, lets the mapper go first if the reply requests it, and returns
 * the reply's code in ecx. The state was set to `posted` by a locked instruction, so `sleeping` is
 * read after the post is visible. `entry` is a label for a thread whose state is posted already,
 * which need not ring. Changes rax, rcx, rdx, rsi, rdi, r8, r10, r11 and nothing else.
 */
export function emitWaitReply(
  a: Assembler,
  posted: number,
  slot: SlotAccess,
  sites: AllowedSites,
  entry: string,
): void {
  const rung = a.fresh("rung"), look = a.fresh("look"), spin = a.fresh("spin");
  const sleep = a.fresh("sleep"), wait = a.fresh("wait"), changed = a.fresh("changed");
  const ring = a.fresh("ring"), soon = a.fresh("soon"), chain = a.fresh("chain");

  a.cmp(at(GLOBAL + GLOBAL_AT.sleeping), 0, 4).jne(ring);
  a.label(rung).label(entry);
  a.mov(r8d, at(GLOBAL + GLOBAL_AT.spinTicks)).test(r8d, r8d).je(sleep);
  // Most replies come before a read of the clock pays.
  a.mov(esi, LOOKS);
  a.label(look);
  a.mov(ecx, slot.state).cmp(ecx, posted).jne(soon);
  a.pause().dec(esi).jne(look);
  a.rdtscp().mov(esi, eax).and(ecx, CPU_MASK).mov(slot.cpu, ecx);
  // The Sentry cannot reply while this thread spins on the Sentry's CPU.
  a.cmp(ecx, at(GLOBAL + GLOBAL_AT.loopCpu)).je(sleep);
  a.label(spin);
  a.mov(ecx, slot.state).cmp(ecx, posted).jne(changed);
  a.pause().rdtsc().sub(eax, esi).cmp(eax, r8d).jb(spin);
  a.label(sleep);
  a.mov(eax, posted).mov(ecx, posted | STATE_SLEEPING);
  a.lock().cmpxchg(slot.state, ecx).je(wait);
  a.mov(ecx, eax).jmp(changed);

  a.label(wait);
  a.mov(edx, ecx);
  slot.stateAddress(a);
  a.mov(esi, FUTEX_WAIT).xor(r10d, r10d).mov(eax, SYS_futex);
  allowedCall(a, sites.futex);
  a.mov(ecx, slot.state);
  a.label(changed);
  a.cmp(ecx, FIRST_REPLY).jb(wait);
  a.rdtsc().mov(slot.resumed, eax).jmp(chain);
  a.label(soon);
  a.cmp(ecx, FIRST_REPLY).jb(wait);
  a.label(chain);
  emitChain(a, slot, sites);
  const done = a.fresh("wait_done");
  a.jmp(done);

  a.label(ring);
  a.rdtscp().and(ecx, CPU_MASK).mov(slot.cpu, ecx).mov(slot.rung, eax);
  a.mov(edi, FD_DOORBELL).lea(rsi, rip(ONE)).mov(edx, 8).mov(eax, SYS_write);
  allowedCall(a, sites.doorbell);
  a.jmp(rung);
  a.label(done);
}

/** REPLY_CHAIN: wakes the mapper, and waits until it has done the commands up to `chain`. */
function emitChain(a: Assembler, slot: SlotAccess, sites: AllowedSites): void {
  const isDone = a.fresh("chain_done"),
    again = a.fresh("chain_again"),
    none = a.fresh("chain_none");
  const done = at(HEADER + HEADER_AT.done);
  a.test(ecx, REPLY_CHAIN).je(none);
  a.mov(r8d, slot.chain);
  a.mov(eax, done).sub(eax, r8d).jns(isDone);
  futexWake(a, at(COMMANDS + COMMANDS_AT.head), 1, sites.futex);
  a.label(again);
  a.mov(edx, done).mov(eax, edx).sub(eax, r8d).jns(isDone);
  futexWait(a, done, sites.futex);
  a.jmp(again);
  a.label(isDone);
  a.mov(ecx, slot.state);
  a.label(none);
  a.and(ecx, REPLY_CODE);
}
