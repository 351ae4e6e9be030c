/**
 * The table of state: each class whose objects a snapshot saves, and the names of their fields in
 * the order in which an object gets them. `deno task state` makes this file of the sources.
 */

import { AioContext, AioContexts, AioEvent, AioPoll } from "../aio/aio.ts";
import { AioRing } from "../aio/aio_ring.ts";
import { BpfProgramFile } from "../bpf/bpf_program_file.ts";
import { BpfProgram } from "../bpf/classic_program.ts";
import { EbpfProgram } from "../bpf/ebpf_program.ts";
import { Bandwidth } from "../cgroup/bandwidth.ts";
import { BpfPrograms, LoadedProgram } from "../cgroup/bpf_programs.ts";
import { Cgroup } from "../cgroup/cgroup.ts";
import { ChargeShare } from "../cgroup/charge_share.ts";
import { FrameCharges, ShareSweep } from "../cgroup/charges.ts";
import { ContainerMemory } from "../cgroup/container_memory.ts";
import { CpuState } from "../cgroup/cpu.ts";
import { CpusetState } from "../cgroup/cpuset.ts";
import { TaskDelay } from "../cgroup/delay.ts";
import { DeviceState, GroupDevicePolicy } from "../cgroup/devices.ts";
import { FileOfGroup, Handle } from "../cgroup/files.ts";
import { FreezeState, FreezeWatch } from "../cgroup/freezer.ts";
import { CgroupFs, CgroupView, GroupDir } from "../cgroup/fs/cgroup_fs.ts";
import { GroupFileInode, OpenGroupFile } from "../cgroup/fs/group_file.ts";
import { ChangeSignal } from "../cgroup/fs/group_node.ts";
import { GroupXattrs } from "../cgroup/fs/group_xattrs.ts";
import { GroupSet } from "../cgroup/group_set.ts";
import { Cgroups, Hierarchy } from "../cgroup/hierarchy.ts";
import { DeviceIo, IoCharges, IoRate, IoState } from "../cgroup/io.ts";
import { CgroupType, LegacyView } from "../cgroup/legacy_mount.ts";
import { MemoryEvents, MemoryState } from "../cgroup/memory.ts";
import { HighLimit } from "../cgroup/memory_high.ts";
import { Cgroup2Type } from "../cgroup/mount_types.ts";
import { CgroupNamespace } from "../cgroup/namespace.ts";
import { PidsState } from "../cgroup/pids.ts";
import { View } from "../cgroup/view.ts";
import { Containment } from "../containment.ts";
import { Account } from "../core/account.ts";
import { DeferredWork } from "../core/deferred_work.ts";
import { Fifo } from "../core/fifo.ts";
import { WaitQueue } from "../core/wait.ts";
import { ChargesEnd, GroupLists } from "../cred/group_lists.ts";
import { GroupSort } from "../cred/group_sort.ts";
import { NamespaceCounts } from "../cred/namespace_counts.ts";
import { Pid } from "../cred/pid.ts";
import { TimeNamespace } from "../cred/time_namespace.ts";
import { UserNamespace } from "../cred/user_namespace.ts";
import { EpollFile, ItemsEnd } from "../epoll/epoll_file.ts";
import { EpollItem } from "../epoll/epoll_item.ts";
import { FairTurns } from "../fair_turns.ts";
import { FanEvent, InfoRecord } from "../fanotify/event.ts";
import { FanotifyFile } from "../fanotify/group_file.ts";
import { GroupMarks } from "../fanotify/marks_of_group.ts";
import { PermissionRequest } from "../fanotify/permission_request.ts";
import { MqueueType, OverlayType, RamFsType, TmpfsType } from "../file_systems.ts";
import { AnonFiles, AnonFs, AnonInode } from "../fs/anonfd/anon_inode.ts";
import { EventFile } from "../fs/anonfd/eventfd.ts";
import { Event, InotifyFile, InotifyWatch, WatchesEnd } from "../fs/anonfd/inotify.ts";
import { Expiry, TimerFile } from "../fs/anonfd/timerfd.ts";
import {
  FullOpener,
  KmsgOpener,
  NullOpener,
  RandomOpener,
  UserfaultOpener,
  ZeroOpener,
} from "../fs/devfs/devices.ts";
import { DevtmpfsFs, DevtmpfsType } from "../fs/devfs/devtmpfs.ts";
import {
  ControlOpener,
  LoopControlFile,
  LoopDevice,
  LoopDevices,
  LoopFile,
  LoopOpener,
} from "../fs/devfs/loop.ts";
import {
  FullFile,
  KmsgFile,
  NullFile,
  PolledRandomFile,
  RandomFile,
  UserfaultDevice,
  ZeroFile,
} from "../fs/devfs/memory_devices.ts";
import { ByteQueue } from "../fs/devpts/byte_queue.ts";
import { DevptsFs, DevptsType } from "../fs/devpts/devpts_fs.ts";
import { EchoQueue } from "../fs/devpts/echo_queue.ts";
import { DevptsDirFile, DevptsRoot, PtmxInode, SlaveInode } from "../fs/devpts/inodes.ts";
import { InputQueue } from "../fs/devpts/input_queue.ts";
import { LineDiscipline } from "../fs/devpts/line_discipline.ts";
import { MasterFile } from "../fs/devpts/master_file.ts";
import {
  ConsoleOpener,
  PtmxNodeOpener,
  PtmxOpener,
  SlaveOpener,
  Terminals,
  TtyOpener,
} from "../fs/devpts/openers.ts";
import { Output } from "../fs/devpts/output.ts";
import { SlaveFile } from "../fs/devpts/slave_file.ts";
import { Terminal } from "../fs/devpts/terminal.ts";
import { TerminalSettings } from "../fs/devpts/termios.ts";
import { FsTypes } from "../fs/fs_types.ts";
import { FixedDir, GeneratedDirFile } from "../fs/generated/generated_dir.ts";
import { FixedLink } from "../fs/generated/generated_inode.ts";
import { TextFile } from "../fs/generated/text_inode.ts";
import { GoferBacking } from "../fs/gofer/backing.ts";
import { GoferDirFile } from "../fs/gofer/dir_file.ts";
import { GoferDirectory } from "../fs/gofer/directory.ts";
import { DonatedFile } from "../fs/gofer/donated_file.ts";
import { GoferFs } from "../fs/gofer/gofer_fs.ts";
import { Listing } from "../fs/gofer/listing.ts";
import { GoferNode, GoferSymlink } from "../fs/gofer/nodes.ts";
import { GoferRegular } from "../fs/gofer/regular.ts";
import { GoferFile } from "../fs/gofer/regular_file.ts";
import { HostFile } from "../fs/hostfd/host_file.ts";
import { HostFdFs, HostFdInode, HostFdOpener } from "../fs/hostfd/host_inode.ts";
import { CopyBuffer } from "../fs/overlay/copy_data.ts";
import { Merge, OverlayDirFile } from "../fs/overlay/dir_file.ts";
import { OverlayDirectory } from "../fs/overlay/directory.ts";
import { Emptying } from "../fs/overlay/emptying.ts";
import { LayerListing } from "../fs/overlay/layers.ts";
import { OverlayNode } from "../fs/overlay/node.ts";
import { OverlayFile } from "../fs/overlay/overlay_file.ts";
import { OverlayFs } from "../fs/overlay/overlay_fs.ts";
import { DeviceDir, DevicesDir, DeviceText } from "../fs/sysfs/net_devices.ts";
import { CpuText, MountPlace, SysFs, SysFsType, SysSourceText } from "../fs/sysfs/sysfs.ts";
import { DirEntries, DirEntry, EntryCursor } from "../fs/tmpfs/dir_entries.ts";
import { TmpfsDirFile } from "../fs/tmpfs/dir_file.ts";
import { TmpfsDirectory } from "../fs/tmpfs/directory.ts";
import { FileData } from "../fs/tmpfs/file_data.ts";
import { FilePages } from "../fs/tmpfs/file_pages.ts";
import { MemfdStore } from "../fs/tmpfs/memfd.ts";
import { TmpfsNode, TmpfsSymlink } from "../fs/tmpfs/nodes.ts";
import { RamFs } from "../fs/tmpfs/ramfs.ts";
import { FileRecords } from "../fs/tmpfs/records/file_records.ts";
import { InodeRecord, RecordedPages } from "../fs/tmpfs/records/inode_record.ts";
import { TmpfsRegular } from "../fs/tmpfs/regular.ts";
import { TmpfsBacking, TmpfsFile } from "../fs/tmpfs/regular_file.ts";
import {
  SecretBacking,
  SecretFile,
  SecretFs,
  SecretInode,
  SecretStore,
} from "../fs/tmpfs/secret.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { PiState } from "../futex/futex_pi.ts";
import { FutexTable, FutexWaiter } from "../futex/futex_table.ts";
import { WaitSet } from "../futex/futex_waitv.ts";
import { ByteRing } from "../ipc/byte_ring.ts";
import { CookieNotifier, SignalNotifier, SilentNotifier } from "../ipc/calls/mq_notify.ts";
import { QueueCaller } from "../ipc/calls/mqueue.ts";
import { WaitingSemop } from "../ipc/calls/sem.ts";
import { FifoOpen, FifoOpener } from "../ipc/fifo.ts";
import { HostFifoOpener, Retry } from "../ipc/host_fifo.ts";
import { IpcLimits } from "../ipc/ipc_limits.ts";
import { IpcNamespace } from "../ipc/ipc_namespace.ts";
import { MessageQueue, QueuedMessage } from "../ipc/mqueue/message_queue.ts";
import { MqueueFile } from "../ipc/mqueue/mqueue_file.ts";
import { MqueueDirectory, MqueueFs } from "../ipc/mqueue/mqueue_fs.ts";
import { Pipe, PipeFile } from "../ipc/pipe.ts";
import { IpcTable } from "../ipc/sysv/ipc_object.ts";
import { IpcMessage, IpcMessageQueue, IpcMessages } from "../ipc/sysv/messages.ts";
import { SemUndoList } from "../ipc/sysv/sem_undo.ts";
import { Semaphores, SemaphoreSet, SemOperations } from "../ipc/sysv/semaphores.ts";
import { SharedMemory, ShmIdentity, ShmMemory, ShmSegment } from "../ipc/sysv/shm.ts";
import { Job, JobDeadline } from "../job/job.ts";
import { JobCpu } from "../job/job_cpu.ts";
import { JobCpuLimit } from "../job/job_cpu_limit.ts";
import { JobKill } from "../job/job_kill.ts";
import { JobMemory } from "../job/job_memory.ts";
import { PeakSampler } from "../job/peak_sampler.ts";
import { SandboxKernel } from "../kernel.ts";
import { Key, KeyUser } from "../keys/key.ts";
import { KeyStore, Reaper } from "../keys/key_store.ts";
import { TaskKeyrings } from "../keys/task_keyrings.ts";
import { UserKeyrings } from "../keys/user_keyrings.ts";
import { RulesetFile } from "../landlock/calls/landlock.ts";
import { Domain, RuleTable } from "../landlock/domain.ts";
import { HeldFile } from "../loader/load.ts";
import { StackImage } from "../loader/stack_image.ts";
import { StringList, StringPiece } from "../loader/string_list.ts";
import { Loop } from "../loop.ts";
import { MemoryCounters, MemoryLimits } from "../mm/accounting.ts";
import { AddressLayout } from "../mm/address_layout.ts";
import { ProgramBreak } from "../mm/brk.ts";
import { ChangeLock } from "../mm/change_lock.ts";
import { UserCursor } from "../mm/cursor.ts";
import { FileMappings, Registration } from "../mm/file_mappings.ts";
import { ForkCopies } from "../mm/fork.ts";
import { ForkWork } from "../mm/fork_slices.ts";
import { FrameAllocator } from "../mm/frames.ts";
import { Layouts, SharedLayout } from "../mm/layouts.ts";
import { LeavingSpace, LeavingSpaces } from "../mm/leaving_spaces.ts";
import { MemPolicy } from "../mm/mem_policy.ts";
import { EndsOfSpaces, MemoryContext } from "../mm/memory_context.ts";
import { MemoryManager, ProgramAddresses } from "../mm/memory_manager.ts";
import { PageMap } from "../mm/pages.ts";
import { PatchedSites } from "../mm/patched_sites.ts";
import { SharedAnon } from "../mm/shared_anon.ts";
import { Vma, VmaList } from "../mm/vma.ts";
import { ZeroBacking } from "../mm/zero_backing.ts";
import { Backlog } from "../net/backlog.ts";
import { Datagram, DatagramQueue, ExtendedError } from "../net/datagram_queue.ts";
import { InetFamily } from "../net/families.ts";
import { HostSocket, HostSocketWatch } from "../net/host/host_socket.ts";
import { Endpoint } from "../net/inet/address.ts";
import { PingSocket } from "../net/inet/icmp/ping_socket.ts";
import { Unanswered } from "../net/inet/icmp/unanswered.ts";
import { IpOptions } from "../net/inet/ip/ip_options.ts";
import { LoopbackTransport } from "../net/inet/loopback_transport.ts";
import { SocketGroups } from "../net/inet/multicast/socket_groups.ts";
import { InetPorts, PortTable, ReservedPorts } from "../net/inet/ports.ts";
import { RawSocket } from "../net/inet/raw/raw_socket.ts";
import { ReuseGroup } from "../net/inet/reuse_port.ts";
import { LoopbackTcp } from "../net/inet/tcp/loopback_tcp.ts";
import { TcpSequence } from "../net/inet/tcp/shown_segments.ts";
import { Deferral } from "../net/inet/tcp/tcp_defer.ts";
import { FastOpen } from "../net/inet/tcp/tcp_fastopen.ts";
import { TcpTally } from "../net/inet/tcp/tcp_info.ts";
import { TcpOptions } from "../net/inet/tcp/tcp_options.ts";
import { TcpTimer } from "../net/inet/tcp/tcp_timer.ts";
import { UrgentMark } from "../net/inet/tcp/urgent_mark.ts";
import { UdpLiteSocket } from "../net/inet/udp/udp_lite.ts";
import { UdpOptions } from "../net/inet/udp/udp_options.ts";
import { UdpSocket } from "../net/inet/udp/udp_socket.ts";
import { AddressIndex } from "../net/link/address_index.ts";
import { Link } from "../net/link/link.ts";
import { LinkGroups, Membership } from "../net/link/link_groups.ts";
import { FamilySettings, LinkSettings } from "../net/link/link_settings.ts";
import { LinkTable } from "../net/link/link_table.ts";
import { FamilyRoutes, PrefixRoutes, RouteTable } from "../net/link/route_table.ts";
import { PeerCredentials } from "../net/message.ts";
import { NetNamespace } from "../net/net_namespace.ts";
import { NetSettingsView } from "../net/net_settings.ts";
import { NetShared } from "../net/net_shared.ts";
import { AddressDump } from "../net/netlink/addresses.ts";
import { DiagFilter } from "../net/netlink/diag_filter.ts";
import { InetDump } from "../net/netlink/diag_inet.ts";
import { NetlinkDump, PacketDump, UnixDump } from "../net/netlink/diag_local.ts";
import { DumpSequence } from "../net/netlink/dump.ts";
import { NetlinkFamily } from "../net/netlink/family.ts";
import { GenericFamilies } from "../net/netlink/generic.ts";
import { LinksDump } from "../net/netlink/links.ts";
import { NeighbourDump } from "../net/netlink/neighbours.ts";
import { NetlinkSocket } from "../net/netlink/netlink_socket.ts";
import { ProcConnector } from "../net/netlink/proc_connector.ts";
import { NetlinkProtocol, PortIds } from "../net/netlink/protocol.ts";
import { LocalRouteDump, MainRouteDump } from "../net/netlink/routes.ts";
import { NetlinkRequest } from "../net/netlink/writer.ts";
import { BlockRing, RetireTimer } from "../net/packet/block_ring.ts";
import { PacketFamily } from "../net/packet/family.ts";
import { Fanout } from "../net/packet/fanout.ts";
import { Memberships } from "../net/packet/memberships.ts";
import { PacketRing } from "../net/packet/packet_ring.ts";
import { PacketSocket } from "../net/packet/packet_socket.ts";
import { Taps } from "../net/packet/taps.ts";
import { AllRights, Collection, Dropping, Drops, RightsInFlight } from "../net/rights.ts";
import { SocketIndex, SocketWalk } from "../net/socket_index.ts";
import { SocketOptions } from "../net/socket_options.ts";
import {
  IpCounters,
  MessageCounter,
  PacketCounter,
  TcpCounters,
  Traffic,
  UdpCounters,
} from "../net/traffic/counters.ts";
import { UnixDgram } from "../net/unix/dgram.ts";
import { UnixFamily } from "../net/unix/family.ts";
import { HostEnd, HostEndWatch } from "../net/unix/host_end.ts";
import { HostListener } from "../net/unix/host_listener.ts";
import { UnixSeqpacket } from "../net/unix/seqpacket.ts";
import { UnixStream } from "../net/unix/stream.ts";
import { Segment, StreamQueue } from "../net/unix/stream_queue.ts";
import { AbstractNames } from "../net/unix/unix_names.ts";
import { OomKiller } from "../oom/oom_killer.ts";
import { AreaTextFile } from "../proc/fs/area_text.ts";
import { AttrDir, AttrFile, OpenAttr } from "../proc/fs/attr_dir.ts";
import { FdDir, FdinfoDir, FdinfoFile } from "../proc/fs/fd_dirs.ts";
import { IdMapFile, IdMapText, SetgroupsFile } from "../proc/fs/id_map_files.ts";
import { KmsgInode, ProcKmsgFile } from "../proc/fs/kmsg_file.ts";
import { FdLink, PlaceLink } from "../proc/fs/magic_link.ts";
import { MapFileLink, MapFilesDir } from "../proc/fs/map_files_dir.ts";
import { MemFile, MemInode } from "../proc/fs/mem_file.ts";
import { MemoryUse } from "../proc/fs/memory_use.ts";
import { MountsFile, MountsInode, MountSteps } from "../proc/fs/mounts_files.ts";
import { NetDir, NetText, NetTextFile } from "../proc/fs/net_dir.ts";
import { LinkDir, LinkInode, LinksDir, NetSettingsDir } from "../proc/fs/net_settings_dirs.ts";
import { NetTables } from "../proc/fs/net_tables.ts";
import { NsFile, NsFs, NsInode } from "../proc/fs/ns_fs.ts";
import { NsDir, NsLink } from "../proc/fs/ns_links.ts";
import { PagemapFile, PagemapInode } from "../proc/fs/pagemap_file.ts";
import { ProcFs, ProcFsType } from "../proc/fs/procfs.ts";
import { ProcRootDir, SelfLink, SystemText } from "../proc/fs/root_dir.ts";
import { LiveInode } from "../proc/fs/sysctl_dirs.ts";
import { StoredInode, SysctlFile } from "../proc/fs/sysctl_inode.ts";
import { SysctlStore } from "../proc/fs/sysctl_store.ts";
import { TaskDir, ThreadsDir } from "../proc/fs/task_dir.ts";
import { TaskRef } from "../proc/fs/task_ref.ts";
import { MemoryText, MemoryTextFile, TaskText, TaskTextFile } from "../proc/fs/task_text.ts";
import { DeviceGroupTable, GroupTable } from "../proc/group_tables.ts";
import { InetTable, SocketCounts } from "../proc/inet_tables.ts";
import { ProcFacts } from "../proc/proc_facts.ts";
import { KernelProcSource } from "../proc/proc_source.ts";
import { ProtocolTable } from "../proc/protocol_table.ts";
import { CountSteps, RowSteps } from "../proc/socket_table.ts";
import {
  Inet6Addresses,
  NetlinkTable,
  PacketTable,
  Routes,
  TransportTables,
  UnixTable,
} from "../proc/socket_tables.ts";
import { DebugRegisters } from "../ptrace/debug_registers.ts";
import { Trace } from "../ptrace/trace.ts";
import { FilterTracer } from "../ptrace/traced_calls.ts";
import { RunQueue } from "../run_queue.ts";
import { Pending } from "../seccomp/await_verdict.ts";
import { BpfFilter } from "../seccomp/bpf_filter.ts";
import { SeccompListener } from "../seccomp/listener_file.ts";
import { Notification, Notifier } from "../seccomp/notifier.ts";
import { OciFilter } from "../seccomp/oci_filter.ts";
import { ManyKills } from "../signal/calls/send.ts";
import { SignalAction, SignalHandlers } from "../signal/handlers.ts";
import { Entry, PendingSignals, SigInfo } from "../signal/pending.ts";
import { SignalFile } from "../signal/signal_file.ts";
import { SigSet } from "../signal/sigset.ts";
import { TaskSignals } from "../signal/task_signals.ts";
import { ContextFile } from "../syscalls/fs/mount_context.ts";
import { MountFile } from "../syscalls/fs/mount_file.ts";
import { SyncWork } from "../syscalls/fs/sync.ts";
import { AsyncListener, UrgentSignals } from "../syscalls/io/async.ts";
import { DirectorySignal } from "../syscalls/io/dnotify.ts";
import { SignalledHolder } from "../syscalls/io/lease.ts";
import { MoveEnd } from "../syscalls/io/move_bytes.ts";
import { FileOwner } from "../syscalls/io/owner.ts";
import { ArrayPasses } from "../syscalls/io/poll.ts";
import { PassWaiter } from "../syscalls/io/poll_passes.ts";
import { FdSets, SetPasses } from "../syscalls/io/select.ts";
import { RangeWork } from "../syscalls/mm/ranges.ts";
import { ListReader, StringLists } from "../syscalls/process/exec.ts";
import { ContainerAccounts, SandboxAccounts } from "../task/accounts.ts";
import { CallRecord } from "../task/call_record.ts";
import { Container } from "../task/container.ts";
import { CpuClock } from "../task/cpu_clock.ts";
import { TaskIpcUser } from "../task/ipc_user.ts";
import { CpuIntervalTimer, CpuLimitTimer, RealTimer } from "../task/itimers.ts";
import { HelperEnd } from "../task/key_helper.ts";
import { Limits } from "../task/limits.ts";
import { LoadAverage } from "../task/load_average.ts";
import { Namespaces } from "../task/namespaces.ts";
import { TaskNetworks } from "../task/net_finder.ts";
import { ObjectRanks } from "../task/object_ranks.ts";
import { PendingExec } from "../task/pending_exec.ts";
import { PidNamespace, TaskPid } from "../task/pid_namespace.ts";
import { PidFd } from "../task/pidfd.ts";
import { PosixTimer } from "../task/posix_timer.ts";
import { ProcessTimers } from "../task/process_timers.ts";
import { Progress } from "../task/progress.ts";
import { SchedAttributes } from "../task/sched_attributes.ts";
import { Task } from "../task/task.ts";
import { TaskStats } from "../task/task_stats.ts";
import { TaskTimeout, TaskWaiter } from "../task/task_wait.ts";
import { TaskTerminalHooks } from "../task/terminal_hooks.ts";
import { ProcessGroup, Session, ThreadGroup, Usage } from "../task/thread_group.ts";
import { TransferCounts } from "../task/transfer_counts.ts";
import {
  ContainerNode,
  GroupNode,
  TurnAccount,
  TurnAccounts,
  TurnNode,
} from "../task/turn_account.ts";
import { UtsNamespace } from "../task/uts.ts";
import { TimerQueue } from "../time/timer.ts";
import { TurnServer } from "../turn_server.ts";
import { MappedMemory, OwnMemory } from "../uring/buffer_memory.ts";
import { BufferList, BufferRing } from "../uring/buffers.ts";
import { RingFds } from "../uring/registered_rings.ts";
import { FileTable, FixedBuffer, FixedFile } from "../uring/resources.ts";
import { Restrictions } from "../uring/restrictions.ts";
import { Uring } from "../uring/ring.ts";
import { UringMemory } from "../uring/ring_memory.ts";
import { SqPoller } from "../uring/sq_poller.ts";
import { Sqe } from "../uring/sqe.ts";
import { RequestFiles, Worker } from "../uring/worker.ts";
import { AwaitedFault, MonitorEvent, PendingFault, Userfault } from "../userfault/userfault.ts";
import { UserfaultFile } from "../userfault/userfault_file.ts";
import { Dentry, Mount, Path, Retirement } from "../vfs/dentry.ts";
import { DentryCache, FileSystemEnd, ForgetTree } from "../vfs/dentry_cache.ts";
import { DeviceNumbers } from "../vfs/device_numbers.ts";
import { FdTable } from "../vfs/fd_table.ts";
import { FileHandles } from "../vfs/file_handles.ts";
import { FileLock, FileLocks, LockAges } from "../vfs/file_locks.ts";
import { FsContext } from "../vfs/fs_context.ts";
import { Lease, Leases } from "../vfs/leases.ts";
import { LockWait, LockWaits, RecordWait } from "../vfs/lock_waits.ts";
import { LongWalk } from "../vfs/long_walk.ts";
import { Mark } from "../vfs/marks.ts";
import { MountPaths } from "../vfs/mount_paths.ts";
import { MountNamespace } from "../vfs/mounts.ts";
import { WatchersEnd } from "../vfs/open_file.ts";
import { PathFile } from "../vfs/path_file.ts";
import { AskedQuestions } from "../vfs/permission_events.ts";
import { PeerGroup } from "../vfs/propagation.ts";
import { SpecialFiles } from "../vfs/special_files.ts";
import { Vfs } from "../vfs/vfs.ts";
import { WatchList } from "../vfs/watch_list.ts";
import { SyscallArgs } from "../../platform/platform.ts";
import { type StateRow, stateRow } from "./state_row.ts";

