/**
 * The classes whose objects a snapshot saves with all their fields. `deno task state` makes
 * state_table.ts of this list: each has a name of its own and is exported.
 *
 * Neighbours: derived.ts and host.ts (the classes that a snapshot leaves out), fates.ts (the fate
 * of a class).
 */

/** Names in alphabetical order, a paragraph for each letter. */
export const STATE_CLASSES: readonly string[] = (`
  AbstractNames Account AddressDump AddressIndex AddressLayout AioContext AioContexts AioEvent
  AioPoll AioRing AllRights AnonFiles AnonFs AnonInode AreaTextFile ArrayPasses AskedQuestions
  AsyncListener AttrDir AttrFile AwaitedFault
  Backlog Bandwidth BlockRing BpfFilter BpfProgram BpfProgramFile BpfPrograms BufferList BufferRing
  ByteQueue ByteRing
  CallRecord Cgroup Cgroup2Type CgroupFs CgroupNamespace CgroupType CgroupView Cgroups ChangeLock
  ChangeSignal ChargeShare ChargesEnd Collection ConsoleOpener Container ContainerAccounts
  ContainerMemory ContainerNode Containment ContextFile ControlOpener CookieNotifier CopyBuffer
  CountSteps CpuClock CpuIntervalTimer CpuLimitTimer CpuState CpuText CpusetState
  Datagram DatagramQueue DebugRegisters Deferral DeferredWork Dentry DentryCache DeviceDir
  DeviceGroupTable DeviceIo DeviceNumbers DeviceState DeviceText DevicesDir DevptsDirFile DevptsFs
  DevptsRoot DevptsType DevtmpfsFs DevtmpfsType DiagFilter DirEntries DirEntry DirectorySignal
  Domain DonatedFile Dropping Drops DumpSequence
  EbpfProgram EchoQueue Emptying Endpoint EndsOfSpaces Entry EntryCursor EpollFile EpollItem Event
  EventFile Expiry ExtendedError
  FairTurns FamilyRoutes FamilySettings FanEvent FanotifyFile Fanout FastOpen FdDir FdLink FdSets
  FdTable FdinfoDir FdinfoFile Fifo FifoOpen FifoOpener FileData FileHandles FileLock FileLocks
  FileMappings FileOfGroup FileOwner FilePages FileRecords FileSystemEnd FileTable FilterTracer
  FixedBuffer FixedDir FixedFile FixedLink ForgetTree ForkCopies ForkWork FrameAllocator
  FrameCharges FreezeState FreezeWatch FsContext FsTypes FullFile FullOpener FutexTable FutexWaiter
  GeneratedDirFile GenericFamilies GoferBacking GoferDirFile GoferDirectory GoferFile GoferFs
  GoferNode GoferRegular GoferSymlink GroupDevicePolicy GroupDir GroupFileInode GroupLists
  GroupMarks GroupNode GroupSet GroupSort GroupTable GroupXattrs
  Handle HeldFile HelperEnd Hierarchy HighLimit HostEnd HostEndWatch HostFdFs HostFdInode
  HostFdOpener HostFifoOpener HostFile HostListener HostSocket HostSocketWatch
  IdMapFile IdMapText Inet6Addresses InetDump InetFamily InetPorts InetTable InfoRecord InodeRecord
  InotifyFile InotifyWatch InputQueue IoCharges IoRate IoState IpCounters IpOptions IpcLimits
  IpcMessage IpcMessageQueue IpcMessages IpcNamespace IpcTable ItemsEnd
  Job JobCpu JobCpuLimit JobDeadline JobKill JobMemory
  KernelProcSource Key KeyStore KeyUser KmsgFile KmsgInode KmsgOpener
  LayerListing Layouts Lease Leases LeavingSpace LeavingSpaces LegacyView Limits LineDiscipline
  Link LinkDir LinkGroups LinkInode LinkSettings LinkTable LinksDir LinksDump ListReader Listing
  LiveInode LoadAverage LoadedProgram LocalRouteDump LockAges LockWait LockWaits LongWalk Loop
  LoopControlFile LoopDevice LoopDevices LoopFile LoopOpener LoopbackTcp LoopbackTransport
  MainRouteDump ManyKills MapFileLink MapFilesDir MappedMemory Mark MasterFile MemFile MemInode
  MemPolicy Membership Memberships MemfdStore MemoryContext MemoryCounters MemoryEvents
  MemoryLimits MemoryManager MemoryState MemoryText MemoryTextFile MemoryUse Merge MessageCounter
  MessageQueue MonitorEvent Mount MountFile MountNamespace MountPaths MountPlace MountSteps
  MountsFile MountsInode MoveEnd MqueueDirectory MqueueFile MqueueFs MqueueType
  NamespaceCounts Namespaces NeighbourDump NetDir NetNamespace NetSettingsDir NetSettingsView
  NetShared NetTables NetText NetTextFile NetlinkDump NetlinkFamily NetlinkProtocol NetlinkRequest
  NetlinkSocket NetlinkTable Notification Notifier NsDir NsFile NsFs NsInode NsLink NullFile
  NullOpener
  ObjectRanks OciFilter OomKiller OpenAttr OpenGroupFile Output OverlayDirFile OverlayDirectory
  OverlayFile OverlayFs OverlayNode OverlayType OwnMemory
  PacketCounter PacketDump PacketFamily PacketRing PacketSocket PacketTable PageMap PagemapFile
  PagemapInode PassWaiter PatchedSites Path PathFile PeakSampler PeerCredentials PeerGroup Pending
  PendingExec PendingFault PendingSignals PermissionRequest PiState Pid PidFd PidNamespace
  PidsState PingSocket Pipe PipeFile PlaceLink PolledRandomFile PortIds PortTable PosixTimer
  PrefixRoutes ProcConnector ProcFacts ProcFs ProcFsType ProcKmsgFile ProcRootDir ProcessGroup
  ProcessTimers ProgramAddresses ProgramBreak Progress ProtocolTable PtmxInode PtmxNodeOpener
  PtmxOpener
  QueueCaller QueuedMessage
  RamFs RamFsType RandomFile RandomOpener RangeWork RawSocket RealTimer Reaper RecordWait
  RecordedPages Registration RequestFiles ReservedPorts Restrictions RetireTimer Retirement Retry
  ReuseGroup RightsInFlight RingFds RouteTable Routes RowSteps RuleTable RulesetFile RunQueue
  SandboxAccounts SandboxKernel SchedAttributes SeccompListener SecretBacking SecretFile SecretFs
  SecretInode SecretStore Segment SelfLink SemOperations SemUndoList SemaphoreSet Semaphores
  Session SetPasses SetgroupsFile ShareSweep SharedAnon SharedLayout SharedMemory ShmIdentity
  ShmMemory ShmSegment SigInfo SigSet SignalAction SignalFile SignalHandlers SignalNotifier
  SignalledHolder SilentNotifier SlaveFile SlaveInode SlaveOpener SocketCounts SocketGroups
  SocketIndex SocketOptions SocketWalk SpecialFiles SqPoller Sqe StackImage StoredInode StreamQueue
  StringList StringLists StringPiece SyncWork SysFs SysFsType SysSourceText SyscallArgs SysctlFile
  SysctlStore SystemText
  Taps Task TaskDelay TaskDir TaskIpcUser TaskKeyrings TaskNetworks TaskPid TaskRef TaskSignals
  TaskStats TaskTerminalHooks TaskText TaskTextFile TaskTimeout TaskWaiter TcpCounters TcpOptions
  TcpSequence TcpTally TcpTimer Terminal TerminalSettings Terminals TextFile ThreadGroup ThreadsDir
  TimeNamespace TimerFile TimerQueue TmpfsBacking TmpfsDirFile TmpfsDirectory TmpfsFile TmpfsFs
  TmpfsNode TmpfsRegular TmpfsSymlink TmpfsType Trace Traffic TransferCounts TransportTables
  TtyOpener TurnAccount TurnAccounts TurnNode TurnServer
  UdpCounters UdpLiteSocket UdpOptions UdpSocket Unanswered UnixDgram UnixDump UnixFamily
  UnixSeqpacket UnixStream UnixTable UrgentMark UrgentSignals Uring UringMemory Usage UserCursor
  UserKeyrings UserNamespace Userfault UserfaultDevice UserfaultFile UserfaultOpener UtsNamespace
  Vfs View Vma VmaList
  WaitQueue WaitSet WaitingSemop WatchList WatchersEnd WatchesEnd Worker
  ZeroBacking ZeroFile ZeroOpener
`).trim().split(/\s+/);
