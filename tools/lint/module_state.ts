/**
 * What modules of the kernel may hold at module level besides constants that the lint rule
 * recognises, each with the reason (docs/internals/state.md). The rule `no-module-state` reports
 * state that is not listed here, and names listed here that are no state any more.
 */

/** A constant is never written. Scratch memory has no meaning from one call to the next. */
type Reason = "constant" | "scratch";

interface ModuleState {
  readonly reason: Reason;
  readonly file: string;
  readonly names: readonly string[];
  readonly why: string;
}

/** Classes, interfaces and aliases without mutable fields: the rule `readonly-types` holds it. */
export const READONLY_TYPES: ReadonlySet<string> = new Set([
  "AnchorRule",
  "CapSet",
  "CloneRequest",
  "CopyRule",
  "FrameHolder",
  "GenericFamily",
  "KeyType",
  "LinkCounters",
  "MountLocks",
  "OptionNames",
  "PeerCredentials",
  "Quota",
  "Refusal",
  "SignalBits",
  "Types",
]);

/** File, names, and the reason where the kind alone does not say it. */
type Row = readonly [file: string, names: string, why?: string];

/** Typed arrays and instances that nothing writes to, and that the language cannot freeze. */
const CONSTANTS: readonly Row[] = [
  [
    "kernel/cred/user_namespace.ts",
    "INITIAL_USER_NAMESPACE",
    "frozen; its counts are the kernel's",
  ],
  ["kernel/fs/overlay/layers.ts", "LAYER_CRED", "nothing assigns credentials of a task to it"],
  ["kernel/proc/fs/area_text.ts", "NONE"],
  ["kernel/proc/task_view.ts", "NO_CRED"],
  ["kernel/mm/tlb.ts", "NO_TLB", "a memory that has ended: its tags match no page"],
  ["kernel/net/inet/inet_socket.ts", "NO_HEADER"],
  ["kernel/net/inet/tcp/shown_segments.ts", "NO_HEADER"],
  ["kernel/net/inet/udp/udp_socket.ts", "NO_HEADER"],
  ["kernel/net/netlink/notices.ts", "nothing"],
  ["kernel/keys/calls/keyctl_read.ts", "CAPABILITIES"],
  ["kernel/ptrace/calls/ptrace_state.ts", "NO_DEBUG"],
  ["kernel/ptrace/traced_calls.ts", "filterTracer", "has methods alone"],
  ["kernel/signal/fpu_state.ts", "MAGIC2_BYTES"],
];

