/**
 * The contract between the kernel and whatever runs guest code.
 *
 * A Platform owns address spaces; an AddressSpace owns host mappings and the threads that run in it; a
 * Context is one guest thread: its registers, its FPU state and the trap that stopped it. Nothing here
 * blocks: `resume*` returns at once and `poll` hands out the next context that trapped.
 *
 * Not here: what a trap means. Neighbours: `systrap/`, `ptrace/` implement it, `conformance.ts` judges
 * them, `kernel/loop.ts` drives them.
 */

/** Why a context stopped. */
export const TRAP_NONE = 0;
/** A system call: `nr`, `args`, `rip` (behind the instruction) and `rsp` are valid. */
export const TRAP_SYSCALL = 1;
/** A page fault: `faultAddr`, `faultAccess`, `signo` and `sigcode` as the host reported them. */
export const TRAP_FAULT = 2;
/** Any other processor exception: `signo`, `sigcode`, `faultAddr` (si_addr), `trapno`, `errorCode`. */
export const TRAP_EXCEPTION = 3;
/** Stopped by `interrupt` while running guest code. All registers can be fetched. */
export const TRAP_INTERRUPT = 4;
/** The answer to `requestFull`: the same stop as before, and now FPU state can be fetched too. */
export const TRAP_FULL = 5;
/** The host thread is gone (killed from outside, or the stub broke). Nothing can be resumed. */
export const TRAP_DEATH = 6;

export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;
export const ACCESS_EXEC = 4;

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

/**
 * Byte offsets of a register in `Context.regs`; each is 8 bytes, little-endian. The order of struct
 * sigcontext (asm/sigcontext.h), so that a signal frame is one copy. FS_BASE and GS_BASE follow it.
 */
export const R8 = 0, R9 = 8, R10 = 16, R11 = 24, R12 = 32, R13 = 40, R14 = 48, R15 = 56;
export const RDI = 64, RSI = 72, RBP = 80, RBX = 88, RDX = 96, RAX = 104, RCX = 112, RSP = 120;
export const RIP = 128,
  EFLAGS = 136,
  CSGSFS = 144,
  ERR = 152,
  TRAPNO = 160,
  OLDMASK = 168,
  CR2 = 176;
export const FS_BASE = 184, GS_BASE = 192;
export const REGS_SIZE = 256;

/** Six 64-bit arguments as the guest passed them, copied once at the trap. */
export class SyscallArgs {
  /** lo, hi words of argument i at 2*i and 2*i+1. */
  readonly words: Uint32Array = new Uint32Array(12);

  i32(i: number): number {
    return this.words[2 * i]! | 0;
  }
  u32(i: number): number {
    return this.words[2 * i]!;
  }
  /** Unsigned; values of 2^53 and more lose low bits, which no valid address or length has. */
  u64(i: number): number {
    return this.words[2 * i]! + this.words[2 * i + 1]! * 0x100000000;
  }
  /** Signed 64-bit value as a number. */
  i64(i: number): number {
    return this.words[2 * i]! + (this.words[2 * i + 1]! | 0) * 0x100000000;
  }
}

/** One guest thread. The kernel keeps one a task; a task can be moved to another context by exec. */
export abstract class Context {
  /** The kernel's task (opaque here). */
  owner: object | null = null;
  abstract readonly space: AddressSpace;

  trap: number = TRAP_NONE;
  /** Valid for TRAP_SYSCALL, copied at the trap: never read again from memory that the guest can write. */
  nr: number = 0;
  readonly args: SyscallArgs = new SyscallArgs();
  abstract rip: number;
  abstract rsp: number;
  /** Valid for TRAP_FAULT and TRAP_EXCEPTION. */
  faultAddr: number = 0;
  /**
   * Valid for TRAP_FAULT: one ACCESS bit, or 0 when the platform cannot tell reading from writing (ptrace,
   * for an instruction that it does not know, on a page that nothing is mapped at). Then act as for a read:
   * had it been a write, the same fault comes again on the page now readable, and says ACCESS_WRITE.
   */
  faultAccess: number = 0;
  signo: number = 0;
  sigcode: number = 0;
  trapno: number = 0;
  errorCode: number = 0;
  /** Valid for TRAP_DEATH: why, for people. */
  deathCause: string = "";
  /** FPU state can be fetched now; otherwise `requestFull` first. */
  isFull: boolean = false;
  /**
   * The call arrived by signal or ptrace stop, so the site may be worth patching
   * (`Platform.newThunks`).
   */
  viaSignal: boolean = false;

