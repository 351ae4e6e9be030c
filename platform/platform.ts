/**
 * The contract between the kernel and the code that runs guest code.
 *
 * A Platform owns address spaces. An AddressSpace owns host mappings and the threads that run in
 * it. A Context is one guest thread: its registers, its FPU state and the trap that stopped it.
 * Nothing here blocks: `resume*` returns at once, and `poll` returns the next context that trapped.
 *
 * Not here: what a trap means. Neighbours: `systrap/`, `ptrace/` and `kvm/` implement it,
 * `conformance.ts` tests them, `kernel/loop.ts` drives them.
 */

/** Why a context stopped. */
export const TRAP_NONE = 0;
/** A system call: `nr`, `args`, `rip` (behind the instruction) and `rsp` are valid. */
export const TRAP_SYSCALL = 1;
/** A page fault: `faultAddr`, `faultAccess`, `signo` and `sigcode` as the host reported them. */
export const TRAP_FAULT = 2;
/**
 * Any other processor exception: `signo`, `sigcode`, `faultAddr` (si_addr), `trapno`, `errorCode`.
 */
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

/** cs and ss of 64-bit user code. */
export const USER_CS = 0x33, USER_SS = 0x2b;
/**
 * The end of guest addresses (TASK_SIZE_MAX of Linux): `syscall` in the last page below 2^47 would
 * return to an address that is not canonical.
 */
export const USER_END = 0x7ffffffff000;
/** The high word of 2^47, the first value that is no address of user space. */
export const ADDRESS_LIMIT_HIGH = 0x8000;
const REGS_SIZE = 256;

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

/**
 * One guest thread. The kernel keeps one for each task; exec can move a task to another context.
 */
export abstract class Context {
  /** The kernel's task, opaque here. */
  owner: object | null = null;
  abstract readonly space: AddressSpace;

  trap: number = TRAP_NONE;
  /**
   * Valid for TRAP_SYSCALL, copied at the trap: never read again from memory that the guest can
   * write.
   */
  nr: number = 0;
  readonly args: SyscallArgs = new SyscallArgs();
  abstract rip: number;
  abstract rsp: number;
  /** Valid for TRAP_FAULT and TRAP_EXCEPTION. */
  faultAddr: number = 0;
  /**
   * Valid for TRAP_FAULT: one ACCESS bit, or 0 when the platform cannot tell reads from writes
   * (ptrace, for an instruction that it does not know, at an unmapped page). The kernel then treats
   * it as a read; a write faults again on the page, which is readable now, with ACCESS_WRITE.
   */
  faultAccess: number = 0;
  signo: number = 0;
  sigcode: number = 0;
  trapno: number = 0;
  errorCode: number = 0;
  /** Valid for TRAP_DEATH: the cause, for messages. */
  deathCause: string = "";
  /** FPU state can be fetched now; otherwise `requestFull` first. */
  isFull: boolean = false;
  /** `release` was called. */
  isReleased: boolean = false;
  /**
   * It was never resumed: `regs` and `fpu` have its state, and fetching leaves them as they are.
   */
  isNew: boolean = true;
  /**
   * The call arrived by signal or ptrace stop, so the site may be worth patching
   * (`Platform.newThunks`).
   */
  viaSignal: boolean = false;

  /**
   * Private copy of the registers (offsets above). Valid after `fetchRegs`; `resumeAll` loads from
   * it. For TRAP_SYSCALL, RAX holds the call number, and RCX and R11 what the processor wrote
   * there. FS_BASE and GS_BASE are fetched, and loaded, when the context `isNew` or `isFull`;
   * otherwise they stay as they are.
   */
  readonly regs: DataView = new DataView(new ArrayBuffer(REGS_SIZE));
  /** The bytes of `regs`. */
  readonly regBytes: Uint8Array<ArrayBuffer> = new Uint8Array(this.regs.buffer as ArrayBuffer);
  /**
   * Private copy of the XSAVE area (standard form, as in a signal frame). Valid after `fetchFpu`.
   */
  abstract readonly fpu: Uint8Array<ArrayBuffer>;

