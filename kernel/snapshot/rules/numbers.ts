/**
 * Fields of state with numbers that mean something outside of the graph: frames of the arena, host
 * addresses, views of the arena, host descriptors, fids, host times, random bits, properties of the
 * machine. A snapshot has to translate, make again or keep them on purpose.
 *
 * No field holds a process id of the host: address spaces (HOST_CLASSES) know those. Attributes of
 * files that the Gofer serves are fetched again with the fid.
 *
 * Neighbours: fields.ts (fields that hold objects which are not state).
 */

/**
 * - frame: arena offsets in bytes, or (where it says pages) arena offsets / 4096: renumbered
 * - address: arena.base plus an offset, or other host memory: computed again
 * - view: of the whole arena: that of the new arena
 * - descriptor: of the host, or a platform's number for one: opened or made again
 * - fid: bound again; with what says how fresh an answer of the Gofer is
 * - time: of the host's monotonic clock in ns, which goes on: kept, as the host has an offset
 * - random: drawn from the host
 * - machine: a property of the host or its platform: compared, or given by the boot process
 */
type NumberKind =
  | "frame"
  | "address"
  | "view"
  | "descriptor"
  | "fid"
  | "time"
  | "random"
  | "machine";

export interface NumberRule {
  readonly kind: NumberKind;
  /** The class that declares the field, and the field. */
  readonly field: string;
  readonly note: string;
}

function rules(kind: NumberKind, rows: readonly (readonly [string, string])[]): NumberRule[] {
  return rows.map(([field, note]) => ({ kind, field, note }));
}

/** -1 is no frame everywhere. */
const FRAMES = rules("frame", [
  [
    "ByteRing.base",
    "`size` bytes; of pipes, streams and datagrams; only `length` from `head` count",
  ],
  ["CopyBuffer.frame", "256 pages of scratch: -1"],
  ["ForkCopies.frames", "pages, `counts` each where that is not 0: copies for a child to come"],
  ["FilePages.first", "pages: a file's first 512; of tmpfs, memfd, secret memory"],
  ["FilePages.more", "pages: pieces of 512 by number"],
  ["RecordedPages.first", "pages: as FilePages.first, of records of files of a tmpfs"],
  ["RecordedPages.more", "pages: as FilePages.more"],
  ["FilePages.runFrame", "pages: result of the last `run`: -1"],
  ["FrameAllocator.takenBytes", "a counter of the new one"],
  ["FrameAllocator.usedBytes", "all frames with a count"],
  ["FrameCharges.tables", "owner ids by page: an image has one id for each frame in use"],
  ["GoferFs.iovFrame", "1 page of scratch: a new one"],
  ["KernelPages.base", "`bytes` bytes; rings of aio, of packet sockets, of io_uring's buffers"],
  ["MemoryContext.moveFrame", "16 pages of scratch: -1"],
  [
    "MemoryContext.vdso",
    "the new sandbox's; the word at cpusAt is 0 where it was (hideProcessors)",
  ],
  ["MemoryManager.stackReserve", "pages: stackReservePages untouched ones: -1 and 0"],
  ["MemoryManager.unmaps", "page, count pairs: empty between two turns"],
  ["PageMap.frames", "pages: `length` extents, without the `room` places of the gap"],
  ["PageMap.shadows", "pages: untouched ones, one for each page of the extent: reserved again"],
  ["ProgramBreak.reserve", "pages: reservePages untouched ones: -1 and 0"],
  ["SharedAnon.pieces", "`piecePages` pages a piece (the last one shorter); System V too"],
  ["UringMemory.rings", "ringPages pages"],
  ["UringMemory.sqes", "sqePages pages"],
]);

const ADDRESSES = rules("address", [
  ["FileData.base", "arena.base"],
  ["MemoryContext.bounce", "arena.base + a page of its own: a new one"],
  ["UserAccess.arenaSize", "arena.size"],
  ["UserAccess.base", "arena.base"],
  ["UserAccess.epoch", "0: that of the new windows, which no TLB entry has"],
]);

const VIEWS = rules("view", [
  ["AioRing.words", "arena.words"],
  ["MappedMemory.words", "arena.words"],
  ["UringMemory.dv", "arena.dv"],
  ["UringMemory.words", "arena.words"],
  ["UserAccess.dv", "arena.dv"],
  ["UserAccess.words", "arena.words"],
]);

