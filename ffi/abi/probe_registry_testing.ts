/**
 * The input of probe_test.ts: for each module its side, its layouts, and what C headers do not
 * have.
 *
 * The side says which headers have a constant: `kernel` are the uapi headers (linux/, asm/), `libc`
 * are glibc's; one file cannot include both. Field names of a layout become C names by a prefix,
 * and by a map for those that differ.
 */

import * as aio from "./aio.ts";
import * as bpf from "./bpf.ts";
import * as capability from "./capability.ts";
import * as dirent from "./dirent.ts";
import * as elf from "./elf.ts";
import * as epoll from "./epoll.ts";
import * as errno from "./errno.ts";
import * as errqueue from "./errqueue.ts";
import * as fanotify from "./fanotify.ts";
import * as fcntl from "./fcntl.ts";
import * as fs from "./fs.ts";
import * as futex from "./futex.ts";
import * as inet from "./inet.ts";
import * as inotify from "./inotify.ts";
import * as ioUring from "./io_uring.ts";
import * as ioctl from "./ioctl.ts";
import * as ipc from "./ipc.ts";
import * as keyctl from "./keyctl.ts";
import * as kvm from "./kvm.ts";
import * as landlock from "./landlock.ts";
import type { Fields, Layout } from "./layout.ts";
import * as loop from "./loop.ts";
import * as lsm from "./lsm.ts";
import * as mman from "./mman.ts";
import * as mount from "./mount.ts";
import * as netlink from "./netlink.ts";
import * as poll from "./poll.ts";
import { INTERFACE_LAYOUTS, KVM_LAYOUTS } from "./probe_structures_testing.ts";
import * as prctl from "./prctl.ts";
import * as ptrace from "./ptrace.ts";
import * as resource from "./resource.ts";
import * as sched from "./sched.ts";
import * as seccomp from "./seccomp.ts";
import * as siginfo from "./siginfo.ts";
import * as signal from "./signal.ts";
import * as sockDiag from "./sock_diag.ts";
import * as socket from "./socket.ts";
import * as stat from "./stat.ts";
import * as pagemap from "./pagemap.ts";
import * as statfs from "./statfs.ts";
import * as numbers from "./syscall_numbers.ts";
import * as system from "./system.ts";
import * as termios from "./termios.ts";
import * as time from "./time.ts";
import * as ucontext from "./ucontext.ts";
import * as userfaultfd from "./userfaultfd.ts";
import * as wait from "./wait.ts";
import * as xattr from "./xattr.ts";

export type Side = "kernel" | "libc";

/** A layout, its C type, and C names of its fields; a field mapped to "" has no counterpart. */
export interface LayoutProbe {
  readonly layout: Layout<Fields>;
  readonly type: string;
  readonly side: Side;
  readonly prefix: string;
  readonly rename: Readonly<Record<string, string>>;
}

/** Modules by file name. */
export const MODULES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  aio,
  bpf,
  capability,
  dirent,
  elf,
  epoll,
  errno,
  fanotify,
  fcntl,
  fs,
  futex,
  errqueue,
  inet,
  inotify,
  io_uring: ioUring,
  ioctl,
  ipc,
  keyctl,
  kvm,
  lsm,
  mman,
  mount,
  netlink,
  poll,
  prctl,
  ptrace,
  resource,
  sched,
  landlock,
  loop,
  seccomp,
  siginfo,
  signal,
  sock_diag: sockDiag,
  socket,
  stat,
  pagemap,
  statfs,
  syscall_numbers: numbers,
  system,
  termios,
  time,
  ucontext,
  userfaultfd,
  wait,
  xattr,
};

