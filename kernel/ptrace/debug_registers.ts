/**
 * Debug registers of a tracee, for a debugger's watchpoints and hardware breakpoints (ptrace(2)
 * POKEUSR on u_debugreg).
 *
 * The kernel has no access to the processor's registers. So the task single-steps while one is
 * enabled, and the watched memory is compared behind each instruction. DIFFERS: reads cannot be
 * watched (EIO).
 */

import { EINVAL, EIO } from "../../ffi/abi/errno.ts";
import { TRAP_HWBKPT, TRAP_TRACE } from "../../ffi/abi/siginfo.ts";
import { EFLAGS, USER_END } from "../../platform/platform.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Task } from "../task/task.ts";
import { RUN_ONE_STEP } from "./trace.ts";

const SLOTS = 4, STATUS = 6, CONTROL = 7;
/** Kinds in the control register: execution, writes. */
const KIND_EXECUTE = 0, KIND_WRITE = 1, KIND_IO = 2;
/** Length by the two LEN bits. */
const LENGTHS: readonly number[] = [1, 2, 8, 4];
/** Bits of the status register that are always 1, and the bit of a single step. */
const STATUS_ONES = 0xffff0ff0, STATUS_STEP = 0x4000;
const TF = 0x100;

const bytes = new Uint8Array(8);

export class DebugRegisters {
  private readonly addresses: number[] = [0, 0, 0, 0];
  private status: number = 0;
  private control: number = 0;
  /** The last contents of the watched memory; "" for unmapped memory. */
  private readonly seen: string[] = ["", "", "", ""];

  get isActive(): boolean {
    return (this.control & 0xff) !== 0;
  }

  get(index: number): number {
    if (index < SLOTS) return this.addresses[index]!;
    if (index === CONTROL) return this.control;
    return index === STATUS ? (this.status ^ STATUS_ONES) >>> 0 : 0;
  }

  /** Sets a register: 0, -EINVAL by the processor's rules, -EIO. */
  set(index: number, value: number): number {
    if (index < SLOTS) {
      if (value >= USER_END) return -EINVAL;
      this.addresses[index] = value;
      return 0;
    }
    if (index === STATUS) {
      this.status = (value ^ STATUS_ONES) >>> 0;
      return 0;
    }
    return index === CONTROL ? this.setControl(value) : -EIO;
  }

  private setControl(value: number): number {
    const control = value >>> 0;
    for (let i = 0; i < SLOTS; i++) {
      if ((control >>> 2 * i & 3) === 0) continue;
      const kind = control >>> 16 + 4 * i & 3, length = LENGTHS[control >>> 18 + 4 * i & 3]!;
      if (kind === KIND_IO || (kind === KIND_EXECUTE && length !== 1)) return -EINVAL;
      if (this.addresses[i]! % length !== 0) return -EINVAL;
      if (kind > KIND_WRITE) return -EIO;
    }
    this.control = control;
    return 0;
  }

  /** Called before the task runs: changes count from now on. */
  arm(mm: MemoryManager): void {
    for (let i = 0; i < SLOTS; i++) if (this.watches(i)) this.seen[i] = this.read(mm, i);
  }

  /** Behind an instruction: true if a watchpoint was hit. The status register has its index. */
  isHit(mm: MemoryManager, rip: number): boolean {
    let hits = 0;
    for (let i = 0; i < SLOTS; i++) {
      if ((this.control >>> 2 * i & 3) === 0) continue;
      if (!this.watches(i)) {
        if (this.addresses[i] === rip) hits |= 1 << i;
        continue;
      }
      const now = this.read(mm, i);
      if (now !== this.seen[i]) hits |= 1 << i;
      this.seen[i] = now;
    }
    if (hits !== 0) this.status |= hits;
    return hits !== 0;
  }

  noteStep(): void {
    this.status |= STATUS_STEP;
  }

  private watches(i: number): boolean {
    return (this.control >>> 2 * i & 3) !== 0 && (this.control >>> 16 + 4 * i & 3) === KIND_WRITE;
  }

  private read(mm: MemoryManager, i: number): string {
    const length = LENGTHS[this.control >>> 18 + 4 * i & 3]!;
    const n = mm.readForced(bytes, 0, this.addresses[i]!, length);
    let text = "";
    for (let k = 0; k < n; k++) text += String.fromCharCode(bytes[k]!);
    return text;
  }
}

/**
 * Handles the trap behind one instruction. TRAP_TRACE or TRAP_HWBKPT: the tracer is notified; 0:
 * not, and the task continues with the registers in its context.
 */
export function onStep(task: Task): number {
  const { trace, ctx } = task;
  ctx.fetchRegs();
  if (trace === null) {
    // Its tracer has gone.
    task.hasTrapFlag = false;
    ctx.regs.setUint32(EFLAGS, ctx.regs.getUint32(EFLAGS, true) & ~TF, true);
    return 0;
  }
  const { debug } = trace, isStep = trace.mode === RUN_ONE_STEP;
  const isHit = debug !== null && debug.isActive && debug.isHit(task.mm, ctx.rip);
  if (isStep) debug?.noteStep();
  return isStep ? TRAP_TRACE : isHit ? TRAP_HWBKPT : 0;
}