  abstract fetchRegs(): void;
  /** Copies the FPU state to `fpu`; only when `isFull`. */
  abstract fetchFpu(): void;

  /** Continue after the `syscall` instruction with this result; everything else is as it was. */
  abstract resumeRet(result: number): void;
  /**
   * Load all of `regs` (FS_BASE too, GS_BASE when it is not 0) and, when asked, `fpu`; then run.
   */
  abstract resumeAll(withFpu: boolean): void;
  /** Asks for the FPU state of a stopped context: `poll` returns it again, with TRAP_FULL. */
  abstract requestFull(): void;
  /** A hint that the call of this context is going to block, so its thread should sleep. */
  abstract park(): void;
  /** Makes a running context trap soon (TRAP_INTERRUPT). A stopped one is not affected. */
  abstract interrupt(): void;
  /**
   * The task has ended or moved: the host thread ends or becomes idle. The object must not be used
   * afterwards.
   */
  abstract release(): void;
}

/** A set of thunks that several address spaces can share (AddressSpace.useThunks). */
export interface Thunks {
  /** Number of sites that have a thunk. */
  readonly count: number;
  /** Number of tables that the host has memory for. */
  readonly tableCount: number;
  /** Whether the next new site needs a further table. */
  readonly isTableFull: boolean;
  /**
   * The thunk of a `syscall` behind instructions of five or six bytes (`before`, little-endian: as
   * a rule `mov eax, nr`; six bytes are numbers of 2^40 and more). `returnAddr` is the address of
   * the next instruction. Returns the 32-bit absolute address for the 7-byte `jmp [disp32]` that
   * replaces them all, negative in the upper half; 0 if the site has no thunk. The two high bytes
   * of the address are invalid opcodes, since they are where `syscall` was.
   */
  find(before: number, returnAddr: number): number;
  /**
   * As `find`, and makes the thunk if there is none; 0 when there is no room. The instructions must
   * mean the same at any address. If the first one faults, the fault is reported at the site.
   */
  get(before: number, returnAddr: number): number;
  /**
   * The owner no longer needs the set. Its memory is freed when no address space uses it any more.
   */
  release(): void;
}

/** Host mappings of one guest process, in guest page units. All changes are queued, in order. */
export abstract class AddressSpace {
  /** The kernel's memory, opaque here. */
  owner: object | null = null;
  /** All threads of the space will end soon, so an interrupt has a shorter deadline. */
  isDoomed: boolean = false;
  /** The kernel has called `destroy`. */
  isEnded: boolean = false;

  /**
   * Maps arena bytes [offset, offset+len) at addr, shared, replacing what is there. A hint:
   * `isBlank` if the bytes were never written, so that as a rule few pages are touched soon.
   */
  abstract mapArena(
    addr: number,
    len: number,
    offset: number,
    prot: number,
    isBlank?: boolean,
  ): void;
  /** Maps a registered host file (`Platform.registerFile`), shared, replacing what is there. */
  abstract mapFile(addr: number, len: number, file: number, offset: number, prot: number): void;
  abstract unmap(addr: number, len: number): void;
  /**
   * Lets guest code use all thunks that the set has now. Must be called before a page with a
   * patched site is mapped. A space uses one set, and its forks use the same.
   */
  abstract useThunks(thunks: Thunks): void;
  /** Sets permissions of a range. Pages at which nothing is mapped are passed over. */
  abstract protect(addr: number, len: number, prot: number): void;
  /**
   * Starts queued changes. They reach the host before any context of this space that is resumed
   * later runs; `flush` starts them without a resume (memory is freed, or another thread must no
   * longer see the page).
   */
  abstract flush(): void;
  /**
   * Number of the last queued change; `ackedSeq` follows it. A frame is reused only when its change
   * is acked. `destroy` counts as the last change: it is acked when the host process has ended and
   * no frame can be reached any more.
   */
  abstract readonly seq: number;
  abstract readonly ackedSeq: number;
  /**
   * The host refused a mapping (out of VMAs or memory): the space must be killed. The loop checks
   * it.
   */
  abstract readonly broken: boolean;
  /**
   * A copy with the same host mappings, after all queued changes. Null if the host gives no
   * process.
   */
  abstract fork(): AddressSpace | null;
  /**
   * A new thread here; fill `regs` (and `fpu`, all zero is the initial state) and
   * `resumeAll(true)`.
   */
  abstract newContext(): Context | null;
  /** Releases all contexts and ends the host process. */
  abstract destroy(): void;
  /** Estimated number of host mappings of this space (to stay below vm.max_map_count). */
  abstract readonly mappingCount: number;
  /**
   * Pid of its host process in this process's PID namespace; 0 before the process has reported it,
   * after its end, and if there is none.
   */
  abstract readonly hostPid: number;
}