/** Constants that no header of user space has: kernel-internal ones, and names of our own. */
export const NOT_IN_C: ReadonlySet<string> = new Set(
  `UDPLITE_SEND_CSCOV UDPLITE_RECV_CSCOV
  MAX_ERRNO ERESTARTSYS ERESTARTNOINTR ERESTARTNOHAND ENOIOCTLCMD ERESTART_RESTARTBLOCK
  MAXSYMLINKS MAX_RW_COUNT ST_VALID MQUEUE_MAGIC PAGE_SIZE PAGE_SHIFT SIGRTMAX NSIG SIGSET_SIZE
  SIG_DFL SIG_IGN SI_MAX_SIZE USER_HZ FD_SETSIZE EP_MAX_NESTS EP_MAX_EVENTS SCM_MAX_FD SCM_PIDFD
  SCM_SECURITY SOCKADDR_STORAGE_SIZE IF_OPER_UNKNOWN IF_OPER_DOWN IF_OPER_UP STATUS_CONTINUED N_TTY
  DISABLED_CHAR SUID_DUMP_DISABLE SUID_DUMP_USER SUID_DUMP_ROOT TASK_COMM_LEN RLIM_INFINITY UTS_LEN
  USER_DEBUGREG_OFFSET O_ASYNC X86_TRAP_DE X86_TRAP_DB X86_TRAP_BP X86_TRAP_OF X86_TRAP_BR
  X86_TRAP_UD X86_TRAP_NM X86_TRAP_DF X86_TRAP_TS X86_TRAP_NP X86_TRAP_SS X86_TRAP_GP X86_TRAP_PF
  X86_TRAP_MF
  X86_TRAP_AC X86_TRAP_XF X86_PF_PROT X86_PF_WRITE X86_PF_USER X86_PF_INSTR X86_PF_PK
  SYSLOG_ACTION_CLOSE SYSLOG_ACTION_OPEN SYSLOG_ACTION_READ SYSLOG_ACTION_READ_ALL
  SYSLOG_ACTION_READ_CLEAR SYSLOG_ACTION_CLEAR SYSLOG_ACTION_CONSOLE_OFF SYSLOG_ACTION_CONSOLE_ON
  SYSLOG_ACTION_CONSOLE_LEVEL SYSLOG_ACTION_SIZE_UNREAD SYSLOG_ACTION_SIZE_BUFFER
  SIGEV_THREAD_ID ICMP_FILTER ICMPV6_FILTER ICMP_ECHOREPLY ICMP_ECHO ICMPV6_ECHO_REQUEST
  ICMPV6_ECHO_REPLY ICMP_DEST_UNREACH ICMP_HOST_UNREACH ICMP_PORT_UNREACH ICMPV6_DEST_UNREACH
  ICMPV6_ADDR_UNREACH ICMPV6_PORT_UNREACH ICMP_PROT_UNREACH
  FS_IOC_RESVSP FS_IOC_RESVSP64`.split(/\s+/),
);

function probe(
  layout: Layout<Fields>,
  type: string,
  prefix = "",
  rename: Readonly<Record<string, string>> = {},
  side: Side = "kernel",
): LayoutProbe {
  return { layout, type, side, prefix, rename };
}

/** Names of fields as C writes them: words_with_lines. */
function inC(layout: Layout<Fields>, prefix = ""): Readonly<Record<string, string>> {
  const c = (name: string) =>
    prefix + name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.keys(layout.at).map((name) => [name, c(name)]));
}

const SIGINFO_HEAD = { signo: "si_signo", errno: "si_errno", code: "si_code", pad: "" };
const IPC_UNUSED = { unused1: "", unused2: "", unused3: "", unused4: "", unused5: "" };