  /**
   * Private copy of the registers (offsets above). Valid after `fetchRegs`; `resumeAll` loads from it.
   * For TRAP_SYSCALL, RAX holds the call number and RCX, R11 what the processor left there.
   */
  readonly regs: DataView = new DataView(new ArrayBuffer(REGS_SIZE));
  /** The same bytes. */
  readonly regBytes: Uint8Array<ArrayBuffer> = new Uint8Array(this.regs.buffer as ArrayBuffer);
  /** Private copy of the XSAVE area (standard form, as in a signal frame). Valid after `fetchFpu`. */
  abstract readonly fpu: Uint8Array<ArrayBuffer>;

  abstract fetchRegs(): void;
  /** Only when `isFull`. */
  abstract fetchFpu(): void;

  /** Continue after the `syscall` instruction with this result; everything else is as it was. */
  abstract resumeRet(result: number): void;
  /** Load all of `regs` (FS_BASE too, GS_BASE when it is not 0) and, when asked, `fpu`; then run. */
  abstract resumeAll(withFpu: boolean): void;
  /** Ask for the FPU state of a stopped context: it is reported again, as TRAP_FULL. */
  abstract requestFull(): void;
  /** A hint: the call that stopped this context is going to block, so its thread should sleep. */
  abstract park(): void;
  /** Make a running context trap soon (TRAP_INTERRUPT). Nothing happens to a stopped one. */
  abstract interrupt(): void;
  /** The task is gone or moved: the host thread ends or becomes idle. The object is dead afterwards. */
  abstract release(): void;
}

/** A set of thunks that some address spaces share: AddressSpace.useThunks. */
export interface Thunks {
  /** Sites that have one. */
  readonly count: number;
  /** Tables that are in use: the host has memory for them. */
  readonly tableCount: number;
  /** The next new site takes a further table. */
  readonly isTableFull: boolean;
  /**
   * For a `syscall` behind instructions of five or six bytes (`before`, little-endian: `mov eax,
   * nr` as a rule; six are 2^40 and more), whose next instruction is at `returnAddr`: the 32-bit
   * absolute address for the 7-byte `jmp [disp32]` that replaces all, negative in the upper half;
   * 0: the site has no thunk. The two high bytes of the 32 bits are invalid opcodes, since they
   * stand where `syscall` was.
   */
  find(before: number, returnAddr: number): number;
  /**
   * The same, and makes the thunk where there is none; 0 when there is no room. The instructions
   * must mean the same at any address; if the first faults, the site is reported as its place.
   */
  get(before: number, returnAddr: number): number;
  /** The owner is done with it. The memory is free when no address space uses it any more. */
  release(): void;
}

/** Host mappings of one guest process, in guest page units. All changes are queued, in order. */
export abstract class AddressSpace {
  /** All that runs here is going to end: it need not be given much time to answer an interrupt. */
  isDoomed: boolean = false;

  /**
   * Map arena bytes [offset, offset+len) at addr, shared, replacing what is there. A hint: `isBlank` if nothing has been in them
   * yet, so that few are touched soon, as a rule, and one by one.
   */
  abstract mapArena(
    addr: number,
    len: number,
    offset: number,
    prot: number,
    isBlank?: boolean,
  ): void;
  /** Map a registered host file (`Platform.registerFile`), shared, replacing what is there. */
  abstract mapFile(addr: number, len: number, file: number, offset: number, prot: number): void;
  abstract unmap(addr: number, len: number): void;
  /**
   * Guest code may go through all thunks that the set has now: to be called before a page with a
   * patched site is mapped. A space uses one set, and its forks use the same.
   */
  abstract useThunks(thunks: Thunks): void;
  /** Pages of the range at which nothing is mapped are passed over. */
  abstract protect(addr: number, len: number, prot: number): void;
  /**
   * Queued changes reach the host before any context of this space that is resumed later runs. `flush`
   * starts them without a resume (memory is given back, another thread must not see the page any more).
   */
  abstract flush(): void;
  /**
   * Number of the last queued change; `ackedSeq` follows it. A frame is reused only when acked. `destroy` counts as
   * the last change: it is acked when the host process is gone, so that nothing can reach any frame any more.
   */
  abstract readonly seq: number;
  abstract readonly ackedSeq: number;
  /** The host refused a mapping (out of VMAs or memory): the space must be killed. Checked by the loop. */
  abstract readonly broken: boolean;
  /** A copy with the same host mappings, after all queued changes. Null when no process can be had. */
  abstract fork(): AddressSpace | null;
  /** A new thread here; fill `regs` (and `fpu`, all zero is the initial state) and `resumeAll(true)`. */
  abstract newContext(): Context | null;
  /** All contexts are released and the host process ends. */
  abstract destroy(): void;
  /** How many host mappings this space is thought to have (to stay below vm.max_map_count). */
  abstract readonly mappingCount: number;
  /** Its host process, by its number here; 0 before that has told it, when it is gone, and if there is none. */
  abstract readonly hostPid: number;
}

