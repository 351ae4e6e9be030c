/**
 * Offsets in the one page of writable data that the assembled code uses.
 *
 * The page is mapped before the code is assembled, so its address is an immediate in the code.
 * Neighbours: native.ts maps and fills it; fault_code.ts, signal_code.ts and spawn_code.ts read it.
 */

export const DATA_BYTES = 4096;

/** Byte offsets from the start of the page. */
export const DATA = {
  /** `struct sigaction` that SIGSEGV had before ours. */
  oldSegv: 0,
  /** `struct sigaction` that SIGBUS had before ours. */
  oldBus: 32,
  /** A `struct sigaction` of zeros: SIG_DFL. */
  defaultAction: 64,
  /** u64 1, which is written to an eventfd. */
  one: 96,
  /** u64 of ones: every signal. */
  allSignals: 104,
  /** u64 0: no signal. */
  noSignals: 112,
  /** `struct sigaction` to install, built by TypeScript. */
  newAction: 128,
  /** i32 for each signal number up to 64: the descriptor to write to, -1 for none. */
  signalFds: 512,
  /**
   * The call that every thread makes (thread_calls.ts): u64 number and five arguments, i32 result,
   * i32 1 once the result is there.
   */
  threadCall: 1024,
  /** A message for each signal number up to 64 (signals.ts): SIGNAL_MESSAGE_BYTES each. */
  signalMessages: 2048,
} as const;

/** Bytes of a message that a signal sends. */
export const SIGNAL_MESSAGE_BYTES = 12;
