/**
 * The layout that the Sentry and the assembled stub share: addresses in a stub, the control memory,
 * states, commands.
 *
 * Every stub maps the same things at the same addresses, all at or above `STUB_BASE`, except the
 * jump tables and the slots. "RO" is memory that is read-only in a stub. "RW" can be written by
 * guest code at any moment, and serves as a hint or harms only the guest itself. Neighbours: the
 * other files of this folder emit the code, the folder above is the Sentry's side.
 */

import { TABLE_BYTES, TABLE_OPCODES } from "../../thunks.ts";

/** First address that belongs to the stub: guest addresses end here. */
export const STUB_BASE = 0x7fff00000000;
/** Code of zygote, mapper, handlers and fast path. */
export const TEXT = STUB_BASE;
export const TEXT_BYTES = 0x2000;
/**
 * Private memory of the zygote, with the secret and the filter that contains it; no stub has it.
 */
export const SCRATCH = STUB_BASE + 0x10000;
export const SCRATCH_BYTES = 0x2000;
/** The page of global words: RO in stubs, written by the Sentry and the zygote. */
export const GLOBAL = STUB_BASE + 0x20000;
/** Mapper commands and thread arguments of one space: RO. */
export const COMMANDS = STUB_BASE + 0x40000;
/** Code that the Sentry writes: one thunk for each patched call site. Executable, not writable. */
export const THUNKS = STUB_BASE + 0x100000;
/** The first page of slot 0, which belongs to no thread: the header of the space, RW. */
export const HEADER = STUB_BASE + 0x4000000;
/** LIMIT: 4095 host threads in one space. */
export const MAX_SLOTS = 4096;
export const SLOTS_IN_CHUNK = 32;
export const STUB_END = STUB_BASE + 0x10000000;
/** Range of the slots of a stub, RW: the Sentry draws their address for each stub. */
export const SLOTS_FROM = STUB_BASE + 0x20000000;
export const SLOTS_END = STUB_BASE + 0xd0000000;

/** Windows in low memory that hold the pointers for `jmp [disp32]`. */
export const TABLES: readonly number[] = TABLE_OPCODES
  .map((byte) => 0x60000000 + byte * TABLE_BYTES);

/** Offsets in the global page. The two halves have different writers. */
export const GLOBAL_AT = {
  /** u32: the Sentry sleeps; ring the doorbell after a post. */
  sleeping: 0,
  /** u32: time stamp ticks to spin for a reply, 0: do not spin. */
  spinTicks: 4,
  /**
   * u32: the CPU that the Sentry runs on while threads spin; a thread on the same CPU sleeps
   * instead.
   */
  loopCpu: 8,
  /** u64: features of the processor's state that a slot's FPU area has. */
  features: 16,
  /** u32: number of the last message that the zygote has handled. */
  installed: 64,
  /** u64: time stamp counter at that moment. */
  installedTsc: 72,
} as const;

/** Offsets in the COMMANDS region of a space. */
export const COMMANDS_AT = {
  /** u32: commands queued so far, modulo 2^32. */
  head: 0,
  /** u32: not 0 makes the stub ring after it has reported its pid. */
  ringAtBirth: 4,
  ring: 64,
  /** One `stack_t` (24 bytes) for each slot. */
  stacks: 64 + 128 * 64,
} as const;
export const RING_ENTRIES = 128;
export const COMMAND_BYTES = 64;
export const STACK_T_BYTES = 24;
export const COMMANDS_BYTES = 0x1b000;

/** A command: what to do, the zygote message that must be done before, six words. */
export const COMMAND_AT = { op: 0, wait: 4, args: 8 } as const;
/** mmap(args 0 to 5), shared and fixed. */
export const OP_MMAP = 1;
/**
 * Publish how far the mapper is: writes args 0 to the control file at offset args 1; `wait` 1
 * rings.
 */
export const OP_ACK = 2;
export const OP_MPROTECT = 3;
export const OP_MUNMAP = 4;
/** A host thread for the slot at args 0, whose stack_t is at args 1. */
export const OP_THREAD = 5;
/** futex(args 0, FUTEX_WAKE): a guest thread that slept when it was resumed. */
export const OP_WAKE = 7;
/**
 * A copy of the process: args are control file offsets of commands, slots and ack, then the two
 * marks as u64, and the address of the slots of this process, which the copy unmaps.
 */
export const OP_FORK = 6;

/** Offsets in slot 0. RW, hints only. */
export const HEADER_AT = {
  /** u32: commands done. */
  done: 0,
  /** u64: pid of the stub, from where the mapper writes it to the ack area. */
  pid: 64,
} as const;

/** An entry of the ack area, which no stub maps: the mapper writes it through the control file. */
export const ACK_BYTES = 16;
export const ACK_AT = {
  /** u32: number of the last change done (modulo 2^32). */
  seq: 0,
  /** u32: commands done. */
  head: 4,
  /** u32: pid of the stub, 0 before its birth; then the high word, a mark while there is no pid. */
  pid: 8,
  mark: 12,
} as const;
/** Marks: the stub could not be made; it may have been made and will report its pid. */
export const MARK_FAILED = 1;
export const MARK_FORKING = 2;