export interface Platform {
  readonly name: string;
  /** Guest code runs on threads of this process: no space has a host process, and every `hostPid` is 0. */
  readonly isInProcess: boolean;
  /** Guest addresses are below this; above are the platform's own pages. */
  readonly maxUserAddress: number;
  /** Guest ranges that the platform occupies below it: [start, end) pairs. The guest cannot map there. */
  readonly reserved: readonly (readonly [number, number])[];
  /** Bytes of `Context.fpu`, and the XSAVE feature mask as it stands in a signal frame. */
  readonly fpuSize: number;
  /** That feature mask (XCR0 without what a thread must ask for); absent: x87, SSE and AVX by the size. */
  readonly fpuFeatures?: number;

  newAddressSpace(): AddressSpace | null;
  /**
   * A space that no guest code ever runs in: for `fork`, by which spaces of one container begin. Their host processes are in
   * the control groups that its own is in when it forks.
   */
  newTemplate(): AddressSpace | null;
  /** The next context that stopped, or null. Never blocks. HOT */
  poll(): Context | null;
  /** Guest threads that run (not stopped, not parked) at the moment: the loop's spin policy wants it. */
  readonly runningCount: number;
  /** What it costs once, in ns, that a guest thread and the kernel sleep for each other: so long a spin is worth it. */
  readonly sleepCostNs: number;
  /** CPU on which the thread that stopped last did so, as it says; -1 when it is not known. */
  readonly guestCpu: number;
  /** How long that thread ran guest code before, ns, as it says; negative when it is not known. */
  readonly guestGapNs: number;
  /**
   * Becomes readable anew when a context stops after `prepareSleep`. To be watched edge-triggered (EPOLLET): nobody
   * may take what is in it, since that would cost a host call for every sleep.
   */
  readonly doorbellFd: number;
  /** Readable (level-triggered) while the end of a host process waits for `reap`; -1: the doorbell tells of ends. */
  readonly endsFd: number;
  /** Looks for host processes that ended. */
  reap(): void;
  /** Before sleeping in epoll_wait: false when something stopped meanwhile, so do not sleep. */
  prepareSleep(): boolean;
  /** After sleeping: nobody needs to ring any more. */
  finishSleep(): void;
  /** Let guest threads spin this long for a reply before they sleep (0: never). */
  setSpinBudget(ns: number): void;
  /** The CPU that the caller runs on: a guest thread that is on it as well does not spin there. */
  setLoopCpu(cpu: number): void;

  /**
   * Make a host file mappable; the handle is for `mapFile`, negative is -errno. The fd stays the caller's. Mapping
   * more than its open mode or its mount (noexec) allows breaks the space.
   */
  registerFile(hostFd: number): number;
  unregisterFile(file: number): void;

  /**
   * An empty set of thunks, for call sites that are patched; null when this platform does not
   * patch. One set belongs to address spaces that may know each other's code addresses.
   */
  newThunks(): Thunks | null;

  /** A guest thread owes an answer: `tick` must be called, though there may be nothing else to do. */
  readonly isKicking: boolean;
  /** Called about once a millisecond: deadlines of interrupts, stub pool, dead stubs. */
  tick(nowNs: number): void;
  destroy(): void;
}
