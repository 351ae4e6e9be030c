/**
 * One vCPU of the machine and its native thread. Guest threads are loaded when they run: registers
 * for every run, page tables and FPU state if another thread used the vCPU in between.
 *
 * Not here: which thread runs where (`scheduler.ts`), why it left the machine (`stops.ts`).
 * Neighbour: `vcpu_thread.ts`.
 */

import { USER_CS, USER_SS } from "../platform.ts";
import { FUTEX_PRIVATE_FLAG, FUTEX_WAKE } from "../../ffi/abi/futex.ts";
import {
  KVM_CREATE_VCPU,
  KVM_GET_SREGS,
  KVM_GET_XSAVE,
  KVM_SET_CPUID2,
  KVM_SET_DEVICE_ATTR,
  KVM_SET_MSRS,
  KVM_SET_SREGS,
  KVM_SET_XCRS,
  KVM_SET_XSAVE,
  KVM_SYNC_X86_EVENTS,
  KVM_SYNC_X86_REGS,
  KVM_SYNC_X86_SREGS,
  KVM_VCPU_TSC_CTRL,
  KVM_VCPU_TSC_OFFSET,
  KvmDeviceAttr,
  KvmDtable,
  KvmMsrEntry,
  KvmMsrs,
  KvmRegs,
  KvmRun,
  KvmSegment,
  KvmSregs,
  KvmXcrs,
} from "../../ffi/abi/kvm.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { SYS_futex, SYS_tgkill } from "../../ffi/abi/syscall_numbers.ts";
import { timeStampCounter } from "../../ffi/sys/clock.ts";
import { addressOf, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, ioctl, mmap, munmap } from "../../ffi/sys/files.ts";
import { joinThread, startThread } from "../../ffi/sys/native_thread.ts";
import { syscall, viewOf } from "../../ffi/sys/native.ts";
import { IDLE, LEAVE, POSTED, REPLIED, Slot, TAKEN } from "./call_stub.ts";
import type { KvmContext } from "./context.ts";
import { cpuPages, type Ring0 } from "./ring0.ts";
import type { KvmSpace } from "./space.ts";
import { type TableMemory } from "./table_memory.ts";
import { EXIT, RUN, STOPPED, VcpuBlock } from "./vcpu_thread.ts";
import { SYNC, type Vm } from "./vm.ts";

const R = KvmRun.at, S = KvmSregs.at, SEG = KvmSegment.at;
/** Offsets in the page shared with the host. */
export const REGS: number = R.regs;
export const FS_BASE_AT: number = R.sregs + S.fs + SEG.base;
export const GS_BASE_AT: number = R.sregs + S.gs + SEG.base;
export const CS_AT: number = R.sregs + S.cs + SEG.selector;
const CR3_AT = R.sregs + S.cr3;
/** cs to ss: the segments of a thread. */
const SEGMENTS_BYTES = S.tr - S.cs;

const MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_SFMASK = 0xc0000084;
/** `syscall` clears TF, IF, DF, IOPL, NT, AC. */
const SFMASK = 0x47700n;
/** PG, WP, NE, ET, MP, PE, AM; PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE; NXE, LMA, LME, SCE. */
const CR0 = 0x80050033n, CR4 = 0x50620n, EFER = 0xd01n;
const CODE_TYPE = 11, DATA_TYPE = 3, BUSY_TASK_TYPE = 11;

const OLD_COUNTER =
  "the host's kernel is older than Linux 5.16: it cannot set a time stamp counter";

/** LIMIT: looks for a vCPU that is about to stop: more than an exit takes. */
const MAX_LOOKS = 4000;
/** LIMIT: ticks in which a thread must reach a place where it can stop: 50 us to 10 ms. */
const FIRST_MOMENT = 100_000, LONGEST_MOMENT = 20_000_000;

