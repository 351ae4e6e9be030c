/**
 * What a snapshot will do with the objects that a kernel holds, by their classes. A class that is
 * not here is reported by state_graph_test.ts: decide what a snapshot does with it, then name it.
 */

/**
 * State is saved field by field. What is derived is left out and made again: caches, scratch. A
 * host resource is what the kernel runs on, which a restored kernel is given anew; nothing behind
 * it is looked at.
 */
type Fate = "state" | "derived" | "host";

/** Made by the language, not by a class of the kernel. */
export const LANGUAGE: readonly string[] = (`
  Array ArrayBuffer DataView Float64Array Int32Array Map Object Set Uint16Array Uint32Array
  Uint8Array
`).trim().split(/\s+/);

const STATE = `
  AbstractNames Account AddressIndex AddressLayout AioContext AioContexts AioRing AllRights
  AnonFiles AnonFs AnonInode AreaTextFile AwaitedFault Backlog Bandwidth BpfPrograms ByteRing
  CallRecord Cgroup Cgroup2Type CgroupFs CgroupNamespace CgroupType CgroupView Cgroups ChangeLock
  ChangeSignal ChargesEnd ConsoleOpener Container ContainerAccounts ContainerNode Containment
  ContextFile ControlOpener CopyBuffer CpuClock CpuIntervalTimer CpuLimitTimer CpuState CpuText
  CpusetState Datagram DatagramQueue DeferredWork Dentry DentryCache DeviceNumbers DeviceState
  DevicesDir DevptsType DevtmpfsFs DevtmpfsType DirEntries DirEntry Dropping Endpoint EndsOfSpaces
  Entry EntryCursor EpollFile EpollItem EventFile Expiry FairTurns FamilyRoutes FamilySettings
  FanotifyFile FastOpen FdDir FdLink FdTable Fifo FifoOpener FileData FileHandles FileLock
  FileLocks FileMappings FileOfGroup FileOwner FilePages FixedDir FixedLink FrameAllocator
  FrameQuarantine FreezeState FreezeWatch FsContext FsTypes FullOpener FutexTable FutexWaiter
  GeneratedDirFile GenericFamilies GroupDir GroupFileInode GroupLists GroupMarks GroupNode
  GroupSet GroupSort GroupXattrs Handle Hierarchy HighLimit HostFdFs HostFdInode HostFdOpener
  HostFifoOpener IdMapFile IdMapText InetFamily InetPorts InotifyFile InotifyWatch IoCharges
  IoState IpCounters IpOptions IpcLimits IpcMessage IpcMessageQueue IpcMessages IpcNamespace
  IpcTable KernelProcSource Key KeyStore KeyUser KmsgInode KmsgOpener Layouts LeavingSpace
  LeavingSpaces Limits Link LinkGroups LinkSettings LinkTable LinksDir LiveInode LoadAverage
  LockAges LockWaits Loop LoopDevice LoopDevices LoopOpener LoopbackTcp LoopbackTransport MemFile
  MemInode MemPolicy MemfdStore MemoryContext MemoryCounters MemoryEvents MemoryLimits
  MemoryManager MemoryState MemoryText MemoryUse MessageCounter MessageQueue Mount MountFile
  MountNamespace MountPlace MqueueDirectory MqueueFile MqueueFs MqueueType NamespaceCounts
  Namespaces NetDir NetNamespace NetSettingsView NetShared NetlinkFamily NetlinkProtocol
  NetlinkSocket NsDir NsFs NsInode NsLink NullFile NullOpener ObjectRanks OomKiller OpenGroupFile
  OverlayDirectory OverlayFs OverlayType PacketCounter PacketFamily PageMap PatchedSites Path
  PathFile PeerCredentials PeerGroup PendingExec PendingSignals PidFd PidNamespace PidsState Pipe
  PipeFile PlaceLink PortIds PortTable PosixTimer PrefixRoutes ProcConnector ProcFacts ProcFs
  ProcFsType ProcRootDir ProcessGroup ProcessTimers ProgramAddresses ProgramBreak Progress
  PtmxNodeOpener QueueCaller QueuedMessage RamFsType RandomOpener RangeWork RealTimer Reaper
  Registration ReservedPorts Retry RightsInFlight RingFds RingMemory RouteTable RunQueue
  SandboxAccounts SandboxKernel SchedAttributes SecretFile SecretFs SecretInode SecretStore
  SelfLink SemOperations SemUndoList SemaphoreSet Semaphores Session SharedAnon SharedLayout
  SharedMemory ShmIdentity ShmMemory ShmSegment SigInfo SigSet SignalAction SignalFile
  SignalHandlers SocketIndex SocketOptions SpecialFiles StackImage StoredInode StreamQueue
  StringList StringPiece SyncWork SysFs SysFsType SyscallArgs SysctlFile SysctlStore SystemText
  Taps Task TaskDir TaskIpcUser TaskKeyrings TaskNetworks TaskPid TaskRef TaskSignals TaskStats
  TaskTerminalHooks TaskText TaskTextFile TaskTimeout TaskWaiter TcpCounters TcpOptions
  TcpSequence TcpTally Terminals ThreadGroup TimeNamespace TimerFile TimerQueue TmpfsBacking
  TmpfsDirFile TmpfsDirectory TmpfsFile TmpfsFs TmpfsNode TmpfsRegular TmpfsSymlink TmpfsType
  Trace Traffic TransferCounts TtyOpener TurnAccount TurnAccounts TurnNode TurnServer UdpCounters
  UdpOptions UdpSocket UnixDgram UnixFamily UnixSeqpacket UnixStream UrgentMark UrgentSignals
  Uring Usage UserCursor UserKeyrings UserNamespace Userfault UserfaultFile UserfaultOpener
  UtsNamespace Vfs View Vma VmaList WaitQueue Waiting WatchList ZeroFile ZeroOpener
`;

const DERIVED = `
  ChargedFrames CpuInfo DomainLook Fault FileWindows FreePages FutexKey HostUse KnownFrames
  MemoryFrames NetlinkRequest PatchCache ResidentCount Scratch SearchState SpinPolicy Tlb TlbPool
  VictimSearch Walk WriteRun
`;

/** The platform, its address spaces and contexts, the host: here those of the tests. */
const HOST = `
  Arena FakeContext FakePlatform FakeSpace HostWatch SimContext SimHost SimPlatform SimSpace
  WorldHost
`;

function rows(fate: Fate, names: string): [string, Fate][] {
  return names.trim().split(/\s+/).map((name) => [name, fate]);
}

export const REGISTRY: ReadonlyMap<string, Fate> = new Map([
  ...LANGUAGE.map((name): [string, Fate] => [name, "state"]),
  ...rows("state", STATE),
  ...rows("derived", DERIVED),
  ...rows("host", HOST),
]);
