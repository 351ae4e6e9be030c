/**
 * The classes of what a kernel runs on: a restored kernel is given other objects. A snapshot looks
 * at nothing behind them. They have names here and no imports, as most stand in layers above.
 * Neighbours: state.ts, derived.ts, fields.ts (what a field gets that holds one).
 */

/** The host, its memory, the platform with its address spaces and contexts, and watches. */
export const HOST_CLASSES: readonly string[] = (`
  Arena HostWatch KvmContext KvmPlatform KvmSpace LoopDriver NoContext PtraceContext PtracePlatform
  PtraceSpace RealHost RealHostNetwork SystrapContext SystrapPlatform SystrapSpace SystrapThunks
  ThunkTable
`).trim().split(/\s+/);

/**
 * The connection to a Gofer, and the part of the boot process around the kernel, which listens to
 * ends of processes and to descriptors of guests (terminals, published ports, sessions), and has
 * timers of its own.
 */
export const BOOT_CLASSES: readonly string[] = (`
  Birth Connection ControlServer Deadline DebugLog EndCheck EndOfGrace EndTimer EndWatch FlushTimer
  FromGuest GoferClient GoferWatch GreetingTimer GuestProcess Input KillCounter LauncherLink
  ListenWaiter Place PortRelay Program PublishedPort QueueWaiter ReleaseImage RoomTimer Sandbox
  SessionServer StartHooks StepTimer Strace TurnLog V8Heap Writable
`).trim().split(/\s+/);