/** Buffers that are filled and read within one call. */
const SCRATCH: readonly Row[] = [
  ["kernel/bpf/classic_run.ts", "memory"],
  ["kernel/bpf/ebpf_run.ts", "registers"],
  ["kernel/core/random_word.ts", "bytes word"],
  ["kernel/fs/anonfd/eventfd.ts", "buffer view"],
  ["kernel/fs/anonfd/inotify.ts", "buffer view"],
  ["kernel/fs/anonfd/timerfd.ts", "buffer view"],
  ["kernel/userfault/userfault_ioctl.ts", "words view page"],
  ["kernel/fs/devfs/memory_devices.ts", "noise record"],
  ["kernel/fs/devpts/terminal.ts", "chunk"],
  ["kernel/fs/devpts/terminal_ioctl.ts", "buf dv"],
  ["kernel/fs/gofer/gofer_inode.ts", "tsetattr"],
  ["kernel/fs/gofer/scanned_dir.ts", "blocks"],
  ["kernel/fs/gofer/tree_scan.ts", "blocks"],
  ["kernel/fs/hostfd/host_file.ts", "answer"],
  ["kernel/fs/overlay/copy_data.ts", "cursor"],
  ["kernel/proc/fs/mem_file.ts", "page"],
  ["kernel/proc/fs/mount_ns_requests.ts", "info view"],
  ["kernel/proc/fs/pagemap_file.ts", "entries"],
  ["kernel/proc/fs/pagemap_scan.ts", "words view regionBytes regionView"],
  ["kernel/mm/copy_user.ts", "crossing crossingView text"],
  ["kernel/mm/cursor.ts", "iovecs iovecView"],
  ["kernel/mm/residency.ts", "vector"],
  ["kernel/net/link/arp_ioctl.ts", "buffer view"],
  ["kernel/net/inet/error_queue.ts", "cursor scratch"],
  ["kernel/net/inet/ip/ip_control.ts", "scratch answer"],
  ["kernel/net/inet/raw/message_socket.ts", "cursor view scratch"],
  ["kernel/net/inet/reuse_port.ts", "view"],
  ["kernel/net/inet/tcp/shown_segments.ts", "cursor"],
  ["kernel/net/inet/udp/udp_socket.ts", "scratch cursor view"],
  ["kernel/net/inet/udp/udp_receivers.ts", "cursor"],
  ["kernel/net/inet/inet_view.ts", "address value"],
  ["kernel/net/link/interface_ioctls.ts", "buffer view"],
  ["kernel/net/netlink/kernel_side.ts", "writer"],
  ["kernel/net/netlink/diag_inet.ts", "value"],
  ["kernel/net/netlink/netlink_socket.ts", "cursor from view"],
  ["kernel/net/packet/block_ring.ts", "header words head headWords"],
  ["kernel/net/packet/packet_ring.ts", "header words"],
  ["kernel/net/packet/packet_socket.ts", "view cursor name"],
  ["kernel/net/packet/ring_memory.ts", "word words"],
  ["kernel/net/socket.ts", "plain"],
  ["kernel/net/socket_options.ts", "name"],
  ["kernel/net/unix/host_end.ts", "cursor plain"],
  ["kernel/net/unix/stream_queue.ts", "one"],
  ["kernel/syscalls/fs/attributes.ts", "given"],
  ["kernel/syscalls/fs/directory.ts", "entries"],
  ["kernel/syscalls/io/splice.ts", "end"],
  ["kernel/epoll/calls/epoll.ts", "params paramsView"],
  ["kernel/syscalls/io/locks.ts", "buf dv range"],
  ["kernel/syscalls/io/move_bytes.ts", "cursor"],
  ["kernel/syscalls/io/poll.ts", "fds fdsView slice sliceView"],
  ["kernel/syscalls/io/select.ts", "sets"],
  ["kernel/syscalls/mm/cachestat.ts", "result view"],
  ["kernel/syscalls/mm/node_mask.ts", "words view"],
  ["kernel/net/calls/arguments.ts", "bytes view"],
  ["kernel/net/calls/control.ts", "writer"],
  ["kernel/net/calls/options.ts", "value"],
  ["kernel/net/calls/receive.ts", "message"],
  ["kernel/net/calls/send.ts", "message"],
  ["kernel/net/calls/socket.ts", "address"],
  ["kernel/syscalls/process/credentials.ts", "ids"],
  ["kernel/ptrace/calls/ptrace_state.ts", "word wordView area areaView"],
  ["kernel/syscalls/process/wait.ts", "waited"],
  ["kernel/signal/calls/wait.ts", "wanted"],
  ["kernel/syscalls/system/limits.ts", "usage"],
  ["kernel/cgroup/devices.ts", "context"],
  ["kernel/fanotify/event.ts", "bytes view"],
  ["kernel/fanotify/group_file.ts", "answerBytes answerView"],
  ["kernel/futex/futex.ts", "otherKey"],
  ["kernel/ptrace/debug_registers.ts", "bytes"],
  ["kernel/seccomp/bpf_filter.ts", "call"],
  ["kernel/seccomp/secure_call.ts", "data decision"],
  ["kernel/signal/frame.ts", "frame frameView"],
  ["kernel/signal/signal_file.ts", "buffer view"],
  ["kernel/task/task_stats.ts", "writer"],
  ["kernel/userfault/userfault_file.ts", "message view"],
];

function entriesOf(reason: Reason, rows: readonly Row[]): ModuleState[] {
  return rows.map(([file, names, why]) => ({
    reason,
    file,
    names: names.split(" "),
    why: why ?? "",
  }));
}

export const MODULE_STATE: readonly ModuleState[] = [
  ...entriesOf("constant", CONSTANTS),
  ...entriesOf("scratch", SCRATCH),
];

/** The names at module level of a file that may hold what can change. */
export function listedNames(file: string): readonly string[] {
  return MODULE_STATE.filter((s) => s.file === file).flatMap((s) => s.names);
}