/** Every layout of the modules above that has a C counterpart. */
export const LAYOUTS: readonly LayoutProbe[] = [
  probe(aio.Iocb, "struct iocb", "aio_", {
    opcode: "aio_lio_opcode",
    rwFlags: "aio_rw_flags",
  }),
  probe(aio.IoEvent, "struct io_event"),
  probe(lsm.LsmCtx, "struct lsm_ctx", "", { ctxLen: "ctx_len" }),
  probe(ioUring.IoUringSyncCancelReg, "struct io_uring_sync_cancel_reg", "", {
    timeoutSec: "timeout.tv_sec",
    timeoutNsec: "timeout.tv_nsec",
  }),
  probe(ioUring.IoUringRsrcUpdate, "struct io_uring_rsrc_update"),
  probe(ioUring.IoUringRsrcRegister, "struct io_uring_rsrc_register"),
  probe(ioUring.IoUringRsrcUpdate2, "struct io_uring_rsrc_update2"),
  probe(ioUring.IoUringBuf, "struct io_uring_buf"),
  probe(ioUring.IoUringBufStatus, "struct io_uring_buf_status", "", { bufGroup: "buf_group" }),
  probe(ioUring.IoUringRestriction, "struct io_uring_restriction", "", {
    registerOp: "register_op",
  }),
  probe(ioUring.IoUringCloneBuffers, "struct io_uring_clone_buffers", "", { srcFd: "src_fd" }),
  probe(ioUring.IoUringRecvmsgOut, "struct io_uring_recvmsg_out"),
  probe(ioUring.IoUringClockRegister, "struct io_uring_clock_register", "", { resv: "__resv" }),
  probe(ioUring.IoUringSqe, "struct io_uring_sqe", "", {
    rwFlags: "rw_flags",
    userData: "user_data",
    bufIndex: "buf_index",
    spliceFdIn: "splice_fd_in",
    pad2: "",
  }),
  probe(ioUring.IoUringCqe, "struct io_uring_cqe", "", { userData: "user_data" }),
  probe(ioUring.IoUringParams, "struct io_uring_params", "", inC(ioUring.IoUringParams)),
  probe(ioUring.SqOffsets, "struct io_sqring_offsets", "", {
    ringMask: "ring_mask",
    ringEntries: "ring_entries",
    userAddr: "user_addr",
  }),
  probe(ioUring.CqOffsets, "struct io_cqring_offsets", "", {
    ringMask: "ring_mask",
    ringEntries: "ring_entries",
    userAddr: "user_addr",
  }),
  probe(ioUring.IoUringGeteventsArg, "struct io_uring_getevents_arg", "", {
    sigmaskSz: "sigmask_sz",
    minWaitUsec: "min_wait_usec",
  }),
  probe(ioUring.IoUringProbeOp, "struct io_uring_probe_op"),
  probe(capability.CapHeader, "struct __user_cap_header_struct"),
  probe(capability.CapData, "struct __user_cap_data_struct"),
  probe(capability.VfsNsCapData, "struct vfs_ns_cap_data", "", { magicEtc: "magic_etc" }),
  probe(dirent.LinuxDirent64, "struct dirent64", "d_", {}, "libc"),
  probe(elf.Ehdr, "Elf64_Ehdr", "e_", {}, "libc"),
  probe(elf.Phdr, "Elf64_Phdr", "p_", {}, "libc"),
  probe(elf.Shdr, "Elf64_Shdr", "sh_", {}, "libc"),
  probe(elf.Sym, "Elf64_Sym", "st_", {}, "libc"),
  probe(elf.Dyn, "Elf64_Dyn", "d_", { val: "d_un.d_val" }, "libc"),
  probe(elf.Nhdr, "Elf64_Nhdr", "n_", {}, "libc"),
  probe(epoll.EpollEvent, "struct epoll_event"),
  probe(epoll.SignalfdSiginfo, "struct signalfd_siginfo", "ssi_", {
    addrLsb: "ssi_addr_lsb",
    pad2: "__pad2",
    callAddr: "ssi_call_addr",
    pad: "__pad",
  }),
  probe(fcntl.Flock, "struct flock", "l_"),
  probe(fcntl.FOwnerEx, "struct f_owner_ex"),
  probe(fcntl.OpenHow, "struct open_how"),
  probe(fcntl.FileHandle, "struct file_handle", "", {
    handleBytes: "handle_bytes",
    handleType: "handle_type",
    handle: "f_handle",
  }, "libc"),
  probe(fs.FileCloneRange, "struct file_clone_range", "", inC(fs.FileCloneRange)),
  probe(fs.FileDedupeRange, "struct file_dedupe_range", "", inC(fs.FileDedupeRange)),
  probe(fs.FileDedupeRangeInfo, "struct file_dedupe_range_info", "", inC(fs.FileDedupeRangeInfo)),
  probe(fs.Fiemap, "struct fiemap", "fm_", inC(fs.Fiemap, "fm_")),
  probe(fs.FiemapExtent, "struct fiemap_extent", "fe_"),
  probe(pagemap.PmScanArg, "struct pm_scan_arg", "", inC(pagemap.PmScanArg)),
  probe(pagemap.PageRegion, "struct page_region", ""),
  probe(fs.Fsxattr, "struct fsxattr", "fsx_"),
  probe(futex.RobustListHead, "struct robust_list_head", "", {
    futexOffset: "futex_offset",
    listOpPending: "list_op_pending",
  }),
  probe(futex.FutexWaitv, "struct futex_waitv", "", { reserved: "__reserved" }),
  probe(inet.SockaddrIn, "struct sockaddr_in", "sin_", {}, "libc"),
  probe(inet.SockaddrIn6, "struct sockaddr_in6", "sin6_", { scopeId: "sin6_scope_id" }, "libc"),
  probe(inet.IpMreqn, "struct ip_mreqn", "imr_", {}, "libc"),
  probe(inet.IpMreqSource, "struct ip_mreq_source", "imr_", {}, "libc"),
  probe(inet.IpMsfilter, "struct ip_msfilter", "imsf_", {}, "libc"),
  probe(inet.Ipv6Mreq, "struct ipv6_mreq", "ipv6mr_", {}, "libc"),
  probe(inet.GroupReq, "struct group_req", "gr_", {}, "libc"),
  probe(inet.GroupSourceReq, "struct group_source_req", "gsr_", {}, "libc"),
  probe(inet.GroupFilter, "struct group_filter", "gf_", {}, "libc"),
  probe(errqueue.SockExtendedErr, "struct sock_extended_err", "ee_"),
  probe(inet.InPktinfo, "struct in_pktinfo", "ipi_", { specDst: "ipi_spec_dst" }, "libc"),
  probe(inet.Arpreq, "struct arpreq", "arp_", {}, "libc"),
  probe(inet.Ifreq, "struct ifreq", "", { name: "ifr_ifrn", data: "ifr_ifru" }, "libc"),
  probe(inet.Ifconf, "struct ifconf", "ifc_", { buf: "ifc_ifcu" }, "libc"),
  probe(fanotify.FanotifyEventMetadata, "struct fanotify_event_metadata", "", {
    eventLen: "event_len",
    metadataLen: "metadata_len",
  }),
  probe(fanotify.FanotifyEventInfoHeader, "struct fanotify_event_info_header", "", {
    infoType: "info_type",
  }),
  probe(fanotify.FanotifyResponse, "struct fanotify_response"),
  probe(inotify.InotifyEvent, "struct inotify_event"),
  probe(ipc.Ipc64Perm, "struct ipc64_perm", "", { pad2: "__pad2", unused1: "", unused2: "" }),
  probe(ipc.Shmid64Ds, "struct shmid64_ds", "shm_", { ...IPC_UNUSED, segsz: "shm_segsz" }),
  probe(ipc.Semid64Ds, "struct semid64_ds", "sem_", IPC_UNUSED),
  probe(ipc.Sembuf, "struct sembuf", "sem_"),
  probe(ipc.Msqid64Ds, "struct msqid64_ds", "msg_", IPC_UNUSED),
  probe(ipc.MqAttr, "struct mq_attr", "mq_", { reserved: "__reserved" }),
  probe(mount.MountAttr, "struct mount_attr", "", {
    attrSet: "attr_set",
    attrClr: "attr_clr",
    usernsFd: "userns_fd",
  }),
  probe(netlink.SockaddrNl, "struct sockaddr_nl", "nl_"),
  probe(netlink.Nlmsghdr, "struct nlmsghdr", "nlmsg_"),
  probe(netlink.Nlmsgerr, "struct nlmsgerr"),
  probe(netlink.Rtattr, "struct rtattr", "rta_"),
  probe(netlink.Rtgenmsg, "struct rtgenmsg", "rtgen_"),
  probe(netlink.Ifinfomsg, "struct ifinfomsg", "ifi_", { pad: "__ifi_pad" }),
  probe(netlink.Ifaddrmsg, "struct ifaddrmsg", "ifa_"),
  probe(netlink.Rtmsg, "struct rtmsg", "rtm_", { dstLen: "rtm_dst_len", srcLen: "rtm_src_len" }),
  probe(netlink.Ndmsg, "struct ndmsg", "ndm_"),
  probe(netlink.FibRuleHdr, "struct fib_rule_hdr", "", { dstLen: "dst_len", srcLen: "src_len" }),
  probe(poll.Pollfd, "struct pollfd"),
  probe(prctl.PrctlMmMap, "struct prctl_mm_map", "", {
    startCode: "start_code",
    endCode: "end_code",
    startData: "start_data",
    endData: "end_data",
    startBrk: "start_brk",
    startStack: "start_stack",
    argStart: "arg_start",
    argEnd: "arg_end",
    envStart: "env_start",
    envEnd: "env_end",
    auxvSize: "auxv_size",
    exeFd: "exe_fd",
  }),
  probe(ptrace.UserRegs, "struct user_regs_struct", "", {
    origRax: "orig_rax",
    fsBase: "fs_base",
    gsBase: "gs_base",
  }, "libc"),
  probe(ptrace.PtraceSudConfig, "struct ptrace_sud_config"),
  probe(ptrace.PtracePeeksiginfoArgs, "struct ptrace_peeksiginfo_args"),
  probe(ptrace.PtraceSyscallInfo, "struct ptrace_syscall_info", "", {
    pad: "",
    instructionPointer: "instruction_pointer",
    stackPointer: "stack_pointer",
    nr: "seccomp.nr",
    args: "seccomp.args",
    retData: "seccomp.ret_data",
  }),
  probe(resource.Rlimit, "struct rlimit64", "rlim_"),
  probe(resource.Rusage, "struct rusage", "ru_"),
  probe(sched.CloneArgs, "struct clone_args", "", {
    childTid: "child_tid",
    parentTid: "parent_tid",
    exitSignal: "exit_signal",
    stackSize: "stack_size",
    setTid: "set_tid",
    setTidSize: "set_tid_size",
  }),
  probe(sched.SchedAttr, "struct sched_attr", "", {
    schedPolicy: "sched_policy",
    schedFlags: "sched_flags",
    schedNice: "sched_nice",
    schedPriority: "sched_priority",
    schedRuntime: "sched_runtime",
    schedDeadline: "sched_deadline",
    schedPeriod: "sched_period",
    schedUtilMin: "sched_util_min",
    schedUtilMax: "sched_util_max",
  }),
  probe(sched.SchedParam, "struct sched_param", "sched_", {}, "libc"),
  probe(loop.LoopInfo, "struct loop_info", "lo_", {
    encryptType: "lo_encrypt_type",
    encryptKeySize: "lo_encrypt_key_size",
    encryptKey: "lo_encrypt_key",
    reserved: "reserved",
  }),
  probe(loop.LoopInfo64, "struct loop_info64", "lo_", {
    encryptType: "lo_encrypt_type",
    encryptKeySize: "lo_encrypt_key_size",
    fileName: "lo_file_name",
    cryptName: "lo_crypt_name",
    encryptKey: "lo_encrypt_key",
  }),
  probe(loop.LoopConfig, "struct loop_config", "", {
    blockSize: "block_size",
    reserved: "__reserved",
  }),
  probe(landlock.LandlockRulesetAttr, "struct landlock_ruleset_attr", "", {
    handledAccessFs: "handled_access_fs",
    handledAccessNet: "handled_access_net",
  }),
  probe(landlock.LandlockPathBeneathAttr, "struct landlock_path_beneath_attr", "", {
    allowedAccess: "allowed_access",
    parentFd: "parent_fd",
  }),
  probe(landlock.LandlockNetPortAttr, "struct landlock_net_port_attr", "", {
    allowedAccess: "allowed_access",
  }),
  probe(seccomp.SeccompData, "struct seccomp_data", "", {
    instructionPointer: "instruction_pointer",
  }),
  probe(seccomp.SeccompNotif, "struct seccomp_notif"),
  probe(seccomp.SeccompNotifResp, "struct seccomp_notif_resp"),
  probe(seccomp.SeccompNotifAddfd, "struct seccomp_notif_addfd", "", {
    newfdFlags: "newfd_flags",
  }),
  probe(seccomp.SeccompNotifSizes, "struct seccomp_notif_sizes", "", {
    seccompNotif: "seccomp_notif",
    seccompNotifResp: "seccomp_notif_resp",
    seccompData: "seccomp_data",
  }),
  probe(seccomp.SockFilter, "struct sock_filter"),
  probe(seccomp.SockFprog, "struct sock_fprog"),
  probe(siginfo.SiginfoRt, "siginfo_t", "si_", SIGINFO_HEAD),
  probe(siginfo.SiginfoTimer, "siginfo_t", "si_", {
    ...SIGINFO_HEAD,
    sysPrivate: "_sifields._timer._sys_private",
  }),
  probe(siginfo.SiginfoChld, "siginfo_t", "si_", SIGINFO_HEAD),
  probe(siginfo.SiginfoFault, "siginfo_t", "si_", { ...SIGINFO_HEAD, addrLsb: "si_addr_lsb" }),
  probe(siginfo.SiginfoPkey, "siginfo_t", "si_", { ...SIGINFO_HEAD, lsb: "si_addr_lsb" }),
  probe(siginfo.SiginfoPoll, "siginfo_t", "si_", SIGINFO_HEAD),
  probe(siginfo.SiginfoSys, "siginfo_t", "si_", { ...SIGINFO_HEAD, callAddr: "si_call_addr" }),
  probe(siginfo.Sigevent, "struct sigevent", "sigev_", {
    tid: "sigev_notify_thread_id",
    pad: "",
  }),
  probe(signal.Sigaction, "struct sigaction", "sa_"),
  probe(signal.StackT, "stack_t", "ss_"),
  probe(sockDiag.InetDiagReq, "struct inet_diag_req_v2", "", {
    family: "sdiag_family",
    protocol: "sdiag_protocol",
    ext: "idiag_ext",
    states: "idiag_states",
  }),
  probe(sockDiag.InetDiagMsg, "struct inet_diag_msg", "idiag_", {
    sport: "id.idiag_sport",
    dport: "id.idiag_dport",
    src: "id.idiag_src",
    dst: "id.idiag_dst",
    ifindex: "id.idiag_if",
    cookie: "id.idiag_cookie",
  }),
  probe(sockDiag.UnixDiagReq, "struct unix_diag_req", "udiag_", {
    family: "sdiag_family",
    protocol: "sdiag_protocol",
    pad: "pad",
  }),
  probe(sockDiag.UnixDiagMsg, "struct unix_diag_msg", "udiag_", { pad: "pad" }),
  probe(sockDiag.OtherDiagReq, "struct packet_diag_req", "pdiag_", {
    family: "sdiag_family",
    protocol: "sdiag_protocol",
    pad: "pad",
  }),
  probe(sockDiag.PacketDiagMsg, "struct packet_diag_msg", "pdiag_"),
  probe(sockDiag.NetlinkDiagMsg, "struct netlink_diag_msg", "ndiag_", {
    dstPortid: "ndiag_dst_portid",
    dstGroup: "ndiag_dst_group",
  }),
  probe(socket.Iovec, "struct iovec", "iov_"),
  probe(socket.Msghdr, "struct msghdr", "msg_", {}, "libc"),
  probe(socket.Mmsghdr, "struct mmsghdr", "msg_", {}, "libc"),
  probe(socket.Cmsghdr, "struct cmsghdr", "cmsg_", {}, "libc"),
  probe(socket.Ucred, "struct ucred", "", {}, "libc"),
  probe(socket.Linger, "struct linger", "l_", {}, "libc"),
  probe(socket.Sockaddr, "struct sockaddr", "sa_", {}, "libc"),
  probe(socket.SockaddrUn, "struct sockaddr_un", "sun_"),
  probe(stat.Stat, "struct stat", "st_", {
    pad0: "__pad0",
    atimeNsec: "st_atime_nsec",
    mtimeNsec: "st_mtime_nsec",
    ctimeNsec: "st_ctime_nsec",
    unused: "__unused",
  }),
  probe(stat.StatxTimestamp, "struct statx_timestamp", "tv_", { reserved: "__reserved" }),
  probe(stat.Statx, "struct statx", "stx_", {
    spare0: "__spare0",
    attributesMask: "stx_attributes_mask",
    rdevMajor: "stx_rdev_major",
    rdevMinor: "stx_rdev_minor",
    devMajor: "stx_dev_major",
    devMinor: "stx_dev_minor",
    mntId: "stx_mnt_id",
    dioMemAlign: "stx_dio_mem_align",
    dioOffsetAlign: "stx_dio_offset_align",
    atomicWriteUnitMin: "stx_atomic_write_unit_min",
    atomicWriteUnitMax: "stx_atomic_write_unit_max",
    atomicWriteSegmentsMax: "stx_atomic_write_segments_max",
    spare1: "",
    spare3: "",
  }),
  probe(statfs.Statfs, "struct statfs", "f_"),
  probe(system.Utsname, "struct new_utsname"),
  probe(system.Sysinfo, "struct sysinfo", "", { memUnit: "mem_unit" }),
  probe(termios.Termios, "struct termios", "c_"),
  probe(termios.Termios2, "struct termios2", "c_"),
  probe(termios.Termio, "struct termio", "c_"),
  probe(termios.Winsize, "struct winsize", "ws_"),
  probe(time.Timespec, "struct timespec", "tv_"),
  probe(time.Timeval, "struct timeval", "tv_"),
  probe(time.Timezone, "struct timezone", "tz_"),
  probe(time.Itimerspec, "struct itimerspec", "it_"),
  probe(time.Itimerval, "struct itimerval", "it_"),
  probe(time.Utimbuf, "struct utimbuf"),
  probe(time.Tms, "struct tms", "tms_"),
  probe(time.Timex, "struct __kernel_timex", "", { reserved: "" }),
  probe(ucontext.Sigcontext, "struct sigcontext", "", { fpstate: "fpstate" }),
  probe(ucontext.Ucontext, "struct ucontext", "uc_", {
    stackSp: "uc_stack.ss_sp",
    stackFlags: "uc_stack.ss_flags",
    stackSize: "uc_stack.ss_size",
  }),
  probe(ucontext.FpxSwBytes, "struct _fpx_sw_bytes", "", {
    extendedSize: "extended_size",
    xstateSize: "xstate_size",
  }),
  probe(ucontext.Fpstate, "struct _fpstate", "", {
    mxcsrMask: "mxcsr_mask",
    stSpace: "st_space",
    xmmSpace: "xmm_space",
    swReserved: "sw_reserved",
  }),
  probe(ucontext.XsaveHeader, "struct _header"),
  ...[...KVM_LAYOUTS, ...INTERFACE_LAYOUTS].map(([layout, type, rename]) =>
    probe(layout, type, "", rename)
  ),
];
