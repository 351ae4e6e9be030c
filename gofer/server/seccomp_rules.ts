/**
 * The host calls that the confined Gofer may make: data, each line with its reason and the allowed
 * arguments. Everything else is EPERM.
 *
 * seccomp.ts makes the filter. ffi/sys/runtime_calls.ts has the calls of Deno's own threads. There
 * is no execve, no fork, no socket, no mount, no ptrace, no kill, no ioctl. Frequent calls come
 * first; a rule without tests is for a call whose arguments are a descriptor, a name, a length or
 * an address.
 */

import * as F from "../../ffi/abi/fcntl.ts";
import * as S from "../../ffi/abi/socket.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "../../ffi/abi/stat.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from "../../ffi/abi/epoll.ts";
import {
  IPPROTO_TCP,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from "../../ffi/abi/inet.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../ffi/abi/xattr.ts";
import {
  allFlagsOf,
  type ArgumentTest,
  type CallRule,
  noFlagsBut,
  oneOf,
} from "../../ffi/asm/call_filter.ts";
import {
  ANONYMOUS_MEMORY,
  FUTEX_OPERATIONS,
  OWN_SIGNALS,
  RUNTIME_CALLS,
} from "../../ffi/sys/runtime_calls.ts";

/** Properties of the service that the rules depend on. */
export interface Confined {
  /** Descriptor of /proc/self/fd, by which files are opened. */
  readonly procFd: number;
  readonly pid: number;
  /**
   * Whether openat2(2) works here; without it names are walked with openat(2), in any directory.
   */
  readonly hasOpenat2: boolean;
  /** The server accepts clients. */
  readonly listens: boolean;
  /** Clients may make device nodes. */
  readonly makesDevices: boolean;
  readonly roots: readonly SocketUse[];
}

/** Rules for an exported directory. */
interface SocketUse {
  readonly connects: boolean;
  readonly binds: boolean;
}

/** Size of `struct open_how`, the first version of it. */
const OPEN_HOW_BYTES = 24;

function rule(nr: number, reason: string, ...tests: ArgumentTest[]): CallRule {
  return { nr, reason, tests };
}

/** sendto(2), recvfrom(2): the connection's own other end. */
const NO_ADDRESS = oneOf(4, 0);
const SENT = [
  allFlagsOf(3, S.MSG_NOSIGNAL),
  noFlagsBut(3, S.MSG_NOSIGNAL | S.MSG_DONTWAIT),
];
const NOT_FOLLOWED = F.AT_SYMLINK_NOFOLLOW | F.AT_NO_AUTOMOUNT;
const OPENED = F.O_ACCMODE | F.O_TRUNC | F.O_APPEND | F.O_SYNC | F.O_DIRECT | F.O_NOATIME |
  F.O_DIRECTORY | F.O_CLOEXEC | F.O_NONBLOCK | F.O_PATH;
/** Opens through the descriptor that holds the file, or without a name. */
const REOPENED = OPENED | F.O_TMPFILE | F.O_EXCL;

/** All rules of one Gofer. */
export function seccompRules(own: Confined): readonly CallRule[] {
  return [
    ...fileRules(own),
    ...clientRules(own.listens),
    ...socketRules(own.roots),
    rule(
      N.SYS_mmap,
      "V8's heap; malloc",
      ...ANONYMOUS_MEMORY,
    ),
    rule(N.SYS_futex, "locks between Deno's threads", FUTEX_OPERATIONS),
    rule(N.SYS_read, "eventfds of signals and of Deno's runtime"),
    rule(N.SYS_write, "messages on stderr; wake-ups by eventfd"),
    rule(N.SYS_writev, "messages on stderr from Rust"),
    rule(N.SYS_epoll_wait, "Deno's runtime waits"),
    rule(
      N.SYS_tgkill,
      "libc's abort; a fault that ends the process",
      oneOf(0, own.pid),
      oneOf(2, ...OWN_SIGNALS),
    ),
    rule(N.SYS_clock_gettime, "where the vDSO cannot answer"),
    ...RUNTIME_CALLS,
  ];
}

/** Files beneath the roots, all through descriptors that are open. */
function fileRules({ procFd, hasOpenat2, makesDevices }: Confined): readonly CallRule[] {
  const byProc = oneOf(0, procFd);
  return [
    rule(
      N.SYS_statx,
      "attributes of what a descriptor or a name holds",
      allFlagsOf(2, NOT_FOLLOWED),
      noFlagsBut(2, NOT_FOLLOWED | F.AT_EMPTY_PATH),
    ),
    rule(N.SYS_close, "a fid ends"),
    rule(
      N.SYS_openat2,
      "walk one name with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS",
      oneOf(3, OPEN_HOW_BYTES),
    ),
    rule(
      N.SYS_openat,
      "open what a descriptor holds, through /proc/self/fd",
      byProc,
      allFlagsOf(2, F.O_CLOEXEC),
      noFlagsBut(2, REOPENED),
    ),
    ...(hasOpenat2 ? [] : [rule(
      N.SYS_openat,
      "walk one name where the host has no openat2",
      allFlagsOf(2, F.O_CLOEXEC | F.O_NOFOLLOW),
      noFlagsBut(2, OPENED | F.O_NOFOLLOW | F.O_CREAT | F.O_EXCL),
    )]),
    rule(N.SYS_getdents64, "Treaddir"),
    rule(N.SYS_readlinkat, "targets of symlinks"),
    rule(N.SYS_llistxattr, "extended attributes of what is in a directory, for Tscan"),
    rule(N.SYS_listxattr, "extended attributes, by a path in /proc/self/fd"),
    rule(N.SYS_getxattr, "extended attributes"),
    rule(
      N.SYS_setxattr,
      "extended attributes",
      noFlagsBut(4, XATTR_CREATE | XATTR_REPLACE),
    ),
    rule(N.SYS_removexattr, "extended attributes"),
    rule(N.SYS_pread64, "Tread"),
    rule(N.SYS_pwrite64, "Twrite"),
    rule(
      N.SYS_fcntl,
      "copy a descriptor; record locks",
      oneOf(1, F.F_DUPFD_CLOEXEC, F.F_OFD_SETLK, F.F_OFD_GETLK),
    ),
    rule(N.SYS_lseek, "Treaddir from a cookie", oneOf(2, 0, 1)),
    rule(N.SYS_fstatfs, "Tstatfs"),
    rule(N.SYS_fsync, "Tfsync"),
    rule(N.SYS_fdatasync, "Tfsync of the data alone"),
    rule(N.SYS_ftruncate, "Tsetattr of the size"),
    rule(N.SYS_fchmodat, "Tsetattr of the mode; modes of new files", byProc),
    rule(
      N.SYS_fchownat,
      "Tsetattr of the owner; owners of new files",
      oneOf(4, F.AT_EMPTY_PATH),
    ),
    rule(N.SYS_utimensat, "Tsetattr of times", byProc, oneOf(3, 0)),
    rule(N.SYS_mkdirat, "Tmkdir"),
    rule(
      N.SYS_mknodat,
      "Tmknod of what is no device",
      { index: 2, mask: S_IFMT, values: [S_IFREG, S_IFIFO, S_IFSOCK, 0] },
    ),
    rule(
      N.SYS_mknodat,
      "the mark of overlayfs for a removed file",
      { index: 2, mask: S_IFMT, values: [S_IFCHR] },
      oneOf(3, 0),
    ),
    ...(makesDevices
      ? [rule(
        N.SYS_mknodat,
        "devices, by --allow-devices",
        { index: 2, mask: S_IFMT, values: [S_IFCHR, S_IFBLK] },
      )]
      : []),
    rule(N.SYS_symlinkat, "Tsymlink"),
    rule(N.SYS_linkat, "Tlink, of what a descriptor holds", byProc, oneOf(4, F.AT_SYMLINK_FOLLOW)),
    rule(
      N.SYS_unlinkat,
      "Tunlinkat, Tremove; the listening socket's name at the end",
      noFlagsBut(2, F.AT_REMOVEDIR),
    ),
    rule(
      N.SYS_renameat2,
      "Trenameat, Trename",
      noFlagsBut(4, F.RENAME_NOREPLACE | F.RENAME_EXCHANGE | F.RENAME_WHITEOUT),
    ),
  ];
}

/** Communication with clients. */
function clientRules(listens: boolean): readonly CallRule[] {
  const rules = [
    rule(N.SYS_recvfrom, "requests come in", NO_ADDRESS, noFlagsBut(3, S.MSG_DONTWAIT)),
    rule(N.SYS_sendto, "replies go out", NO_ADDRESS, ...SENT),
    rule(
      N.SYS_sendmsg,
      "replies with donated descriptors go out",
      allFlagsOf(2, S.MSG_NOSIGNAL),
      noFlagsBut(2, S.MSG_NOSIGNAL | S.MSG_DONTWAIT),
    ),
    rule(N.SYS_poll, "wait for the only client", oneOf(1, 1)),
  ];
  if (!listens) return rules;
  return [
    ...rules,
    rule(
      N.SYS_epoll_ctl,
      "watch a new client",
      oneOf(1, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL),
    ),
    rule(
      N.SYS_accept4,
      "take a new client; the listening socket was made before",
      oneOf(1, 0),
      oneOf(3, S.SOCK_CLOEXEC),
    ),
    rule(
      N.SYS_setsockopt,
      "a new client over TCP is answered at once, and found gone",
      oneOf(1, IPPROTO_TCP),
      oneOf(2, TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT),
    ),
    rule(
      N.SYS_setsockopt,
      "the same",
      oneOf(1, S.SOL_SOCKET),
      oneOf(2, S.SO_KEEPALIVE),
    ),
  ];
}

/**
 * For servers whose clients may connect to sockets or make some. The network namespace is the
 * Gofer's own and empty.
 */
function socketRules(roots: readonly SocketUse[]): readonly CallRule[] {
  const rules: CallRule[] = [];
  const connects = roots.some((root) => root.connects), binds = roots.some((root) => root.binds);
  if (connects || binds) {
    rules.push(rule(
      N.SYS_socket,
      "a socket to connect or to bind",
      oneOf(0, S.AF_UNIX),
      oneOf(1, S.SOCK_STREAM | S.SOCK_CLOEXEC | S.SOCK_NONBLOCK),
      oneOf(2, 0),
    ));
  }
  if (connects) rules.push(rule(N.SYS_connect, "to a UNIX socket that a descriptor holds"));
  if (binds) {
    rules.push(rule(N.SYS_bind, "a name in a directory that a descriptor holds"));
    rules.push(rule(N.SYS_listen, "clients accept what connects"));
  }
  return rules;
}