/** State that the vCPUs of one machine share. */
interface VcpuMaterial {
  readonly vm: Vm;
  readonly ring0: Ring0;
  readonly tables: TableMemory;
  readonly pid: number;
  readonly kickSignal: number;
  readonly doorbellFd: number;
  /** Host addresses: code of the native thread, its VcpuShared. */
  readonly code: number;
  readonly shared: number;
}

export class Vcpu {
  readonly index: number;
  readonly fd: number;
  /** The page shared with the host. */
  readonly run: DataView<ArrayBuffer>;
  /** The general registers in that page. */
  readonly regBytes: Uint8Array<ArrayBuffer>;
  isRunning = false;
  /** The context whose registers were loaded last. */
  context: KvmContext | null = null;
  /** The context whose FPU state is in the vCPU. */
  fpuOwner: KvmContext | null = null;
  /** The space whose page tables are loaded. */
  space: KvmSpace | null = null;
  /** The kernel has the call of the thread, which waits for the answer in the machine. */
  isTaken = false;
  /** A kick found it where it could not stop; it is kicked again after `#momentTicks`. */
  isKickDue = false;
  #momentTicks = 0;
  /** Guest code used the port of calls itself, and the host is completing that instruction. */
  usedPort = false;
  /** Time stamp ticks of guest code before the last stop. */
  gapTicks = 0;
  /** Ticks of the present run or wait, and its number, which grows. */
  ticks = 0;
  /** Ticks of the present run while others waited, with all calls that were answered in it. */
  sliceTicks = 0;
  lastUse = 0;
  /** Frame number of its stack for exceptions. */
  readonly stackFrame: number;
  /** The general registers in the slot. */
  readonly slotBytes: Uint8Array<ArrayBuffer>;
  readonly #slot: Uint32Array<ArrayBuffer>;
  readonly #rootEntry: number;
  readonly #material: VcpuMaterial;
  readonly #runBase: number;
  readonly #block: number;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #segments: Uint8Array<ArrayBuffer>;
  /** The segments of a guest thread. */
  readonly #userSegments: Uint8Array<ArrayBuffer>;
  readonly #tid: number;
  /** It is leaving the machine: further signals would only delay the native thread. */
  #isKicked = false;

