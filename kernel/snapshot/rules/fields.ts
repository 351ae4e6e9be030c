/**
 * What a field of state that holds an object of another fate has in a restored kernel. A field
 * without a row is reported where its type allows such an object (tests/tidy/left_out_types.ts),
 * and where a walk of a kernel meets one (tests/sim/graph_findings.ts).
 *
 * Neighbours: derived.ts and host.ts (the classes), numbers.ts (numbers that mean something outside
 * of the graph).
 */

/**
 * - given: an object of the new kernel's surroundings: its host, platform, arena or boot process
 * - new: an empty one; `how` makes it
 * - null: null, from which the code makes another one when it needs it
 * - made: made again of other state, which `how` names
 * - without: the array, map or queue lacks these objects; `how` says what else has to change
 */
type Gets = "given" | "new" | "null" | "made" | "without";

interface FieldRule {
  /** The class that declares the field, and the field. */
  readonly field: string;
  readonly gets: Gets;
  readonly how: string;
}

function rules(gets: Gets, rows: readonly (readonly [string, string])[]): FieldRule[] {
  return rows.map(([field, how]) => ({ field, gets, how }));
}

/** Fields that hold the host alone. */
const HOST_FIELDS: readonly string[] = `
  ConsoleOpener.host DevptsFs.host EndsOfSpaces.host GeneratedFs.host HostFdFs.host
  HostListener.host KeyStore.host Loop.host MemoryContext.host MqueueFs.host
  NetNamespace.host NetShared.host PortTable.host RandomFile.host RandomOpener.host
  SandboxKernel.host SlaveOpener.host TerminalFile.host TmpfsFs.host TtyOpener.host
  TurnServer.host Vfs.host
`.trim().split(/\s+/);

/** Fields that hold the platform alone. */
const PLATFORM_FIELDS: readonly string[] = `
  EndsOfSpaces.platform LeavingSpaces.platform MemoryContext.platform
  SandboxKernel.platform TurnServer.platform
`.trim().split(/\s+/);

const GIVEN = rules("given", [
  ...HOST_FIELDS.map((field) => [field, "the host"] as const),
  ...PLATFORM_FIELDS.map((field) => [field, "the platform"] as const),
  ["CallRecord.observer", "that of --strace, or null"],
  ["Container.template", "made in the container's control groups of the host; null stays null"],
  ["Containment.sink", "the sandbox of the boot process, which writes reports"],
  ["FrameAllocator.arena", "the arena"],
  ["FrameAllocator.pool", "that of the arena, which the kernels of a process share"],
  ["GoferFs.client", "the connection to the Gofer of the mount"],
  ["HostSocket.host", "NetNamespace.network of its namespace"],
  ["Loop.driver", "that of the process"],
  ["MemoryContext.windows", "those of the arena, which the kernels of a process share"],
  ["UserAccess.fileWindows", "the same"],
  ["Job.listener", "the program of the session that is kept; a job of a closed one is killed"],
  ["MemoryContext.arena", "the arena"],
  ["NetNamespace.network", "the host's network namespace; null stays null"],
  ["OomKiller.listener", "the sandbox of the boot process; null stays null"],
  ["SandboxKernel.debugLog", "the debug log, or null"],
  ["ThreadGroup.exitListener", "for a container's first process and for exec: the boot process's"],
  ["TurnServer.distributor", "the driver, when it has several kernels; else null"],
  ["TurnServer.turns", "that of --turns, or null"],
]);