export interface Platform {
  readonly name: string;
  /**
   * Guest code runs on threads of this process: no space has a host process, and every `hostPid` is
   * 0.
   */
  readonly isInProcess: boolean;
  /** Guest addresses are below this; the platform's own pages are above. */
  readonly maxUserAddress: number;
  /**
   * Guest ranges below it that the platform occupies: [start, end) pairs. The guest cannot map
   * there.
   */
  readonly reserved: readonly (readonly [number, number])[];
  /** Bytes of `Context.fpu`. */
  readonly fpuSize: number;
  /**
   * The XSAVE feature mask as it stands in a signal frame (XCR0 without features that a thread must
   * request); absent: x87, SSE and AVX by the size.
   */
  readonly fpuFeatures?: number;

  newAddressSpace(): AddressSpace | null;
  /**
   * A template: a space that never runs guest code and is forked for the spaces of one container.
   * The host processes of its forks are in the control groups that its own process is in at the
   * fork.
   */
  newTemplate(): AddressSpace | null;
  /** The next context that stopped, or null. Never blocks. HOT */
  poll(): Context | null;
  /** Guest threads that run at the moment (not stopped, not parked), for the loop's spin policy. */
  readonly runningCount: number;
  /**
   * Cost in ns of one sleep of a guest thread and the kernel for each other: a spin is worth up to
   * this.
   */
  readonly sleepCostNs: number;
  /**
   * CPU on which the thread that stopped last did so, as the thread reports; -1 when it is not
   * known.
   */
  readonly guestCpu: number;
  /**
   * How long that thread had run guest code, ns, as the thread reports; negative when it is not
   * known.
   */
  readonly guestGapNs: number;
  /**
   * Becomes readable again when a context stops after `prepareSleep`. Must be watched
   * edge-triggered (EPOLLET): nothing reads its counter, since that would cost a host call for each
   * sleep.
   */
  readonly doorbellFd: number;
  /**
   * Readable (level-triggered) while the end of a host process waits for `reap`; -1: the doorbell
   * reports ends.
   */
  readonly endsFd: number;
  /** Takes the ends of host processes. */
  reap(): void;
  /**
   * To be called before epoll_wait: false when something stopped meanwhile, so the loop must not
   * sleep.
   */
  prepareSleep(): boolean;
  /** To be called after a sleep: threads need not ring any more. */
  finishSleep(): void;
  /** Sets how long guest threads spin for a reply before they sleep (0: they do not spin). */
  setSpinBudget(ns: number): void;
  /** Sets the CPU that the caller runs on: a guest thread on the same CPU does not spin. */
  setLoopCpu(cpu: number): void;

  /**
   * Makes a host file mappable; returns a handle for `mapFile`, negative is -errno. The fd stays
   * the caller's. A mapping with more rights than its open mode or its mount (noexec) allows breaks
   * the space.
   */
  registerFile(hostFd: number): number;
  unregisterFile(file: number): void;

  /**
   * An empty set of thunks, for call sites that are patched; null if this platform does not patch.
   * One set serves address spaces that may learn each other's code addresses.
   */
  newThunks(): Thunks | null;

  /**
   * A guest thread has not answered yet: `tick` must be called, even if the loop has nothing else
   * to do.
   */
  readonly isKicking: boolean;
  /**
   * To be called about once a millisecond: deadlines of interrupts, stub pool, dead stubs. `nowNs`
   * is the host's CLOCK_MONOTONIC.
   */
  tick(nowNs: number): void;
  destroy(): void;
}
