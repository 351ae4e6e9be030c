/** The settings of /proc/sys with their defaults, those of Linux 6.12 on a machine of some GB. */

import { CAP_LAST_CAP } from "../../../ffi/abi/capability.ts";
import { EPOLL_ITEMS, FANOTIFY_GROUPS, INODE_WATCHES, OPEN_FILES } from "../../core/quota.ts";
import { MAX_AREAS } from "../../mm/vma.ts";
import { MIN_ADDRESS } from "../../mm/address_layout.ts";
import { NR_OPEN } from "../../vfs/fd_table.ts";
import { MOUNT_MAX } from "../../vfs/mounts.ts";
import type { Setting } from "./sysctl_store.ts";

const INT_MAX = 0x7fffffff, UINT_MAX = 0xffffffff;
/** Larger than exact numbers of JS: kept as text. */
const SHM_MAX = "18446744073692774399";

/** A number between `min` and `max`, which root may change. */
function number(path: string, value: number, min: number = 0, max: number = INT_MAX): Setting {
  return { path, permissions: 0o644, value: String(value), bounds: [min, max] };
}

/** A limit of this kernel: writes must give the same value. */
function limit(path: string, value: number): Setting {
  return number(path, value, value, value);
}

function numbers(path: string, ...values: number[]): Setting {
  return { path, permissions: 0o644, value: values.join("\t"), bounds: [0, INT_MAX] };
}

function constant(path: string, value: number | string): Setting {
  return { path, permissions: 0o444, value: String(value), bounds: null };
}

function text(path: string, value: string): Setting {
  return { path, permissions: 0o644, value, bounds: null };
}

/** A setting of the first network namespace alone. */
function ofFirst(isOfFirst: "hidden" | "shown", setting: Setting): Setting {
  return { ...setting, isOfFirst };
}

/** A text of some of these words. */
function words(path: string, all: readonly string[]): Setting {
  return { path, permissions: 0o644, value: all.join(" "), bounds: null, words: all };
}

/** Actions of seccomp(2) that can be logged. */
const LOGGED_ACTIONS: readonly string[] = [
  "kill_process",
  "kill_thread",
  "trap",
  "errno",
  "user_notif",
  "trace",
  "log",
];

const FS: readonly Setting[] = [
  number("fs/aio-max-nr", 65536),
  number("fs/dir-notify-enable", 1, 0, 1),
  limit("fs/epoll/max_user_watches", EPOLL_ITEMS.limit),
  limit("fs/fanotify/max_queued_events", 16384),
  limit("fs/fanotify/max_user_groups", FANOTIFY_GROUPS.limit),
  limit("fs/fanotify/max_user_marks", INODE_WATCHES.limit),
  limit("fs/file-max", OPEN_FILES.limit),
  number("fs/inotify/max_queued_events", 16384),
  number("fs/inotify/max_user_instances", 128),
  limit("fs/inotify/max_user_watches", INODE_WATCHES.limit),
  number("fs/leases-enable", 1, 0, 1),
  limit("fs/mount-max", MOUNT_MAX),
  number("fs/mqueue/msg_default", 10, 1),
  number("fs/mqueue/msg_max", 10, 1, 65536),
  number("fs/mqueue/msgsize_default", 8192, 128),
  number("fs/mqueue/msgsize_max", 8192, 128, 16777216),
  number("fs/mqueue/queues_max", 256),
  limit("fs/nr_open", NR_OPEN),
  limit("fs/overflowgid", 65534),
  limit("fs/overflowuid", 65534),
  number("fs/pipe-max-size", 1048576, 4096, 2 ** 31),
  number("fs/pipe-user-pages-hard", 0),
  number("fs/pipe-user-pages-soft", 16384),
  limit("fs/suid_dumpable", 0),
];