const NEW = rules("new", [
  [
    "GoferFs.descriptors",
    "those of before, by whose units accounts are charged: reconnect.ts makes new ones",
  ],
  ["GoferFs.fetchedNames", "new FetchedNames()"],
  ["GoferFs.fids", "new FidCache(client); an inode whose fid is bound anew is added"],
  ["GoferFs.idle", "new IdleFiles(ctx, max) with the max of before; idle files are left out"],
  ["GoferFs.listings", "new ListingCache(); lists of open directories are state of GoferDirFile"],
  ["GoferFs.opens", "new OpenAhead(fs)"],
  ["GoferFs.trees", "new TreeScan(fs)"],
  ["HostFdInode.watch", "new HostWatch(inode)"],
  ["HostSocket.descriptors", "that of the HostTransport of its namespace"],
  [
    "Loop.quiescence",
    "new Quiescence(kernel, server, driver.spin): no standstill is asked for",
  ],
  ["MemoryContext.tlbs", "new TlbPool()"],
  ["MemoryManager.fault", "new Fault(): no call leaves one to the next"],
  ["MemoryManager.hostUse", "new HostUse(): the host's process is another one"],
  ["MemoryManager.key", "new FutexKey(): no call leaves one to the next"],
  ["MemoryManager.search", "new SearchState(): the next search looks at all areas, same result"],
  ["MemoryManager.writeRun", "new WriteRun()"],
  ["NetNamespace.chosen", "the one of `offered`: its name is the state; null stays null"],
  ["NetNamespace.offered", "new HostTransport(net, network) where `network` is not null"],
  ["OomKiller.heap", "new HeapWatch() with the heap of the boot process, or null"],
  ["OomKiller.ownMemory", "new HeldMemory(): what was measured counts no more"],
  ["PatchedSites.pages", "new PatchCache(arena, frames, account), and PATCHED_PAGES is given back"],
  ["ProcFacts.cpuInfo", "CpuInfo.fromHost(): the new host's processor"],
  ["SandboxKernel.scratch", "new Scratch()"],
  ["TurnServer.inbox", "new Fifo(): quiescence holds back all stops"],
  ["Worker.ctx", "new NoContext(space) of the memory of its submitter"],
]);

const NULL = rules("null", [
  ["AreaTextFile.count", "the area is counted from its start"],
  ["GoferDirectory.missing", "names are asked again"],
  ["GoferDirectory.scanned", "names are asked again"],
  ["MemoryManager.measured", "memory is counted again"],
  [
    "PatchedSites.thunks",
    "maps lack patched pages, and sites are patched at later calls; siteCount and tableCount are 0",
  ],
  ["OomKiller.look", "the look at all domains begins again; over and mustLookAgain stay"],
  ["OomKiller.search", "the search for a victim begins again for the first of `over`"],
  ["PeakSampler.count", "the next sample begins a count"],
  ["Vfs.walk1", "made at the next walk"],
  ["Vfs.walk2", "the same"],
  ["View.count", "memory is counted again"],
]);

const MADE = rules("made", [
  ["FileRecords.table", "of the same records: shared in the process, a list of them in a file"],
  ["FrameAllocator.tables", "FileRecords.table of each tmpfs, which adds itself"],
  ["FrameAllocator.references", "the sum of what the holders of numbers.ts hold"],
  [
    "MemoryManager.space",
    "a new space, of Container.template if there is one, from vmas and pages; not if destroyed",
  ],
  ["PendingExec.program", "the context in its record: as Task.ctx, for the task that calls exec"],
  ["Task.ctx", "a new context with the saved registers, FPU state and trap"],
  ["TurnServer.held", "the new contexts of the stops that were held back, in their order"],
  ["UserAccess.tlb", "MemoryContext.tlbs.take(); NO_TLB in a destroyed memory"],
]);

const WITHOUT = rules("without", [
  ["Fifo.items", "TurnAccount.traps: no contexts, as quiescence holds back their stops"],
  ["LeavingSpace.space", "none is left"],
  ["LeavingSpaces.leaving", "empty; each gives ADDRESS_SPACES back to its account"],
  ["TimerQueue.firing", "null: no timer fires between two turns"],
  [
    "TimerQueue.heap",
    "no timers of the boot process, which arms its own; `index` of the others " +
    "is their new place",
  ],
  ["Waiter.next", "the next waiter of the kernel"],
  ["Waiter.prev", "the one before"],
  ["WaitQueue.head", "the first waiter that is no part of the boot process, which waits anew"],
  ["WaitQueue.tail", "the last one"],
]);

export const FIELD_RULES: readonly FieldRule[] = [...GIVEN, ...NEW, ...NULL, ...MADE, ...WITHOUT];