  /** @param block host address of its block; the stack ends at `stackTop` */
  constructor(material: VcpuMaterial, index: number, block: number, stackTop: number) {
    const { vm, tables } = material;
    this.#material = material;
    this.index = index;
    const { stackFrame, slotFrame, rootEntry } = cpuPages(index);
    this.stackFrame = stackFrame;
    this.#rootEntry = rootEntry;
    const words = tables.words(slotFrame), at = tables.wordOf(slotFrame);
    this.#slot = words.subarray(at, at + Slot.size / 4);
    const regsAt = this.#slot.byteOffset + Slot.at.regs;
    this.slotBytes = new Uint8Array(words.buffer, regsAt, KvmRegs.size);
    this.fd = check(ioctl(vm.fd, KVM_CREATE_VCPU, index), "KVM_CREATE_VCPU");
    const prot = PROT_READ | PROT_WRITE;
    this.#runBase = mmap(0, vm.runBytes, prot, MAP_SHARED, this.fd, 0);
    try {
      const buffer = viewOf(check(this.#runBase, "mmap of a vCPU"), vm.runBytes);
      this.run = new DataView(buffer);
      this.regBytes = new Uint8Array(buffer, REGS, KvmRegs.size);
      this.#segments = new Uint8Array(buffer, R.sregs, SEGMENTS_BYTES);
      this.run.setUint32(R.validRegs, SYNC, true);
      check(ioctl(this.fd, KVM_SET_CPUID2, addressOf(vm.cpuid)), "KVM_SET_CPUID2");
      this.#userSegments = this.reset();
      this.#setCounter();
      this.#block = block;
      this.#words = new Int32Array(viewOf(block, VcpuBlock.size));
      this.#tid = this.#start(stackTop);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** Sets the initial state; returns the segments of a guest thread. */
  reset(): Uint8Array<ArrayBuffer> {
    const segments = this.#setSystemRegisters();
    this.#setMsrs();
    this.#setFeatures();
    this.space = null;
    return segments;
  }

  #setSystemRegisters(): Uint8Array<ArrayBuffer> {
    const { ring0 } = this.#material, base = scratch.areaOffset(0), { dv } = scratch;
    check(ioctl(this.fd, KVM_GET_SREGS, scratch.area(0)), "KVM_GET_SREGS");
    const segment = (at: number, values: Partial<Record<keyof typeof SEG, number>>) => {
      scratch.u8.fill(0, at, at + KvmSegment.size);
      for (const key of ["type", "present", "dpl", "db", "s", "l", "g", "unusable"] as const) {
        dv.setUint8(at + SEG[key], values[key] ?? 0);
      }
      dv.setUint32(at + SEG.limit, values.limit ?? 0xffffffff, true);
      dv.setUint16(at + SEG.selector, values.selector ?? 0, true);
    };
    const user = { present: 1, dpl: 3, s: 1, g: 1 };
    segment(base + S.cs, { ...user, selector: USER_CS, type: CODE_TYPE, l: 1 });
    segment(base + S.ss, { ...user, selector: USER_SS, type: DATA_TYPE, db: 1 });
    for (const at of [S.ds, S.es, S.fs, S.gs]) {
      segment(base + at, { ...user, present: 0, type: DATA_TYPE, unusable: 1 });
    }
    const task = cpuPages(this.index);
    segment(base + S.tr, {
      present: 1,
      type: BUSY_TASK_TYPE,
      selector: task.taskSelector,
      limit: task.taskLimit,
    });
    dv.setBigUint64(base + S.tr + SEG.base, task.taskBase, true);
    segment(base + S.ldt, { type: 2, unusable: 1, limit: 0 });
    for (const [at, table] of [[S.gdt, ring0.gdt], [S.idt, ring0.idt]] as const) {
      dv.setBigUint64(base + at + KvmDtable.at.base, table.base, true);
      dv.setUint16(base + at + KvmDtable.at.limit, table.limit, true);
    }
    dv.setBigUint64(base + S.cr0, CR0, true);
    dv.setBigUint64(base + S.cr4, CR4, true);
    dv.setBigUint64(base + S.efer, EFER, true);
    check(ioctl(this.fd, KVM_SET_SREGS, scratch.area(0)), "KVM_SET_SREGS");
    // The host fills its page only at an exit, and the page has to be complete before the first
    // run.
    const sregs = scratch.u8.slice(base, base + KvmSregs.size);
    new Uint8Array(this.run.buffer, R.sregs, KvmSregs.size).set(sregs);
    return sregs.slice(0, SEGMENTS_BYTES);
  }

  #setMsrs(): void {
    const { ring0 } = this.#material, { dv } = scratch, base = scratch.areaOffset(0);
    const values: [number, bigint][] = [
      [MSR_STAR, ring0.star],
      [MSR_LSTAR, ring0.callEntry],
      [MSR_SFMASK, SFMASK],
    ];
    dv.setUint32(base + KvmMsrs.at.nmsrs, values.length, true);
    values.forEach(([index, value], i) => {
      const at = base + KvmMsrs.size + i * KvmMsrEntry.size;
      dv.setUint32(at + KvmMsrEntry.at.index, index, true);
      dv.setUint32(at + KvmMsrEntry.at.reserved, 0, true);
      dv.setBigUint64(at + KvmMsrEntry.at.data, value, true);
    });
    const count = check(ioctl(this.fd, KVM_SET_MSRS, scratch.area(0)), "KVM_SET_MSRS");
    if (count !== values.length) throw new Error(`KVM_SET_MSRS took ${count} of ${values.length}`);
  }

  #setFeatures(): void {
    const base = scratch.areaOffset(0), { at } = KvmXcrs;
    scratch.u8.fill(0, base, base + KvmXcrs.size);
    scratch.dv.setUint32(base + at.nrXcrs, 1, true);
    scratch.dv.setUint32(base + at.xcrs + 8, this.#material.vm.features, true);
    check(ioctl(this.fd, KVM_SET_XCRS, scratch.area(0)), "KVM_SET_XCRS");
  }

  /** Sets the time stamp counter to the host's, which the guest's vDSO reads. */
  #setCounter(): void {
    const base = scratch.areaOffset(0), { dv } = scratch, { at } = KvmDeviceAttr;
    dv.setUint32(base + at.flags, 0, true);
    dv.setUint32(base + at.group, KVM_VCPU_TSC_CTRL, true);
    dv.setBigUint64(base + at.attr, BigInt(KVM_VCPU_TSC_OFFSET), true);
    dv.setBigUint64(base + at.addr, BigInt(scratch.area(0) + KvmDeviceAttr.size), true);
    dv.setBigUint64(base + KvmDeviceAttr.size, 0n, true);
    const r = ioctl(this.fd, KVM_SET_DEVICE_ATTR, scratch.area(0));
    if (r < 0 && this.#material.vm.kind.isCounterShifted) throw new Error(OLD_COUNTER);
  }

  #start(stackTop: number): number {
    const { doorbellFd, shared, code, tables } = this.#material, { at } = VcpuBlock;
    const dv = new DataView(this.#words.buffer);
    dv.setInt32(at.state, STOPPED, true);
    dv.setInt32(at.cpu, -1, true);
    dv.setInt32(at.vcpuFd, this.fd, true);
    dv.setInt32(at.doorbellFd, doorbellFd, true);
    dv.setBigUint64(at.stackTop, BigInt(stackTop), true);
    dv.setBigUint64(at.shared, BigInt(shared), true);
    dv.setBigUint64(at.run, BigInt(this.#runBase), true);
    const slot = tables.base + cpuPages(this.index).slotFrame * PAGE_SIZE;
    dv.setBigUint64(at.slot, BigInt(slot), true);
    return check(startThread(this.#block, code), "clone of a vCPU's thread");
  }

  /** It left the machine, and the stop was not read yet. HOT */
  get hasStopped(): boolean {
    return this.isRunning && Atomics.load(this.#words, VcpuBlock.at.state / 4) === STOPPED;
  }

  /** Waits for a vCPU that is leaving. False: it has not stopped within LOOKS. */
  awaitStop(): boolean {
    for (let looks = 0; looks < MAX_LOOKS; looks++) if (this.hasStopped) return true;
    return false;
  }

  /** Whether running it needs a wake-up of its native thread. HOT */
  get isAsleep(): boolean {
    const words = this.#words, { at } = VcpuBlock;
    return Atomics.load(words, at.isAsleep / 4) !== 0 || words[at.isParked / 4] !== 0;
  }

  /** 0 or `-errno` of the last run. */
  get result(): number {
    return this.#words[VcpuBlock.at.result / 4]!;
  }

  /** The CPU on which it left the machine. */
  get cpu(): number {
    return this.#words[VcpuBlock.at.cpu / 4]!;
  }

  /** Its thread posted a call in the machine, and the call was not taken yet. HOT */
  get hasPosted(): boolean {
    return this.isRunning && !this.isTaken && this.slotState === POSTED;
  }

  /** HOT */
  get slotState(): number {
    return Atomics.load(this.#slot, Slot.at.state / 4);
  }

  set slotState(state: number) {
    Atomics.store(this.#slot, Slot.at.state / 4, state);
  }

  /** A word of the slot, by its offset in bytes. */
  slotWord(at: number): number {
    return this.#slot[at / 4]!;
  }

  /** Takes the posted call for the kernel. False: the thread is leaving the machine. HOT */
  take(): boolean {
    if (!this.#exchange(POSTED, TAKEN)) return false;
    this.isTaken = true;
    this.ticks = 0;
    return true;
  }

  /** Answers the call that was taken. False: the thread has left, and must be loaded again. HOT */
  reply(low: number, high: number): boolean {
    const slot = this.#slot, at = Slot.at.result / 4;
    slot[at] = low;
    slot[at + 1] = high;
    if (!this.#exchange(TAKEN, REPLIED) && !this.#exchange(LEAVE, REPLIED)) return false;
    this.isTaken = false;
    this.ticks = 0;
    return true;
  }

  #exchange(from: number, to: number): boolean {
    return Atomics.compareExchange(this.#slot, Slot.at.state / 4, from, to) === from;
  }

  /** Makes a thread that waits for an answer leave the machine. An answer that was given stays. */
  leave(): void {
    if (this.isTaken) this.#exchange(TAKEN, LEAVE);
  }

  /** Makes its thread leave the machine; the native thread then sleeps and does not spin. */
  park(): void {
    Atomics.store(this.#words, VcpuBlock.at.isParked / 4, 1);
    this.leave();
  }

  /** Sets `gapTicks` from the posted call, as the thread wrote it. */
  readCallGap(): void {
    this.gapTicks = (this.slotWord(Slot.at.posted) - this.slotWord(Slot.at.resumed)) >>> 0;
  }

  /** Sets `gapTicks` to the ticks behind the last call of the last run. */
  readRunGap(): void {
    const words = this.#words, { at } = VcpuBlock, left = words[at.left / 4]!;
    const resumed = this.slotWord(Slot.at.resumed);
    this.gapTicks = Math.min((left - words[at.entered / 4]!) >>> 0, (left - resumed) >>> 0);
  }

  /** Loads what differs for this thread, and runs it. False: no memory for page tables. HOT */
  runThread(context: KvmContext): boolean {
    const { run } = this, { state, space } = context;
    const root = space.tables.rootFor(this.index, this.#rootEntry);
    if (root < 0) return false;
    this.context = context;
    context.vcpu = this;
    this.#loadFpu(context);
    this.regBytes.set(context.stateBytes);
    let dirty = KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS;
    run.setUint32(R.exceptionInjected, 0, true); // stops.ts checks which call it was
    run.setUint32(R.interruptInjected, 0, true);
    const isOther = this.space !== space || run.getUint16(CS_AT, true) !== USER_CS ||
      run.getUint32(FS_BASE_AT, true) !== state.getUint32(KvmRegs.size, true) ||
      run.getUint32(FS_BASE_AT + 4, true) !== state.getUint32(KvmRegs.size + 4, true) ||
      run.getUint32(GS_BASE_AT, true) !== state.getUint32(KvmRegs.size + 8, true) ||
      run.getUint32(GS_BASE_AT + 4, true) !== state.getUint32(KvmRegs.size + 12, true);
    if (this.space !== space) this.#slot.fill(0); // the registers of the thread before it
    if (isOther) {
      this.space = space;
      this.#segments.set(this.#userSegments);
      run.setUint32(FS_BASE_AT, state.getUint32(KvmRegs.size, true), true);
      run.setUint32(FS_BASE_AT + 4, state.getUint32(KvmRegs.size + 4, true), true);
      run.setUint32(GS_BASE_AT, state.getUint32(KvmRegs.size + 8, true), true);
      run.setUint32(GS_BASE_AT + 4, state.getUint32(KvmRegs.size + 12, true), true);
      run.setUint32(CR3_AT, root * PAGE_SIZE, true);
      dirty |= KVM_SYNC_X86_SREGS;
    }
    this.ticks = 0;
    this.sliceTicks = 0;
    this.#momentTicks = 0;
    this.#slot[Slot.at.resumed / 4] = timeStampCounter() % 2 ** 32;
    this.slotState = IDLE;
    this.proceed(dirty);
    return true;
  }

  /** Runs with these registers from the shared page. */
  proceed(dirty: number): void {
    this.run.setUint8(R.immediateExit, 0);
    this.#isKicked = this.isKickDue = false;
    this.#post(dirty);
  }

  /** Continues where a kick stopped it, and kicks it again, later at each retry. */
  continueForMoment(): void {
    this.#momentTicks = Math.min(LONGEST_MOMENT, Math.max(FIRST_MOMENT, 2 * this.#momentTicks));
    Atomics.store(this.#words, VcpuBlock.at.entered / 4, 0);
    this.proceed(0);
    this.isKickDue = true;
  }

  /** Kicks it again if that is due. */
  kickAfterMoment(): void {
    const entered = Atomics.load(this.#words, VcpuBlock.at.entered / 4);
    const ticks = (timeStampCounter() % 2 ** 32 - entered) >>> 0;
    if (entered !== 0 && ticks >= this.#momentTicks) this.kick();
  }

  /** Lets the host complete an instruction, and execute no further one. */
  finishInstruction(): void {
    this.run.setUint8(R.immediateExit, 1);
    this.#isKicked = true;
    this.#post(0);
  }

  #post(dirty: number): void {
    const words = this.#words, { at } = VcpuBlock;
    this.run.setUint32(R.dirtyRegs, dirty, true);
    this.isRunning = true;
    Atomics.store(words, at.isParked / 4, 0);
    Atomics.store(words, at.state / 4, RUN);
    if (Atomics.load(words, at.isAsleep / 4) !== 0) this.#wake();
  }

  #wake(): void {
    const word = this.#block + VcpuBlock.at.state;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
  }

  /** Makes it leave the machine soon. */
  kick(): void {
    if (this.#isKicked) return;
    this.#isKicked = true;
    this.run.setUint8(R.immediateExit, 1);
    syscall(SYS_tgkill, this.#material.pid, this.#tid, this.#material.kickSignal);
  }

  /** Saves the FPU state of the stopped vCPU into its owner. */
  saveFpu(): void {
    const owner = this.fpuOwner;
    if (owner === null) return;
    if (this.isRunning) { // a thread that waits in the machine delays the host's answer
      this.leave();
      if (!this.awaitStop()) this.kick();
    }
    check(ioctl(this.fd, KVM_GET_XSAVE, owner.savedFpuAddress), "KVM_GET_XSAVE");
  }

  /** Drops the FPU state in the vCPU. */
  dropFpu(): void {
    if (this.fpuOwner !== null) this.fpuOwner.fpuVcpu = null;
    this.fpuOwner = null;
  }

  #loadFpu(context: KvmContext): void {
    if (this.fpuOwner === context) return;
    this.saveFpu();
    this.dropFpu();
    const elsewhere = context.fpuVcpu;
    if (elsewhere !== null) {
      elsewhere.saveFpu();
      elsewhere.dropFpu();
    }
    if (ioctl(this.fd, KVM_SET_XSAVE, context.savedFpuAddress) < 0) {
      context.acceptFpu(); // the vCPU accepted state that the host does not
      check(ioctl(this.fd, KVM_SET_XSAVE, context.savedFpuAddress), "KVM_SET_XSAVE");
    }
    this.fpuOwner = context;
    context.fpuVcpu = this;
  }

  /** Ends the native thread, then the vCPU. */
  close(): void {
    const words = this.#words, { at } = VcpuBlock;
    if (this.isRunning) this.kick();
    while (this.isRunning && !this.hasStopped);
    Atomics.store(words, at.state / 4, EXIT);
    this.#wake();
    joinThread(this.#block);
    this.#free();
  }

  #free(): void {
    if (this.#runBase > 0) munmap(this.#runBase, this.#material.vm.runBytes);
    close(this.fd);
  }
}