const KERNEL: readonly Setting[] = [
  constant("kernel/arch", "x86_64"),
  number("kernel/auto_msgmni", 0, 0, 1),
  constant("kernel/cap_last_cap", CAP_LAST_CAP),
  text("kernel/core_pattern", "core"),
  number("kernel/core_pipe_limit", 0),
  number("kernel/core_uses_pid", 0, 0, 1),
  number("kernel/ctrl-alt-del", 0),
  number("kernel/dmesg_restrict", 1, 0, 1),
  limit("kernel/io_uring_disabled", 2),
  number("kernel/keys/gc_delay", 300),
  number("kernel/keys/maxbytes", 20000),
  number("kernel/keys/maxkeys", 200),
  number("kernel/keys/persistent_keyring_expiry", 259200),
  number("kernel/keys/root_maxbytes", 25000000),
  number("kernel/keys/root_maxkeys", 1000000),
  number("kernel/kptr_restrict", 2, 0, 2),
  number("kernel/msgmax", 8192),
  number("kernel/msgmnb", 16384),
  number("kernel/msgmni", 32000),
  constant("kernel/ngroups_max", 65536),
  limit("kernel/overflowgid", 65534),
  limit("kernel/overflowuid", 65534),
  number("kernel/panic", 0, -1),
  number("kernel/panic_on_oops", 0, 0, 1),
  number("kernel/perf_event_paranoid", 2, -1),
  limit("kernel/pid_max", 4194304),
  numbers("kernel/printk", 4, 4, 1, 7),
  number("kernel/printk_ratelimit", 5),
  number("kernel/pty/max", 4096),
  constant("kernel/random/entropy_avail", 256),
  constant("kernel/random/poolsize", 256),
  number("kernel/random/urandom_min_reseed_secs", 60),
  number("kernel/random/write_wakeup_threshold", 256),
  limit("kernel/randomize_va_space", 2),
  number("kernel/sched_autogroup_enabled", 0, 0, 1),
  number("kernel/sched_rr_timeslice_ms", 100),
  number("kernel/sched_rt_period_us", 1000000),
  number("kernel/sched_rt_runtime_us", 950000, -1),
  constant("kernel/seccomp/actions_avail", [...LOGGED_ACTIONS, "allow"].join(" ")),
  words("kernel/seccomp/actions_logged", LOGGED_ACTIONS),
  numbers("kernel/sem", 32000, 1024000000, 500, 32000),
  number("kernel/shm_rmid_forced", 0, 0, 1),
  text("kernel/shmall", SHM_MAX),
  text("kernel/shmmax", SHM_MAX),
  number("kernel/shmmni", 4096, 0, 32768),
  constant("kernel/sysctl_writes_strict", 1),
  number("kernel/sysrq", 0),
  constant("kernel/tainted", 0),
  number("kernel/threads-max", 4194304, 20),
  limit("kernel/unprivileged_bpf_disabled", 2),
];

const VM: readonly Setting[] = [
  number("vm/admin_reserve_kbytes", 8192),
  number("vm/dirty_background_bytes", 0),
  number("vm/dirty_background_ratio", 10, 0, 100),
  number("vm/dirty_bytes", 0),
  number("vm/dirty_expire_centisecs", 3000),
  number("vm/dirty_ratio", 20, 0, 100),
  number("vm/dirty_writeback_centisecs", 500),
  limit("vm/legacy_va_layout", 0),
  limit("vm/max_map_count", MAX_AREAS),
  number("vm/min_free_kbytes", 67584),
  limit("vm/mmap_min_addr", MIN_ADDRESS),
  limit("vm/nr_hugepages", 0),
  limit("vm/nr_overcommit_hugepages", 0),
  number("vm/oom_dump_tasks", 1),
  number("vm/oom_kill_allocating_task", 0),
  number("vm/overcommit_kbytes", 0),
  limit("vm/overcommit_memory", 0),
  number("vm/overcommit_ratio", 50),
  number("vm/page-cluster", 3),
  number("vm/panic_on_oom", 0, 0, 2),
  number("vm/stat_interval", 1),
  number("vm/swappiness", 60, 0, 200),
  number("vm/unprivileged_userfaultfd", 0, 0, 1),
  number("vm/user_reserve_kbytes", 131072),
  number("vm/vfs_cache_pressure", 100),
  number("vm/zone_reclaim_mode", 0),
];