/**
 * The cache line of a slot that moves between the cores for each patched call. The other core has
 * to give up every line that the Sentry reads, and the line beside it, which processors prefetch:
 * so bytes 320 to 383 are unused.
 */
const CALL_LINE = 256;

/** Offsets in a slot, RW. */
export const SLOT_AT = {
  /** i32: number of a call that was posted on the fast path. */
  nr: CALL_LINE + 48,
  /** u32, the futex word: see the states. */
  state: CALL_LINE + 52,
  /** u64: the value of rax for REPLY_RET on the fast path. */
  result: CALL_LINE + 56,
  /** u64: top of the small stack, slot + SLOT_HEADER. */
  stack: 104,
  /** u32: not 0 makes the fast path stop again before it returns to the guest. */
  kick: 112,
  /** u32: commands that must be done before this thread goes on (REPLY_CHAIN). */
  chain: 116,
  /** u32: SLOT_LOAD_*, for REPLY_LOAD. */
  flags: 120,
  /** u64 each: bases, stored by the handler, loaded from here with REPLY_LOAD. */
  fsBase: 192,
  gsBase: 200,
  /**
   * u64: stack pointer at the handler's entry, read only while no guest code has run in the stub.
   */
  frame: 208,
  /**
   * u32: host thread id, stored by the thread when it starts; only good to signal a thread of this
   * stub.
   */
  tid: 216,
  /** u32: CPU on which the thread rang or began to spin, a hint. */
  cpu: 220,
  /**
   * u32 each: time stamps, low halves, of its last return to the guest, unless the reply was there
   * at once, and of its last ring. Hints.
   */
  resumed: 224,
  rung: 228,
} as const;
/**
 * Where a slot has the register that is at offset 8 * i in `Context.regs`, up to EFLAGS. RAX is
 * valid for REPLY_LOAD and behind REPLY_SAVE; of a posted call it is `nr`.
 */
export const SLOT_REGS: readonly number[] = [
  // r8 to r15
  ...[CALL_LINE + 32, CALL_LINE + 40, CALL_LINE + 24, 96, 144, 152, 160, 168],
  // rdi rsi rbp rbx rdx rax rcx rsp rip eflags
  ...[CALL_LINE, CALL_LINE + 8, 136, 128, CALL_LINE + 16, 176, 88, 72, 64, 80],
];
/**
 * Header and small stack; behind it the XSAVE area (standard form) of a thread on the fast path.
 */
export const SLOT_HEADER = 512;
/** LIMIT: all state but that of AMX, which needs a permission that no stub asks for. */
export const SLOT_FPU_BYTES = 2816;
/** The alternate signal stack is the rest of the slot. */
export const SIGNAL_STACK = SLOT_HEADER + SLOT_FPU_BYTES;
export const SLOT_LOAD_FS = 1;
export const SLOT_LOAD_FPU = 2;

/** States of a slot. The two lowest bits say where the thread posted. */
export const POSTED_FAST = 1;
export const POSTED_FRAME = 2;
export const POSTED_KIND = 3;
/** Added by the guest thread before it sleeps, and by the Sentry to make it sleep. */
export const STATE_SLEEPING = 4;
export const STATE_PARKED = 8;
export const STATE_EXITED = 12;
/** The mapper could not make the thread. */
export const STATE_FAILED = 15;
/** Replies are 16 and more. */
export const FIRST_REPLY = 16;
export const REPLY_RET = 16;
export const REPLY_LOAD = 17;
/** Fast path only: make a signal frame and post again. */
export const REPLY_SAVE = 18;
export const REPLY_EXIT = 19;
/** Fast path only: store the FPU state in the slot and post again. */
export const REPLY_XSAVE = 20;
export const REPLY_CODE = 31;
export const REPLY_CHAIN = 32;

/** Messages to the zygote: op u32, number u32, three u64. */
export const MESSAGE_BYTES = 64;
export const MESSAGE_AT = { op: 0, seq: 4, args: 8 } as const;
/** Put the attached fd at number args 0. */
export const MESSAGE_PUT = 1;
export const MESSAGE_CLOSE = 2;
/** A stub: control file offsets of commands, slots and ack. */
export const MESSAGE_STUB = 3;

/**
 * Descriptors of the table that all stubs and the zygote share. Files come from FD_FIRST_FILE on.
 */
export const FD_MESSAGES = 3;
export const FD_CONTROL = 4;
export const FD_ARENA = 5;
export const FD_DOORBELL = 6;
export const FD_FIRST_FILE = 16;

/** The signal that stops a running guest thread: a standard one, which is not queued. */
export const SIG_KICK = 23; // SIGURG

/** A call number that the filter refuses: it takes the fast path into the signal handler. */
export const NR_TRAP = 0x3fff;