const DESCRIPTORS = rules("descriptor", [
  [
    "DonatedFile.fd",
    "reconnect.ts: opened again by the Gofer; without users: left out, HOST_FILES is given back",
  ],
  ["GoferBacking.platformFile", "reconnect.ts: platform.registerFile(hostFd)"],
  ["GoferNode.listener", "of a socket that bind(2) made and listen(2) has not taken: refused"],
  ["HostEnd.fd", "a connection of a host's program: closed for the guest, or refused"],
  ["HostFdInode.armed", "where isWatched is true: watched again for these events"],
  ["HostFdInode.fd", "standard streams and what `exec` passed: those of the new start; -1 stays"],
  ["HostFile.hostPos", "kept: the position of a shared regular file"],
  ["HostListener.fd", "made again by the Gofer, watched where isWatched is true; or refused"],
  ["HostSocket.fd", "refused, reset or kept as asked; watched again where isWatched is true"],
  ["UnixSocket.hostIdentity", "device and inode of a host's socket file: asked again"],
]);

const FIDS = rules("fid", [
  ["GoferFs.epoch", "one more, so that what was fetched before does not count"],
  ["GoferFs.inodes", "by device and inode number of the Gofer: built again from the keys"],
  ["GoferFs.rootFid", "that of the new attach"],
  ["GoferInode.fetchedNs", "-1 in shared mode: nothing fetched counts; else an epoch"],
  [
    "GoferInode.fid",
    "-1: walked again from `parent` and entryName when it is needed (reconnect.ts); open and " +
    "without a name: the snapshot has its bytes, or it is lost",
  ],
  ["GoferInode.key", "compared with the walked file: another one has changed"],
]);

/** Without a note: kept, as the clock goes on. */
const TIMES = rules("time", [
  ["Bandwidth.periodEndNs", ""],
  ["Bandwidth.throttledSinceNs", ""],
  ["Containment.windowNs", ""],
  ["CpuClock.nowNs", ""],
  ["Deferral.startNs", ""],
  ["EndsOfSpaces.sinceNs", ""],
  ["FreezeState.throttledUntilNs", ""],
  ["GoferFs.epochNs", "of the lease: 0, so that the next lookup begins an epoch"],
  ["IoRate.paidNs", ""],
  ["JobCpu.throttledUntilNs", ""],
  ["Lease.deadlineNs", ""],
  ["LoadAverage.lastNs", ""],
  ["Loop.nextSliceNs", ""],
  ["Loop.nextTickNs", ""],
  ["MemoryState.nextSettleNs", ""],
  ["OomKiller.holdFromNs", ""],
  ["OomKiller.nextLookNs", ""],
  ["OomKiller.soonestLookNs", ""],
  ["OomKiller.untilNs", ""],
  ["PosixTimer.expiredNs", ""],
  ["Progress.deadlineNs", ""],
  [
    "SandboxKernel.bootNs",
    "kept: 0, as the host's uptime is the guest's, which so has to go on as well",
  ],
  ["Task.ranSinceNs", ""],
  ["Task.startNs", ""],
  ["TaskDelay.untilNs", ""],
  ["TaskRef.startNs", "compared with Task.startNs"],
  ["TcpTally.acknowledgedNs", ""],
  ["TcpTally.receivedNs", ""],
  ["TcpTally.sentNs", ""],
  ["ThreadGroup.startNs", ""],
  ["Timer.deadlineNs", "of all timers; those of CLOCK_REALTIME follow when the host's is set"],
  ["TimerFile.deadlineNs", ""],
  ["TurnServer.cpuNs", "CPU time of the Sentry's thread: read anew, with nextCpuReadNs"],
  ["TurnServer.fairUntilNs", ""],
  ["TurnServer.nextCpuReadNs", ""],
  ["Unanswered.waiting", "the times in its records"],
]);

const RANDOM = rules("random", [
  ["AddressLayout.mmapShift", "kept, with the other fields: where the guest's memory is"],
  ["KeyStore.word", "scratch"],
  ["Link.mac", "kept; a fork with a network of its own draws another one"],
  ["Notifier.lastId", "kept: ids of notifications"],
  ["PortTable.random", "scratch"],
  ["SysctlStore.values", "kept, with kernel/random/boot_id; another one where it is asked for"],
]);

const MACHINE = rules("machine", [
  ["AddressLayout.maxAddress", "platform.maxUserAddress, from which the rest follows: the same"],
  ["Container.hostThreadsMax", "kept; GuestContainer sets that of the new start"],
  ["OomKiller.limitBytes", "kept; a restore sets that of the new start (setLimit)"],
  ["SandboxAccounts.heapBytes", "kept; OomKiller.heap sets that of the new heap"],
  ["SandboxAccounts.limitBytes", "kept; OomKiller.setLimit sets it"],
  [
    "SandboxKernel.cpu",
    "kept: AT_HWCAP and AT_HWCAP2, which programs have read: the host has all bits",
  ],
  ["SchedAttributes.affinity", "kept; a processor that the host lacks is not used"],
]);

export const NUMBER_RULES: readonly NumberRule[] = [
  ...FRAMES,
  ...ADDRESSES,
  ...VIEWS,
  ...DESCRIPTORS,
  ...FIDS,
  ...TIMES,
  ...RANDOM,
  ...MACHINE,
];