const NET: readonly Setting[] = [
  ofFirst("hidden", text("net/core/default_qdisc", "pfifo_fast")),
  ofFirst("hidden", number("net/core/netdev_max_backlog", 1000)),
  number("net/core/optmem_max", 131072),
  ofFirst("shown", number("net/core/rmem_default", 212992, 2304)),
  ofFirst("shown", number("net/core/rmem_max", 212992, 2304)),
  number("net/core/somaxconn", 4096),
  ofFirst("shown", number("net/core/wmem_default", 212992, 4608)),
  ofFirst("shown", number("net/core/wmem_max", 212992, 4608)),
  number("net/ipv4/icmp_echo_ignore_all", 0, 0, 1),
  number("net/ipv4/igmp_max_memberships", 20),
  number("net/ipv4/igmp_max_msf", 10),
  number("net/ipv4/ip_default_ttl", 64, 1, 255),
  numbers("net/ipv4/ip_local_port_range", 32768, 60999),
  {
    ...text("net/ipv4/ip_local_reserved_ports", ""),
    ranges: 65535,
  },
  number("net/ipv4/ip_nonlocal_bind", 0, 0, 255),
  number("net/ipv4/ip_unprivileged_port_start", 1024, 0, 65535),
  numbers("net/ipv4/ping_group_range", 1, 0),
  ofFirst("shown", text("net/ipv4/tcp_allowed_congestion_control", "reno cubic")),
  constant("net/ipv4/tcp_available_congestion_control", "reno cubic"),
  text("net/ipv4/tcp_congestion_control", "cubic"),
  number("net/ipv4/tcp_ecn", 2, 0, 2),
  number("net/ipv4/tcp_fastopen", 1),
  number("net/ipv4/tcp_fastopen_blackhole_timeout_sec", 0),
  number("net/ipv4/tcp_fin_timeout", 60),
  number("net/ipv4/tcp_keepalive_intvl", 75, 1),
  number("net/ipv4/tcp_keepalive_probes", 9, 1, 255),
  number("net/ipv4/tcp_keepalive_time", 7200, 1),
  number("net/ipv4/tcp_max_syn_backlog", 1024),
  number("net/ipv4/tcp_max_tw_buckets", 65536),
  ofFirst("hidden", numbers("net/ipv4/tcp_mem", 94275, 125703, 188550)),
  number("net/ipv4/tcp_mtu_probing", 0, 0, 2),
  number("net/ipv4/tcp_notsent_lowat", UINT_MAX, 0, UINT_MAX),
  number("net/ipv4/tcp_retries1", 3, 0, 255),
  number("net/ipv4/tcp_retries2", 15),
  numbers("net/ipv4/tcp_rmem", 4096, 131072, 6291456),
  number("net/ipv4/tcp_sack", 1, 0, 1),
  number("net/ipv4/tcp_slow_start_after_idle", 1, 0, 1),
  number("net/ipv4/tcp_syn_retries", 6, 1, 127),
  number("net/ipv4/tcp_synack_retries", 5, 0, 255),
  number("net/ipv4/tcp_syncookies", 1, 0, 2),
  number("net/ipv4/tcp_timestamps", 1, 0, 2),
  number("net/ipv4/tcp_tw_reuse", 2, 0, 2),
  number("net/ipv4/tcp_window_scaling", 1, 0, 1),
  numbers("net/ipv4/tcp_wmem", 4096, 16384, 4194304),
  number("net/ipv6/bindv6only", 0, 0, 255),
  number("net/ipv6/ip_nonlocal_bind", 0, 0, 255),
  number("net/unix/max_dgram_qlen", 10),
];

export const SETTINGS: readonly Setting[] = [...FS, ...KERNEL, ...NET, ...VM];