export const STATE_TABLE: readonly StateRow[] = [
  stateRow(AbstractNames, "AbstractNames", "names lastAutobind"),
  stateRow(Account, "Account", "parent counts bytes bytesMax share members isClosed"),
  stateRow(AddressDump, "AddressDump", "request table families index pass link item"),
  stateRow(AddressIndex, "AddressIndex", "byAddress byBroadcast"),
  stateRow(AddressLayout, "AddressLayout", "maxAddress stackTop pieBase brkGap mmapShift"),
  stateRow(AioContext, "AioContext", "account id ring wanted waitQueue isDestroyed polls"),
  stateRow(AioContexts, "AioContexts", "byId"),
  stateRow(AioEvent, "AioEvent", "dataLo dataHi obj result eventFile"),
  stateRow(AioPoll, "AioPoll", "queue prev next mask exclusive declined context file event wanted"),
  stateRow(
    AioRing,
    "AioRing",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd frames base bytes fileStart refs places words tail",
  ),
  stateRow(
    AllRights,
    "AllRights",
    "queues waiting counts last deferred collection closed dropping",
  ),
  stateRow(AnonFiles, "AnonFiles", "pipes others pids nextId"),
  stateRow(
    AnonFs,
    "AnonFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root lastIno",
  ),
  stateRow(
    AnonInode,
    "AnonInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs protocolName",
  ),
  stateRow(
    AreaTextFile,
    "AreaTextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode ref mm name chunk chunkAt next count total isAtEnd",
  ),
  stateRow(
    ArrayPasses,
    "ArrayPasses",
    "count at ready isWatched isWoken isAsleep isInterrupted isLast result lastQueue lastMask addr",
  ),
  stateRow(AskedQuestions, "AskedQuestions", "questions created"),
  stateRow(
    AsyncListener,
    "AsyncListener",
    "queue prev next mask exclusive declined prevWatcher nextWatcher deferred file fd",
  ),
  stateRow(
    AttrDir,
    "AttrDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent",
  ),
  stateRow(
    AttrFile,
    "AttrFile",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref",
  ),
  stateRow(AwaitedFault, "AwaitedFault", "handler page address flags"),
  stateRow(Backlog, "Backlog", "max sockets taken"),
  stateRow(
    Bandwidth,
    "Bandwidth",
    "deadlineNs index owner periodEndNs leftNs usedNs usedAtStartNs pauseNs throttledSinceNs",
  ),
  stateRow(
    BlockRing,
    "BlockRing",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd frames base bytes fileStart refs owner blockBytes count start reserve timeoutNs timer block isOpen sequence freezes packets next last firstSec firstNsec lastSec lastNsec isLosing",
  ),
  stateRow(
    BpfFilter,
    "BpfFilter",
    "prev account count pathLength isLogging isKillableOnly notifier users events table program entry constant verdict linuxLength",
  ),
  stateRow(BpfProgram, "BpfProgram", "length op jt jf k source dialect"),
  stateRow(
    BpfProgramFile,
    "BpfProgramFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode program",
  ),
  stateRow(BpfPrograms, "BpfPrograms", "byId lastId"),
  stateRow(BufferList, "BufferList", "account atOnce list"),
  stateRow(BufferRing, "BufferRing", "account atOnce memory entries isSliced cost head"),
  stateRow(ByteQueue, "ByteQueue", "limit length bytes mask head"),
  stateRow(ByteRing, "ByteRing", "frames limit length base size head"),
  stateRow(CallRecord, "CallRecord", "observer count tids numbers unknown"),
  stateRow(
    Cgroup,
    "Cgroup",
    "account hierarchy parent name depth children isGone inode ownTasks tasks descendants subtreeControl threadedIn threadedChildren maxDepth maxDescendants events freeze cpu io pids memory cpuset devices files filesFor",
  ),
  stateRow(Cgroup2Type, "Cgroup2Type", "isNoDev isForUsers shows name kernel"),
  stateRow(
    CgroupFs,
    "CgroupFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry host fileSize fileBlockSize lastIno type magic createError makeError root options",
  ),
  stateRow(
    CgroupNamespace,
    "CgroupNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind roots",
  ),
  stateRow(CgroupType, "CgroupType", "isNoDev isForUsers shows name kernel"),
  stateRow(
    CgroupView,
    "CgroupView",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root whole",
  ),
  stateRow(
    Cgroups,
    "Cgroups",
    "kernel account unified legacy limits chargeId stillGroups isMachine lastId",
  ),
  stateRow(ChangeLock, "ChangeLock", "owner queue start end"),
  stateRow(ChangeSignal, "ChangeSignal", "count queue file dir name"),
  stateRow(ChargeShare, "ChargeShare", "ownerId container sharer base baseId pages"),
  stateRow(ChargesEnd, "ChargesEnd", "items unitsEach next"),
  stateRow(Collection, "Collection", "items unitsEach next isUnderWay"),
  stateRow(ConsoleOpener, "ConsoleOpener", "host terminals"),
  stateRow(
    Container,
    "Container",
    "id pids mounts ns accounts layouts init groups isFrozen isInitHeld memory template turnWeight tasksMax hostThreadsMax",
  ),
  stateRow(
    ContainerAccounts,
    "ContainerAccounts",
    "all groupLists sandbox users sweepAt ownBytesMax",
  ),
  stateRow(ContainerMemory, "ContainerMemory", "memoryMax chargedPages container charges ownerId"),
  stateRow(ContainerNode, "ContainerNode", "parent active timeNs levelNs tasks groups container"),
  stateRow(
    Containment,
    "Containment",
    "count kernel panicOnBug hasStacks sink condemned faultsOfEnd isDue reports unblamed windowNs",
  ),
  stateRow(
    ContextFile,
    "ContextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode type userNs picked phase source isReadOnly options made optionBytes charged",
  ),
  stateRow(ControlOpener, "ControlOpener", "devices"),
  stateRow(CookieNotifier, "CookieNotifier", "files group signo kind socket cookie"),
  stateRow(CopyBuffer, "CopyBuffer", "payer frames frame bytes"),
  stateRow(CountSteps, "CountSteps", "text table walk numbers"),
  stateRow(
    CpuClock,
    "CpuClock",
    "nowNs share trapNs endedUserNs endedSystemNs endedSwitches loadAverage accounts",
  ),
  stateRow(
    CpuIntervalTimer,
    "CpuIntervalTimer",
    "deadlineNs index queue targetNs turn seenNs idleLooks group isVirtual intervalNs",
  ),
  stateRow(
    CpuLimitTimer,
    "CpuLimitTimer",
    "deadlineNs index queue targetNs turn seenNs idleLooks group",
  ),
  stateRow(
    CpuState,
    "CpuState",
    "userNs systemNs weight isIdle quotaUs periodUs burstUs periods throttles throttledNs group bandwidth",
  ),
  stateRow(
    CpuText,
    "CpuText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source cpu file",
  ),
  stateRow(CpusetState, "CpusetState", "cpus mems"),
  stateRow(
    Datagram,
    "Datagram",
    "length from rights credentials to link hops trafficClass options aux segment error timeSec timeNsec",
  ),
  stateRow(DatagramQueue, "DatagramQueue", "account ring messages taken"),
  stateRow(DebugRegisters, "DebugRegisters", "addresses status control seen"),
  stateRow(Deferral, "Deferral", "deadlineNs index listener server startNs tries"),
  stateRow(DeferredWork, "DeferredWork", "server left fresh isBeginning isStepping"),
  stateRow(
    Dentry,
    "Dentry",
    "name parent inode fs children isHashed isUnlinked mountCount pins holdsInode lruPrev lruNext wasUsed",
  ),
  stateRow(DentryCache, "DentryCache", "deferred maxUnused count newest oldest"),
  stateRow(
    DeviceDir,
    "DeviceDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated children parent isFixed",
  ),
  stateRow(DeviceGroupTable, "DeviceGroupTable", "net"),
  stateRow(DeviceIo, "DeviceIo", "dev reads writes"),
  stateRow(DeviceNumbers, "DeviceNumbers", "minor"),
  stateRow(DeviceState, "DeviceState", "programs flags group"),
  stateRow(
    DeviceText,
    "DeviceText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source device file",
  ),
  stateRow(
    DevicesDir,
    "DevicesDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source parent areLinks known",
  ),
  stateRow(
    DevptsDirFile,
    "DevptsDirFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(
    DevptsFs,
    "DevptsFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root host hooks options ptmx slaveOpener slaves",
  ),
  stateRow(
    DevptsRoot,
    "DevptsRoot",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs",
  ),
  stateRow(DevptsType, "DevptsType", "isNoDev isForUsers shows name vfs hooks"),
  stateRow(
    DevtmpfsFs,
    "DevtmpfsFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root frames host isRam maxPages maxInodes usedPages usedInodes refusedWrites lastIno defaultPages defaultInodes ending records vfs loops",
  ),
  stateRow(DevtmpfsType, "DevtmpfsType", "isNoDev isForUsers shows name frames vfs loops"),
  stateRow(DiagFilter, "DiagFilter", "dv"),
  stateRow(DirEntries, "DirEntries", "nextCookie byName order source"),
  stateRow(DirEntry, "DirEntry", "name inode ino cookie isRemoved"),
  stateRow(DirectorySignal, "DirectorySignal", "account inode mask file files fd isRepeated"),
  stateRow(Domain, "Domain", "parent level handled all rules refs"),
  stateRow(
    DonatedFile,
    "DonatedFile",
    "inode fd canRead canWrite account users own others isAhead isDirty backing",
  ),
  stateRow(Dropping, "Dropping", "files isUnderWay"),
  stateRow(Drops, "Drops", "items unitsEach next"),
  stateRow(DumpSequence, "DumpSequence", "request parts at"),
  stateRow(EbpfProgram, "EbpfProgram", "length op dst src off imm"),
  stateRow(EchoQueue, "EchoQueue", "bytes head tail"),
  stateRow(Emptying, "Emptying", "dir phase listing seen restarts left"),
  stateRow(Endpoint, "Endpoint", "address port scope"),
  stateRow(EndsOfSpaces, "EndsOfSpaces", "platform host sinceNs looks"),
  stateRow(Entry, "Entry", "info next before after"),
  stateRow(EntryCursor, "EntryCursor", "dir cookie"),
  stateRow(
    EpollFile,
    "EpollFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode queue items byFd setsWatched firstReady lastReady busyPoll deferred",
  ),
  stateRow(
    EpollItem,
    "EpollItem",
    "queue prev next mask exclusive declined epoll file fd events dataLo dataHi sameFileBefore sameFile isReady readyPrev readyNext prevWatcher nextWatcher",
  ),
  stateRow(Event, "Event", "wd mask cookie name"),
  stateRow(
    EventFile,
    "EventFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode isSemaphore id lo hi queue",
  ),
  stateRow(Expiry, "Expiry", "deadlineNs index file"),
  stateRow(ExtendedError, "ExtendedError", "bytes errno isIcmp"),
  stateRow(FairTurns, "FairTurns", "pending isMixed root serving"),
  stateRow(FamilyRoutes, "FamilyRoutes", "prefixes isFour list"),
  stateRow(FamilySettings, "FamilySettings", "family all forNew"),
  stateRow(FanEvent, "FanEvent", "mask path records cause process question key"),
  stateRow(
    FanotifyFile,
    "FanotifyFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode kernel initFlags eventFlags isUnprivileged isUnlimited marks events byKey isOverflown asked queue",
  ),
  stateRow(Fanout, "Fanout", "account id type flags limit members program turn"),
  stateRow(FastOpen, "FastOpen", "isTaken hasData failure"),
  stateRow(
    FdDir,
    "FdDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent area entryType",
  ),
  stateRow(
    FdLink,
    "FdLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref fd",
  ),
  stateRow(FdSets, "FdSets", "input output"),
  stateRow(
    FdTable,
    "FdTable",
    "account refs rank files used cloexec firstFree count closesFrom isEnding",
  ),
  stateRow(
    FdinfoDir,
    "FdinfoDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent area entryType",
  ),
  stateRow(
    FdinfoFile,
    "FdinfoFile",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref fd",
  ),
  stateRow(Fifo, "Fifo", "items head"),
  stateRow(FifoOpen, "FifoOpen", "file waitsForWriter opens"),
  stateRow(FifoOpener, "FifoOpener", "frames"),
  stateRow(FileData, "FileData", "pages owner space base lent"),
  stateRow(FileHandles, "FileHandles", "entries last"),
  stateRow(FileLock, "FileLock", "kind owner type start end pid account ages age"),
  stateRow(FileLocks, "FileLocks", "inode waiters generation records flocks listed"),
  stateRow(FileMappings, "FileMappings", "mm byBacking"),
  stateRow(FileOfGroup, "FileOfGroup", "name permissions group"),
  stateRow(FileOwner, "FileOwner", "type target signal uid euid domain"),
  stateRow(FilePages, "FilePages", "count runFrame first more"),
  stateRow(
    FileRecords,
    "FileRecords",
    "table space changed unrecorded made accounts uses numbers pages unclaimed",
  ),
  stateRow(FileSystemEnd, "FileSystemEnd", "fs dentries"),
  stateRow(FileTable, "FileTable", "places start end hint"),
  stateRow(FilterTracer, "FilterTracer", ""),
  stateRow(FixedBuffer, "FixedBuffer", "users isGone tag addr len"),
  stateRow(
    FixedDir,
    "FixedDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated children parent isFixed",
  ),
  stateRow(FixedFile, "FixedFile", "users isGone tag file"),
  stateRow(
    FixedLink,
    "FixedLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated target",
  ),
  stateRow(ForgetTree, "ForgetTree", "cache root isWhole levels"),
  stateRow(ForkCopies, "ForkCopies", "pages frames counts total"),
  stateRow(
    ForkWork,
    "ForkWork",
    "child isOver mm account pages areas handlers changed monitorEvents next isShared given remapped",
  ),
  stateRow(
    FrameAllocator,
    "FrameAllocator",
    "arena pool waiter charger usedBytes takenBytes tables references",
  ),
  stateRow(
    FrameCharges,
    "FrameCharges",
    "kernel tables owners freeIds shares oldShares isSweeping",
  ),
  stateRow(FreezeState, "FreezeState", "isAsked isThrottled throttledUntilNs isFrozen watch"),
  stateRow(FreezeWatch, "FreezeWatch", "deadlineNs index group pauseNs"),
  stateRow(FsContext, "FsContext", "refs rank isInExec umask namespace rootPath cwdPath"),
  stateRow(FsTypes, "FsTypes", "types"),
  stateRow(
    FullFile,
    "FullFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(FullOpener, "FullOpener", ""),
  stateRow(FutexTable, "FutexTable", "heads tails"),
  stateRow(
    FutexWaiter,
    "FutexWaiter",
    "task owner offset bitset pi piAddr target isQueued isWoken prev next",
  ),
  stateRow(
    GeneratedDirFile,
    "GeneratedDirFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(GenericFamilies, "GenericFamilies", "all"),
  stateRow(
    GoferBacking,
    "GoferBacking",
    "shown mappings isSecret isMemory canOwn inode platformFile file text",
  ),
  stateRow(
    GoferDirFile,
    "GoferDirFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode list",
  ),
  stateRow(
    GoferDirectory,
    "GoferDirectory",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs key fid wasFidUsed isForgotten isStale isBare fetchedNs placedIn parent entryName xattrs lookups wasRead scanned hits misses missing hasLostEntry",
  ),
  stateRow(
    GoferFile,
    "GoferFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode fs file",
  ),
  stateRow(
    GoferFs,
    "GoferFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root vfs client attachName ctx isExclusive leaseNs epoch epochNs copiesUp fetchedNames fids idle descriptors donated listings changes walked trees opens iovFrame rootFid inodes unheld",
  ),
  stateRow(
    GoferNode,
    "GoferNode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs key fid wasFidUsed isForgotten isStale isBare fetchedNs placedIn parent entryName xattrs listener",
  ),
  stateRow(
    GoferRegular,
    "GoferRegular",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs key fid wasFidUsed isForgotten isStale isBare fetchedNs placedIn parent entryName xattrs reader writer writableMappings isUnnamed unnamedBytes",
  ),
  stateRow(
    GoferSymlink,
    "GoferSymlink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs key fid wasFidUsed isForgotten isStale isBare fetchedNs placedIn parent entryName xattrs target",
  ),
  stateRow(GroupDevicePolicy, "GroupDevicePolicy", ""),
  stateRow(
    GroupDir,
    "GroupDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated node cgroups attributes files makerUid makerGid",
  ),
  stateRow(
    GroupFileInode,
    "GroupFileInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated file node attributes",
  ),
  stateRow(GroupLists, "GroupLists", "byHash charges"),
  stateRow(GroupMarks, "GroupMarks", "account group marks"),
  stateRow(GroupNode, "GroupNode", "parent active timeNs levelNs tasks users group"),
  stateRow(GroupSet, "GroupSet", "unified legacy"),
  stateRow(GroupSort, "GroupSort", "groups hash pieces filled heads ends"),
  stateRow(GroupTable, "GroupTable", "net file"),
  stateRow(GroupXattrs, "GroupXattrs", "account values userCount userBytes isClosed"),
  stateRow(Handle, "Handle", "file view"),
  stateRow(HeldFile, "HeldFile", "file"),
  stateRow(HelperEnd, "HelperEnd", "requester target pinned authority"),
  stateRow(Hierarchy, "Hierarchy", "id controllers name owner root fs views"),
  stateRow(HighLimit, "HighLimit", "bytes givenBytes takers"),
  stateRow(
    HostEnd,
    "HostEnd",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops names name boundPath hostSockets hostIdentity peerCredentials peer backlog fd outgoing isHeldUp isShutDown isClosed",
  ),
  stateRow(HostEndWatch, "HostEndWatch", "queue prev next mask exclusive declined end"),
  stateRow(
    HostFdFs,
    "HostFdFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root host memory lastIno",
  ),
  stateRow(
    HostFdInode,
    "HostFdInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs fd kind queue files isFifo watch armed isWatched",
  ),
  stateRow(HostFdOpener, "HostFdOpener", ""),
  stateRow(HostFifoOpener, "HostFifoOpener", "others fs timers retry"),
  stateRow(
    HostFile,
    "HostFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode isGiven hostPos",
  ),
  stateRow(
    HostListener,
    "HostListener",
    "queue prev next mask exclusive declined host fd acceptor isWatched",
  ),
  stateRow(
    HostSocket,
    "HostSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops host descriptors fd uid isAccepting hasControl isWatched backlog hostOptions wasReset",
  ),
  stateRow(
    HostSocketWatch,
    "HostSocketWatch",
    "queue prev next mask exclusive declined socket urgentBytes",
  ),
  stateRow(
    IdMapFile,
    "IdMapFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue userNs kind source",
  ),
  stateRow(
    IdMapText,
    "IdMapText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(Inet6Addresses, "Inet6Addresses", "net"),
  stateRow(InetDump, "InetDump", "request walk shown family protocol states filter"),
  stateRow(InetFamily, "InetFamily", "net family"),
  stateRow(InetPorts, "InetPorts", "tcp udp udpLite ping raw net"),
  stateRow(InetTable, "InetTable", "net family protocol"),
  stateRow(InfoRecord, "InfoRecord", "type fsid handle name"),
  stateRow(
    InodeRecord,
    "InodeRecord",
    "refs ino mode uid gid nlink size rdev blocks atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec fileFlags writeHint hasCapabilities accessAcl defaultAcl account xattrs xattrBytes charged pages entries parent target",
  ),
  stateRow(
    InotifyFile,
    "InotifyFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode events bytes watches lastWd queue deferred isClosed",
  ),
  stateRow(InotifyWatch, "InotifyWatch", "account inode mask file wd"),
  stateRow(InputQueue, "InputQueue", "bytes ends tail head lineHead"),
  stateRow(IoCharges, "IoCharges", "kernel"),
  stateRow(IoRate, "IoRate", "bytes transfers maxBytes maxTransfers paidNs"),
  stateRow(IoState, "IoState", "devices"),
  stateRow(
    IpCounters,
    "IpCounters",
    "in out inToGroups outToGroups inToAll outToAll forwarded icmpIn icmpOut udp udpLite",
  ),
  stateRow(
    IpOptions,
    "IpOptions",
    "ttl hopLimit v6Only freeBind transparent originalDestination packetInfo packetInfo6 oldPacketInfo6 oldHopLimit packetBytes6 preferences6 firstPort lastPort headerOptions receiveTtl receiveTos receiveHopLimit receiveClass groupLink4 groupAddress4 groupLink6 firstTos firstLink kept4 kept6",
  ),
  stateRow(IpcLimits, "IpcLimits", "settings"),
  stateRow(IpcMessage, "IpcMessage", "account type data"),
  stateRow(
    IpcMessageQueue,
    "IpcMessageQueue",
    "key id seq uid gid cuid cgid mode ctimeSec userNs isRemoved account maxBytes bytes stimeSec rtimeSec lastSender lastReceiver waitQueue owner messages",
  ),
  stateRow(IpcMessages, "IpcMessages", "table clock limits"),
  stateRow(
    IpcNamespace,
    "IpcNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind limits shm sem msg mq",
  ),
  stateRow(IpcTable, "IpcTable", "userNs slots byKey lastIndex seq count"),
  stateRow(ItemsEnd, "ItemsEnd", "set"),
  stateRow(
    Job,
    "Job",
    "kernel container limits groups main status memory cpu tasks isKilled isEnded listener deadline cpuLimit killing killReason endedCpuNs",
  ),
  stateRow(JobCpu, "JobCpu", "quotaUs periodUs burstUs isThrottled throttledUntilNs job bandwidth"),
  stateRow(JobCpuLimit, "JobCpuLimit", "deadlineNs index queue targetNs turn seenNs idleLooks job"),
  stateRow(JobDeadline, "JobDeadline", "deadlineNs index job"),
  stateRow(JobKill, "JobKill", "deadlineNs index kernel doomed next"),
  stateRow(
    JobMemory,
    "JobMemory",
    "memoryMax chargedPages peakBytes job kernel charges sampler shares byBase lastBaseId lastId isEnded",
  ),
  stateRow(KernelProcSource, "KernelProcSource", "release version kernel facts pids"),
  stateRow(
    Key,
    "Key",
    "account serial typeName description index user uid gid perm isInQuota chargedBytes contentBytes heldBytes payload links rings holders pins construction request isInstantiated rejectError isRevoked isInvalidated expirySec isRestricted isUserKeyring",
  ),
  stateRow(KeyStore, "KeyStore", "keys users initialKeyrings settings host timers reaper word"),
  stateRow(KeyUser, "KeyUser", "uid keys instantiated quotaKeys quotaBytes"),
  stateRow(
    KmsgFile,
    "KmsgFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode sink",
  ),
  stateRow(
    KmsgInode,
    "KmsgInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated",
  ),
  stateRow(KmsgOpener, "KmsgOpener", "sink"),
  stateRow(LayerListing, "LayerListing", "file"),
  stateRow(Layouts, "Layouts", "byUser"),
  stateRow(Lease, "Lease", "file type holder age breakTo deadlineNs"),
  stateRow(Leases, "Leases", "inode waiters list listed ages"),
  stateRow(LeavingSpace, "LeavingSpace", "space account"),
  stateRow(LeavingSpaces, "LeavingSpaces", "platform leaving next"),
  stateRow(
    LegacyView,
    "LegacyView",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root whole hierarchy",
  ),
  stateRow(Limits, "Limits", "soft hard"),
  stateRow(
    LineDiscipline,
    "LineDiscipline",
    "settings input output host special isRaw isQuoting isErasing",
  ),
  stateRow(
    Link,
    "Link",
    "kind table name index mac mtu txQueueLength isUp extraFlags alias promiscuity allMulticast addresses neighbours groups received sent settings peer master",
  ),
  stateRow(
    LinkDir,
    "LinkDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated parent where",
  ),
  stateRow(LinkGroups, "LinkGroups", "link members"),
  stateRow(
    LinkInode,
    "LinkInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source isOfNet family where name",
  ),
  stateRow(LinkSettings, "LinkSettings", "family values followed"),
  stateRow(
    LinkTable,
    "LinkTable",
    "account net links routes lo settings linkChanges addressChanges lastIndex addresses",
  ),
  stateRow(
    LinksDir,
    "LinksDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source family parent",
  ),
  stateRow(LinksDump, "LinksDump", "request table families index pass link item"),
  stateRow(ListReader, "ListReader", "pieces at left"),
  stateRow(
    Listing,
    "Listing",
    "names inos types isExact isFull hasXattrBits bareLookups bareDirs scans records recordCount bytes view targets changes index wasSearched order",
  ),
  stateRow(
    LiveInode,
    "LiveInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source isOfNet path",
  ),
  stateRow(LoadAverage, "LoadAverage", "lastNs lastCpuNs loads"),
  stateRow(LoadedProgram, "LoadedProgram", "account id type code all refs"),
  stateRow(LocalRouteDump, "LocalRouteDump", "request table families index pass link item"),
  stateRow(LockAges, "LockAges", "last"),
  stateRow(LockWait, "LockWait", "request queue waiter"),
  stateRow(LockWaits, "LockWaits", "waits sweepAt"),
  stateRow(LongWalk, "LongWalk", "place walk key"),
  stateRow(
    Loop,
    "Loop",
    "server driver quiescence kernel host timers memory deferred nextSliceNs nextTickNs ticks",
  ),
  stateRow(
    LoopControlFile,
    "LoopControlFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode devices",
  ),
  stateRow(
    LoopDevice,
    "LoopDevice",
    "number backing offset sizeLimit flags blockSize size fileName openers isGoing",
  ),
  stateRow(LoopDevices, "LoopDevices", "devices homes"),
  stateRow(
    LoopFile,
    "LoopFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode device",
  ),
  stateRow(LoopOpener, "LoopOpener", "devices"),
  stateRow(
    LoopbackTcp,
    "LoopbackTcp",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops local remote ip ports uid isBound errors unanswered groups isBoundToMulticast reuse sentCount zerocopyCount hasOwnAddress hasOwnPort state peer incoming urgent tcp sequence tally timer deferral deferred savedSyn fastOpen isConnectDeferred backlog waiting connectingTo isConnecting gotFin isGone hasVanished",
  ),
  stateRow(LoopbackTransport, "LoopbackTransport", "name net ports"),
  stateRow(MainRouteDump, "MainRouteDump", "request table family last place"),
  stateRow(ManyKills, "ManyKills", "sig pgrp last isSent error"),
  stateRow(
    MapFileLink,
    "MapFileLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref start",
  ),
  stateRow(
    MapFilesDir,
    "MapFilesDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent",
  ),
  stateRow(
    MappedMemory,
    "MappedMemory",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd frames base bytes fileStart refs words",
  ),
  stateRow(Mark, "Mark", "group target mask ignored hasIgnoreFlags survivesModify isEvictable"),
  stateRow(
    MasterFile,
    "MasterFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode terminal host isMaster slave mount",
  ),
  stateRow(
    MemFile,
    "MemFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode mm",
  ),
  stateRow(
    MemInode,
    "MemInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref",
  ),
  stateRow(MemPolicy, "MemPolicy", "mode flags nodes"),
  stateRow(Membership, "Membership", "group link index address isInclude sources"),
  stateRow(Memberships, "Memberships", "all"),
  stateRow(MemfdStore, "MemfdStore", "fs mount"),
  stateRow(
    MemoryContext,
    "MemoryContext",
    "arena platform host frames windows tlbs memories leavingSpaces sites plainLayout awaited monitorEvents vdso faults bounce moveFrame lastIno",
  ),
  stateRow(MemoryCounters, "MemoryCounters", "total locked data stack exec peak"),
  stateRow(MemoryEvents, "MemoryEvents", "high max oom kills groupKills"),
  stateRow(MemoryLimits, "MemoryLimits", "as data stack memlock mayLockAll"),
  stateRow(
    MemoryManager,
    "MemoryManager",
    "base arenaSize dv words fileWindows epoch tlb reached resolvedPages ctx space vmas pages files limits hostUse counters program break fault key measured changes layout mmapBase search users rank futureFlags isDumpable ownerNs writeOrExec isHugeDisabled hasSeals hasHandlers hasAskedForKey sites unpatchedCalls isPatching hasOwnGs refusedSites forkSeq stackReserve stackReservePages isDestroyed spuriousPage spuriousCount writeRun account unmaps runPages",
  ),
  stateRow(
    MemoryState,
    "MemoryState",
    "high low min softBytes swapMax swapHigh peakBytes peaks isOomGroup counts ownCounts events localEvents ownId chargeId chargedPages memoryMax nextSettleNs group",
  ),
  stateRow(
    MemoryText,
    "MemoryText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(
    MemoryTextFile,
    "MemoryTextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue text mm",
  ),
  stateRow(MemoryUse, "MemoryUse", "anonymous file shared common proportional locked"),
  stateRow(Merge, "Merge", "list account dir covered layers listing"),
  stateRow(MessageCounter, "MessageCounter", "types all"),
  stateRow(
    MessageQueue,
    "MessageQueue",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged sizes waitQueue receivers notifier bytes owner charge creator messages",
  ),
  stateRow(MonitorEvent, "MonitorEvent", "handler kind words child queue isRead"),
  stateRow(
    Mount,
    "Mount",
    "account vfs id fs root parent mountpoint flags source children namespace pins writers marks isDetached isRetired isExpiring peers master isUnbindable isLocked lockedFlags hasLockedAtime",
  ),
  stateRow(
    MountFile,
    "MountFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode mount home",
  ),
  stateRow(
    MountNamespace,
    "MountNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind vfs id mounts changes generation rootMount",
  ),
  stateRow(MountPaths, "MountPaths", "root texts masters"),
  stateRow(
    MountPlace,
    "MountPlace",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated children parent isFixed",
  ),
  stateRow(MountSteps, "MountSteps", "text name namespace places mounts at"),
  stateRow(
    MountsFile,
    "MountsFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue steps made length name namespace root seen",
  ),
  stateRow(
    MountsInode,
    "MountsInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(MoveEnd, "MoveEnd", "reason isCutShort isTargetBlocked"),
  stateRow(
    MqueueDirectory,
    "MqueueDirectory",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged known parent owner",
  ),
  stateRow(
    MqueueFile,
    "MqueueFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(
    MqueueFs,
    "MqueueFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root frames host isRam records wanted limits makers charges queues lastIno",
  ),
  stateRow(MqueueType, "MqueueType", "isNoDev isForUsers shows name kernel"),
  stateRow(NamespaceCounts, "NamespaceCounts", "limits used firstLimit"),
  stateRow(Namespaces, "Namespaces", "uts ipc net cgroup pidForChildren time timeForChildren refs"),
  stateRow(NeighbourDump, "NeighbourDump", "request table families index pass link item"),
  stateRow(
    NetDir,
    "NetDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent",
  ),
  stateRow(
    NetNamespace,
    "NetNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind shared cookie frames host timers deferred links inet network taps traffic netlink connector settings listens sockets tables cookies offered chosen families",
  ),
  stateRow(
    NetSettingsDir,
    "NetSettingsDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated children parent isFixed",
  ),
  stateRow(NetSettingsView, "NetSettingsView", "net"),
  stateRow(
    NetShared,
    "NetShared",
    "frames host timers calls finder deferred generic urgent settings watchers sockets rights lastCookie",
  ),
  stateRow(NetTables, "NetTables", "devices texts tables"),
  stateRow(
    NetText,
    "NetText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated tables name",
  ),
  stateRow(
    NetTextFile,
    "NetTextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue steps chunk chunkAt isAtEnd tables name",
  ),
  stateRow(NetlinkDump, "NetlinkDump", "request walk show protocol"),
  stateRow(NetlinkFamily, "NetlinkFamily", "net"),
  stateRow(NetlinkProtocol, "NetlinkProtocol", "number groupCount sockets ids members"),
  stateRow(NetlinkRequest, "NetlinkRequest", "type flags seq pid"),
  stateRow(
    NetlinkSocket,
    "NetlinkSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops bus portId peerId peerGroup groups switches incoming isConnected dump dumpVersion processes",
  ),
  stateRow(NetlinkTable, "NetlinkTable", "net"),
  stateRow(Notification, "Notification", "id task data state error value flags changed"),
  stateRow(Notifier, "Notifier", "notifications filter lastId"),
  stateRow(
    NsDir,
    "NsDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent",
  ),
  stateRow(
    NsFile,
    "NsFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode files",
  ),
  stateRow(
    NsFs,
    "NsFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry host fileSize fileBlockSize lastIno type root magic createError makeError mount lastNumber numbered callers account firstUser",
  ),
  stateRow(
    NsInode,
    "NsInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated namespace files",
  ),
  stateRow(
    NsLink,
    "NsLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(
    NullFile,
    "NullFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(NullOpener, "NullOpener", ""),
  stateRow(ObjectRanks, "ObjectRanks", "last"),
  stateRow(
    OciFilter,
    "OciFilter",
    "prev account count pathLength isLogging isKillableOnly notifier users events table spec rules linuxLength",
  ),
  stateRow(
    OomKiller,
    "OomKiller",
    "limitBytes kills listener limited isOneNear nextLookNs soonestLookNs lookAtTaken lookAtResident kernel heap ownMemory look search mustLookAgain over victim untilNs held heldAtBytes holdFromNs",
  ),
  stateRow(
    OpenAttr,
    "OpenAttr",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue attr mm",
  ),
  stateRow(
    OpenGroupFile,
    "OpenGroupFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue group handle seen",
  ),
  stateRow(
    Output,
    "Output",
    "queue echoes settings column inputColumn isStopped isStoppedByCall settled",
  ),
  stateRow(
    OverlayDirFile,
    "OverlayDirFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode list merge",
  ),
  stateRow(
    OverlayDirectory,
    "OverlayDirectory",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs upper lower extraLinks isDataLower isRemoved parent name areLayersHeld changes isOpaque emptying",
  ),
  stateRow(
    OverlayFile,
    "OverlayFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode source real",
  ),
  stateRow(
    OverlayFs,
    "OverlayFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root isPersistent buffer isOwned options upperFs lowerDev byUpper byLower lasting devices",
  ),
  stateRow(
    OverlayNode,
    "OverlayNode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs upper lower extraLinks isDataLower isRemoved parent name areLayersHeld",
  ),
  stateRow(OverlayType, "OverlayType", "isNoDev isForUsers shows name kernel"),
  stateRow(OwnMemory, "OwnMemory", "addr"),
  stateRow(PacketCounter, "PacketCounter", "packets bytes"),
  stateRow(PacketDump, "PacketDump", "request walk show"),
  stateRow(PacketFamily, "PacketFamily", "net"),
  stateRow(
    PacketRing,
    "PacketRing",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd frames base bytes fileStart refs frameBytes perBlock blockBytes count version reserve head",
  ),
  stateRow(
    PacketSocket,
    "PacketSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops protocolNumber link uid incoming ring packets lost kept fanout rollAt rolled rollsFailed memberships",
  ),
  stateRow(PacketTable, "PacketTable", "net"),
  stateRow(
    PageMap,
    "PageMap",
    "length starts counts frames shadows bits gap room hint changed account",
  ),
  stateRow(
    PagemapFile,
    "PagemapFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode mm",
  ),
  stateRow(
    PagemapInode,
    "PagemapInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref",
  ),
  stateRow(PassWaiter, "PassWaiter", "queue prev next mask exclusive declined task passes"),
  stateRow(PatchedSites, "PatchedSites", "pages owner account thunks siteCount tableCount refs"),
  stateRow(Path, "Path", "mount dentry"),
  stateRow(
    PathFile,
    "PathFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(
    PeakSampler,
    "PeakSampler",
    "deadlineNs index kernel sampled count spentNs pauseNs suppliedBytes",
  ),
  stateRow(PeerCredentials, "PeerCredentials", "pid id uid gid groups"),
  stateRow(PeerGroup, "PeerGroup", "id members slaves"),
  stateRow(Pending, "Pending", "filter notification"),
  stateRow(PendingExec, "PendingExec", "program"),
  stateRow(PendingFault, "PendingFault", "page address flags tid queue"),
  stateRow(PendingSignals, "PendingSignals", "account set count oldest latest heads tails"),
  stateRow(
    PermissionRequest,
    "PermissionRequest",
    "group dentry mask answered isAnswered isDenied asker fd",
  ),
  stateRow(PiState, "PiState", "owner word waiters"),
  stateRow(Pid, "Pid", "space nr numbers"),
  stateRow(
    PidFd,
    "PidFd",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess group thread inode",
  ),
  stateRow(
    PidNamespace,
    "PidNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind outer level memfdNoexec tasks groups processGroups sessions viewers init isEnding last lastPlace",
  ),
  stateRow(PidsState, "PidsState", "max peak failures ownFailures events localEvents group"),
  stateRow(
    PingSocket,
    "PingSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops local remote ip ports uid isBound errors unanswered groups isBoundToMulticast reuse sentCount zerocopyCount hasOwnAddress hasOwnPort incoming",
  ),
  stateRow(Pipe, "Pipe", "inode ring runs readers writers readerOpens writerOpens waitQueue"),
  stateRow(
    PipeFile,
    "PipeFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess pipe ignoredOpens",
  ),
  stateRow(
    PlaceLink,
    "PlaceLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(
    PolledRandomFile,
    "PolledRandomFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode host queue",
  ),
  stateRow(PortIds, "PortIds", "ids next"),
  stateRow(PortTable, "PortTable", "host bound random reserved"),
  stateRow(
    PosixTimer,
    "PosixTimer",
    "deadlineNs index queue targetNs turn seenNs idleLooks id group clock owner event intervalNs overrun isPending expiredNs missed generation sentGeneration",
  ),
  stateRow(PrefixRoutes, "PrefixRoutes", "bits byNetwork"),
  stateRow(ProcConnector, "ProcConnector", "net listeners serial u8 dv"),
  stateRow(ProcFacts, "ProcFacts", "cpuInfo sysctl namespaces kernel"),
  stateRow(
    ProcFs,
    "ProcFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry host fileSize fileBlockSize lastIno type magic createError makeError root procSource options",
  ),
  stateRow(ProcFsType, "ProcFsType", "isNoDev isForUsers shows name source"),
  stateRow(
    ProcKmsgFile,
    "ProcKmsgFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode queue",
  ),
  stateRow(
    ProcRootDir,
    "ProcRootDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated proc source fixed self threadSelf",
  ),
  stateRow(ProcessGroup, "ProcessGroup", "id session members lastPlace"),
  stateRow(ProcessTimers, "ProcessTimers", "real virtual prof cpuLimit posix nextId"),
  stateRow(
    ProgramAddresses,
    "ProgramAddresses",
    "codeStart codeEnd dataStart dataEnd stackStart argStart argEnd envStart envEnd auxv",
  ),
  stateRow(ProgramBreak, "ProgramBreak", "start end reserve reservePages"),
  stateRow(
    Progress,
    "Progress",
    "done deadlineNs isRealtime step object value text monitorEvents result asked walks bytes account",
  ),
  stateRow(ProtocolTable, "ProtocolTable", "net kinds"),
  stateRow(
    PtmxInode,
    "PtmxInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs",
  ),
  stateRow(PtmxNodeOpener, "PtmxNodeOpener", ""),
  stateRow(PtmxOpener, "PtmxOpener", ""),
  stateRow(QueueCaller, "QueueCaller", "files fs cred account"),
  stateRow(QueuedMessage, "QueuedMessage", "account priority data"),
  stateRow(
    RamFs,
    "RamFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root frames host isRam maxPages maxInodes usedPages usedInodes refusedWrites lastIno defaultPages defaultInodes ending records vfs mode",
  ),
  stateRow(RamFsType, "RamFsType", "isNoDev isForUsers shows name kernel"),
  stateRow(
    RandomFile,
    "RandomFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode host",
  ),
  stateRow(RandomOpener, "RandomOpener", "host isPolled"),
  stateRow(RangeWork, "RangeWork", "areaEnd isFreed next start end hasHole monitorEvents"),
  stateRow(
    RawSocket,
    "RawSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops local remote ip ports uid isBound errors unanswered groups isBoundToMulticast reuse sentCount zerocopyCount hasOwnAddress hasOwnPort incoming inet filter hasHeader checksumAt",
  ),
  stateRow(RealTimer, "RealTimer", "deadlineNs index group queue intervalNs"),
  stateRow(Reaper, "Reaper", "deadlineNs index store"),
  stateRow(RecordWait, "RecordWait", "request queue waiter blocker locks generation"),
  stateRow(RecordedPages, "RecordedPages", "refs count first more"),
  stateRow(Registration, "Registration", "mm backing areas"),
  stateRow(
    RequestFiles,
    "RequestFiles",
    "account refs rank files used cloexec firstFree count closesFrom isEnding worker",
  ),
  stateRow(ReservedPorts, "ReservedPorts", "text bits"),
  stateRow(Restrictions, "Restrictions", "registerOps operations allowedFlags requiredFlags"),
  stateRow(RetireTimer, "RetireTimer", "deadlineNs index ring"),
  stateRow(Retirement, "Retirement", "items unitsEach next"),
  stateRow(Retry, "Retry", "deadlineNs index queue"),
  stateRow(ReuseGroup, "ReuseGroup", "account sockets program"),
  stateRow(RightsInFlight, "RightsInFlight", "account files owner all"),
  stateRow(RingFds, "RingFds", "rings"),
  stateRow(RouteTable, "RouteTable", "v4 v6 addedCount"),
  stateRow(Routes, "Routes", "net"),
  stateRow(RowSteps, "RowSteps", "text table walk shown"),
  stateRow(RuleTable, "RuleTable", "account files ports"),
  stateRow(
    RulesetFile,
    "RulesetFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode handled rules",
  ),
  stateRow(RunQueue, "RunQueue", "head tail length"),
  stateRow(SandboxAccounts, "SandboxAccounts", "root groupLists containers limitBytes heapBytes"),
  stateRow(
    SandboxKernel,
    "SandboxKernel",
    "accounts userCounts host platform cpu memory timers calls pids futexes keys bpf oom current clock taskStats scratch vfs fsTypes anon ranks memfds secrets net namespaces terminals proc loop containment bootNs initStatus sysctl ipcUser debugLog",
  ),
  stateRow(
    SchedAttributes,
    "SchedAttributes",
    "nice policy priority resetOnFork runtimeNs deadlineNs periodNs deadlineFlags sliceNs ioprio affinity timerSlackNs defaultSlackNs",
  ),
  stateRow(
    SeccompListener,
    "SeccompListener",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode filter notifier",
  ),
  stateRow(
    SecretBacking,
    "SecretBacking",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd file mayWrite users",
  ),
  stateRow(
    SecretFile,
    "SecretFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode writer reader pages",
  ),
  stateRow(
    SecretFs,
    "SecretFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root frames host isRam maxPages maxInodes usedPages usedInodes refusedWrites lastIno defaultPages defaultInodes ending records vfs",
  ),
  stateRow(
    SecretInode,
    "SecretInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged data mapped writableMappings seals mayBeLinked isSealable",
  ),
  stateRow(SecretStore, "SecretStore", "fs mount"),
  stateRow(Segment, "Segment", "length byte credentials rights"),
  stateRow(
    SelfLink,
    "SelfLink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source isThread",
  ),
  stateRow(
    SemOperations,
    "SemOperations",
    "list undo pid alters raises needsZero status blocking before done",
  ),
  stateRow(SemUndoList, "SemUndoList", "refs rank account adjustments"),
  stateRow(
    SemaphoreSet,
    "SemaphoreSet",
    "key id seq uid gid cuid cgid mode ctimeSec userNs isRemoved account values pids otimeSec undos clock zeroWaiters alterers mixed",
  ),
  stateRow(Semaphores, "Semaphores", "table clock limits"),
  stateRow(Session, "Session", "id groups terminal hungUpGroup"),
  stateRow(
    SetPasses,
    "SetPasses",
    "count at ready isWatched isWoken isAsleep isInterrupted isLast result lastQueue lastMask sets bytes",
  ),
  stateRow(
    SetgroupsFile,
    "SetgroupsFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue userNs",
  ),
  stateRow(ShareSweep, "ShareSweep", "charges next"),
  stateRow(
    SharedAnon,
    "SharedAnon",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd isUnnamed ctx bytes refs pieces piecePages",
  ),
  stateRow(SharedLayout, "SharedLayout", "addresses sites"),
  stateRow(SharedMemory, "SharedMemory", "table memory clock limits"),
  stateRow(ShmIdentity, "ShmIdentity", "dev segment"),
  stateRow(
    ShmMemory,
    "ShmMemory",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd isUnnamed ctx bytes refs pieces piecePages segment",
  ),
  stateRow(
    ShmSegment,
    "ShmSegment",
    "key id seq uid gid cuid cgid mode ctimeSec userNs isRemoved account bytes pages name memory attachments creatorPid lastPid atimeSec dtimeSec owner",
  ),
  stateRow(
    SigInfo,
    "SigInfo",
    "signo code errno pid uid status utimeTicks stimeTicks addr valueLo valueHi timerId band fd syscall isForced isFromOutside raw timer",
  ),
  stateRow(SigSet, "SigSet", "lo hi"),
  stateRow(SignalAction, "SignalAction", "handler flags restorer maskLo maskHi"),
  stateRow(
    SignalFile,
    "SignalFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode mask maker",
  ),
  stateRow(SignalHandlers, "SignalHandlers", "actions refs rank arrived"),
  stateRow(
    SignalNotifier,
    "SignalNotifier",
    "files group signo kind valueLo valueHi kernel mm userNs",
  ),
  stateRow(SignalledHolder, "SignalledHolder", "pid fd"),
  stateRow(SilentNotifier, "SilentNotifier", "files group signo kind"),
  stateRow(
    SlaveFile,
    "SlaveFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode terminal host isMaster generation isReadWaiting",
  ),
  stateRow(
    SlaveInode,
    "SlaveInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs terminal",
  ),
  stateRow(SlaveOpener, "SlaveOpener", "host"),
  stateRow(SocketCounts, "SocketCounts", "net kinds family"),
  stateRow(SocketGroups, "SocketGroups", "account net all"),
  stateRow(SocketIndex, "SocketIndex", "sockets numbers empty"),
  stateRow(
    SocketOptions,
    "SocketOptions",
    "sendBytes receiveBytes isSendFixed isReceiveFixed receiveTimeoutNs sendTimeoutNs receiveLowWater debug reuseAddress reusePort keepAlive broadcast dontRoute outOfBandInline noCheck passCredentials passSecurity timestamp timestamping isTimestampingNew overflowCount lingerOn lingerSeconds priority mark busyPoll maxPacingRate incomingCpu unused deviceIndex peekOffset zerocopy takesSendTimes sendClock sendFlags passPidfd busyPollBudget rehashes filter isFilterLocked",
  ),
  stateRow(SocketWalk, "SocketWalk", "index last place end"),
  stateRow(SpecialFiles, "SpecialFiles", "characters blocks fifo"),
  stateRow(SqPoller, "SqPoller", "cred group mm"),
  stateRow(
    Sqe,
    "Sqe",
    "opcode flags ioprio fd off offLo offHi addr addrLo addrHi addrOffset len rwFlags userLo userHi bufIndex personality spliceFd addr3 pad2",
  ),
  stateRow(
    StackImage,
    "StackImage",
    "pointer mm contents auxCount strings top addresses pieces next text word",
  ),
  stateRow(
    StoredInode,
    "StoredInode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source isOfNet setting",
  ),
  stateRow(StreamQueue, "StreamQueue", "account ring owner segments passed urgent urgentBytes"),
  stateRow(StringList, "StringList", "pieces count bytes longest"),
  stateRow(StringLists, "StringLists", "argv envp"),
  stateRow(StringPiece, "StringPiece", "count bytes longest"),
  stateRow(SyncWork, "SyncWork", "left error"),
  stateRow(
    SysFs,
    "SysFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry host fileSize fileBlockSize lastIno type magic createError makeError root",
  ),
  stateRow(SysFsType, "SysFsType", "isNoDev isForUsers shows name source"),
  stateRow(
    SysSourceText,
    "SysSourceText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source path",
  ),
  stateRow(SyscallArgs, "SyscallArgs", "words"),
  stateRow(
    SysctlFile,
    "SysctlFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue sysctl scope",
  ),
  stateRow(SysctlStore, "SysctlStore", "values"),
  stateRow(
    SystemText,
    "SystemText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated source path",
  ),
  stateRow(Taps, "Taps", "shared sockets fanouts"),
  stateRow(
    Task,
    "Task",
    "kernel id tid pids ns group ringFds cgroups cgroupUserNs cgroupSystemNs delay state endStep turnAccount ctx mm files fs cred sighand keyrings signals nr args restart progress entryWork entryStep userDispatch trace hasTrapFlag afterStop stopInfo stopSeen seccompMode seccomp exitRequested regsFetched result interrupted uninterruptible attention waiter moreWaiters keepsWaits timeout io io2 comm clearChildTid robustList personality memPolicy parentDeathSignal memoryErrorPolicy isIoFlusher exitStatus sched vforkParent semUndo futexWaiter ownedPi faultTrapno faultError faultAddress startNs userNs systemNs owedNs ranSinceNs stopCount callCount blockCount transfers next",
  ),
  stateRow(TaskDelay, "TaskDelay", "deadlineNs index untilNs debt task"),
  stateRow(
    TaskDir,
    "TaskDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent proc area",
  ),
  stateRow(TaskIpcUser, "TaskIpcUser", "kernel"),
  stateRow(TaskKeyrings, "TaskKeyrings", "store thread process session authority requestDefault"),
  stateRow(TaskNetworks, "TaskNetworks", ""),
  stateRow(TaskPid, "TaskPid", "space nr numbers inode"),
  stateRow(TaskRef, "TaskRef", "source tid isThread startNs"),
  stateRow(
    TaskSignals,
    "TaskSignals",
    "blocked saved hasSaved pending altBase altSize altFlags waiting",
  ),
  stateRow(TaskStats, "TaskStats", "id name version operations kernel listeners event"),
  stateRow(TaskTerminalHooks, "TaskTerminalHooks", "kernel"),
  stateRow(
    TaskText,
    "TaskText",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref name",
  ),
  stateRow(
    TaskTextFile,
    "TaskTextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue text",
  ),
  stateRow(TaskTimeout, "TaskTimeout", "deadlineNs index task"),
  stateRow(TaskWaiter, "TaskWaiter", "queue prev next mask exclusive declined task"),
  stateRow(
    TcpCounters,
    "TcpCounters",
    "segmentsIn segmentsOut dataOut acksIn resetsOut opened accepted failed reset overflows",
  ),
  stateRow(
    TcpOptions,
    "TcpOptions",
    "kept congestion userTimeoutMs notSentLow windowClamp fastOpenQueue opensFast needsNoCookie fastOpenKey",
  ),
  stateRow(TcpSequence, "TcpSequence", "sent ends first"),
  stateRow(
    TcpTally,
    "TcpTally",
    "isConnected isClient segmentsOut segmentsIn dataOut dataIn received sentNs receivedNs acknowledgedNs",
  ),
  stateRow(TcpTimer, "TcpTimer", "deadlineNs index socket isUnanswered"),
  stateRow(
    Terminal,
    "Terminal",
    "index hooks home settings locked output line backlog slaveQueue masterQueue rows columns xpixel ypixel session foreground isMasterOpen slaves areSlavesGone generation isLocked isExclusive isPacket packetStatus isInputStopped",
  ),
  stateRow(TerminalSettings, "TerminalSettings", "iflag oflag cflag lflag line cc ispeed ospeed"),
  stateRow(Terminals, "Terminals", "console"),
  stateRow(
    TextFile,
    "TextFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode bytes queue",
  ),
  stateRow(
    ThreadGroup,
    "ThreadGroup",
    "account id pid tasks leader parent children pgrp place placeInGroup exitSignal limits pending usage hadThreads childUsage timers childEvents exitEvents isExiting isZombie isReaped endStep isReapedAtOnce exitStatus stopSignal isStopped stopSerial tracees deadTracees deadLeaders leaderTracer stopReported continuedReported container job exitListener isUnkillable isIdle execTask threadExits exe argStart argEnd envStart envEnd auxv isSubreaper aio rings hasLeftTerminal hasExeced execSerial parentExecSerial oomScoreAdj oomScoreAdjMin membarriers lastUid lastComm lastCred lastNice loginUid coredumpFilter startNs",
  ),
  stateRow(
    ThreadsDir,
    "ThreadsDir",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs generated ref parent proc",
  ),
  stateRow(
    TimeNamespace,
    "TimeNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind monotonicNs boottimeNs isFrozen",
  ),
  stateRow(
    TimerFile,
    "TimerFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode clockId settimeFlags intervalNs ticks isExpired deadlineNs isCanceled clock expiry queue",
  ),
  stateRow(TimerQueue, "TimerQueue", "heap followers firing"),
  stateRow(
    TmpfsBacking,
    "TmpfsBacking",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd file mayWrite users",
  ),
  stateRow(
    TmpfsDirFile,
    "TmpfsDirFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode end",
  ),
  stateRow(
    TmpfsDirectory,
    "TmpfsDirectory",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged known parent",
  ),
  stateRow(
    TmpfsFile,
    "TmpfsFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode writer reader",
  ),
  stateRow(
    TmpfsFs,
    "TmpfsFs",
    "dev source readOnly owner hasOwnDevices isRevealing hasFixedOwner stackDepth isStored isChangedBehind isInternal marks mounts writers rootDentry type root frames host isRam maxPages maxInodes usedPages usedInodes refusedWrites lastIno defaultPages defaultInodes ending records vfs",
  ),
  stateRow(
    TmpfsNode,
    "TmpfsNode",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged",
  ),
  stateRow(
    TmpfsRegular,
    "TmpfsRegular",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged data mapped writableMappings seals mayBeLinked isSealable",
  ),
  stateRow(
    TmpfsSymlink,
    "TmpfsSymlink",
    "fs ino mode uid gid nlink size rdev blocks blockSize atimeSec atimeNsec mtimeSec mtimeNsec ctimeSec ctimeNsec btimeSec btimeNsec locks leases watches fileFlags handle ruleCount special writeCount openCount hasCapabilities writeHint accessAcl defaultAcl refs account space xattrs xattrBytes charged isEvicted isChanged target",
  ),
  stateRow(TmpfsType, "TmpfsType", "isNoDev isForUsers shows name kernel"),
  stateRow(
    Trace,
    "Trace",
    "group tracer isSeized cred options mode message event isTrapDue isListening isExitTold code stopCode info isEmulated at retData origRax signal debug",
  ),
  stateRow(Traffic, "Traffic", "v4 v6 tcp"),
  stateRow(
    TransferCounts,
    "TransferCounts",
    "readBytes writtenBytes reads writes fetchedBytes storedBytes",
  ),
  stateRow(TransportTables, "TransportTables", "net"),
  stateRow(TtyOpener, "TtyOpener", "host hooks"),
  stateRow(
    TurnAccount,
    "TurnAccount",
    "parent active timeNs levelNs tasks traps queued container group uid blind",
  ),
  stateRow(TurnAccounts, "TurnAccounts", "root count containers"),
  stateRow(TurnNode, "TurnNode", "parent active timeNs levelNs tasks"),
  stateRow(
    TurnServer,
    "TurnServer",
    "runQueue fair held inbox turns isStopped distributor kernel platform host clock fairUntilNs blind quick isMixed handled isFair last cpuNs nextCpuReadNs",
  ),
  stateRow(UdpCounters, "UdpCounters", "received sent refused overflows dropped"),
  stateRow(
    UdpLiteSocket,
    "UdpLiteSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops local remote ip ports uid isBound errors unanswered groups isBoundToMulticast reuse sentCount zerocopyCount hasOwnAddress hasOwnPort incoming udp lastFrom lastBytes sendCoverage leastCoverage",
  ),
  stateRow(
    UdpOptions,
    "UdpOptions",
    "isCorked noCheckSend noCheckReceive segment joins parts length pendingTo",
  ),
  stateRow(
    UdpSocket,
    "UdpSocket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops local remote ip ports uid isBound errors unanswered groups isBoundToMulticast reuse sentCount zerocopyCount hasOwnAddress hasOwnPort incoming udp lastFrom lastBytes",
  ),
  stateRow(Unanswered, "Unanswered", "deadlineNs index socket waiting"),
  stateRow(
    UnixDgram,
    "UnixDgram",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops names name boundPath hostSockets hostIdentity peerCredentials peer isClosed senders incoming maxMessages",
  ),
  stateRow(UnixDump, "UnixDump", "request walk shown states"),
  stateRow(UnixFamily, "UnixFamily", "net names"),
  stateRow(
    UnixSeqpacket,
    "UnixSeqpacket",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops names name boundPath hostSockets hostIdentity peerCredentials peer backlog incoming",
  ),
  stateRow(
    UnixStream,
    "UnixStream",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode net family type protocol options queue blockedOn error isReadShut isWriteShut drops names name boundPath hostSockets hostIdentity peerCredentials peer backlog incoming outside",
  ),
  stateRow(UnixTable, "UnixTable", "net"),
  stateRow(UrgentMark, "UrgentMark", "at isRead"),
  stateRow(UrgentSignals, "UrgentSignals", ""),
  stateRow(
    Uring,
    "Uring",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode memory setup sqEntries cqEntries sqeBytes cqeBytes isDisabled issuer poller maxAddress files buffers eventFile bufferGroups restrictions usesBoottime maxWorkers personalities lastPersonality inFlight counting hasMore posted queue sqHead cqTail late ready drained isPumping looks isLong",
  ),
  stateRow(
    UringMemory,
    "UringMemory",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd dv words rings sqes arrayAt ctx ringPages sqePages refs",
  ),
  stateRow(
    Usage,
    "Usage",
    "userNs systemNs maxRssKiB minorFaults majorFaults voluntarySwitches involuntarySwitches transfers",
  ),
  stateRow(UserCursor, "UserCursor", "remaining done mm addrs lens count index used"),
  stateRow(UserKeyrings, "UserKeyrings", "store ns register persistentRegister"),
  stateRow(
    UserNamespace,
    "UserNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind parent level ownerUid ownerGid uidMap gidMap projidMap allowsSetgroups parentCouldSetfcap counts keyrings",
  ),
  stateRow(
    Userfault,
    "Userfault",
    "mm features isReady queue flags isReleased pending taken events",
  ),
  stateRow(
    UserfaultDevice,
    "UserfaultDevice",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode",
  ),
  stateRow(
    UserfaultFile,
    "UserfaultFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode handler kernel",
  ),
  stateRow(UserfaultOpener, "UserfaultOpener", ""),
  stateRow(
    UtsNamespace,
    "UtsNamespace",
    "owner isInitial file refs countedUid firstCounts account isReleased kind hostname domainname",
  ),
  stateRow(
    Vfs,
    "Vfs",
    "host charger deferred dentries devices special handles lockWaits lockedFiles leasedFiles lockAges devicePolicy served inMemory hostSockets protectedHardlinks protectedSymlinks protectedRegular protectedFifos leaseBreakSec askingGroups walk1 walk2 namespaces lastNamespaceId lastMountId lastPeerGroup lastCookie",
  ),
  stateRow(View, "View", "cred task ns peak usedBytes count"),
  stateRow(Vma, "Vma", "start end prot maxProt flags backing offset label name userfault policy"),
  stateRow(VmaList, "VmaList", "list user hint account charged"),
  stateRow(WaitQueue, "WaitQueue", "head tail"),
  stateRow(WaitSet, "WaitSet", "waiters"),
  stateRow(WaitingSemop, "WaitingSemop", "set ops"),
  stateRow(WatchList, "WatchList", "marks watches"),
  stateRow(WatchersEnd, "WatchersEnd", "file"),
  stateRow(WatchesEnd, "WatchesEnd", "file"),
  stateRow(
    Worker,
    "Worker",
    "kernel id tid pids ns group ringFds cgroups cgroupUserNs cgroupSystemNs delay state endStep turnAccount ctx mm files fs cred sighand keyrings signals nr args restart progress entryWork entryStep userDispatch trace hasTrapFlag afterStop stopInfo stopSeen seccompMode seccomp exitRequested regsFetched result interrupted uninterruptible attention waiter moreWaiters keepsWaits timeout io io2 comm clearChildTid robustList personality memPolicy parentDeathSignal memoryErrorPolicy isIoFlusher exitStatus sched vforkParent semUndo futexWaiter ownedPi faultTrapno faultError faultAddress startNs userNs systemNs owedNs ranSinceNs stopCount callCount blockCount transfers next ring submitter sqe file fixedFile fixedBuffer table ownFiles linked isLater isSilent partner target counted wanted initError isDone cqeFlags",
  ),
  stateRow(
    ZeroBacking,
    "ZeroBacking",
    "shown mappings isSecret isMemory canOwn inode platformFile hostFd",
  ),
  stateRow(
    ZeroFile,
    "ZeroFile",
    "account flags pos path refs rank cred isQuiet isCreated needsTurn sliceBytes owner deniedLater watchers writeAccess inode backing",
  ),
  stateRow(ZeroOpener, "ZeroOpener", ""),
];
