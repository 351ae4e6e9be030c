/**
 * Sockets: families, types, options, messages, control messages.
 *
 * From include/linux/socket.h, asm-generic/socket.h, linux/un.h and linux/uio.h. Internet addresses
 * and options are in inet.ts.
 */

import { layout } from "./layout.ts";

/** Address families (PF_* are the same numbers). */
export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_AX25 = 3;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const AF_ALG = 38;
export const AF_VSOCK = 40;
export const AF_XDP = 44;
export const AF_MAX = 46;

/** Types, and flags in the same argument. */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_RDM = 4;
export const SOCK_SEQPACKET = 5;
export const SOCK_CLOEXEC = 0x80000;
export const SOCK_NONBLOCK = 0x800;

/** `how` of shutdown(2); backlog limit. */
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const SOMAXCONN = 4096;

/** Flags of send(2) and recv(2). */
export const MSG_OOB = 1;
export const MSG_PEEK = 2;
export const MSG_DONTROUTE = 4;
export const MSG_CTRUNC = 8;
export const MSG_PROXY = 0x10;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_FIN = 0x200;
export const MSG_SYN = 0x400;
export const MSG_CONFIRM = 0x800;
export const MSG_RST = 0x1000;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_ZEROCOPY = 0x4000000;
export const MSG_FASTOPEN = 0x20000000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

/** Levels of setsockopt(2). */
export const SOL_SOCKET = 1;
export const SOL_RAW = 255;
export const SOL_PACKET = 263;
export const SOL_NETLINK = 270;

/** Options at SOL_SOCKET. */
export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_NO_CHECK = 11;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_BSDCOMPAT = 14;
export const SO_REUSEPORT = 15;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_DETACH_REUSEPORT_BPF = 68;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_PEERNAME = 28;
export const SO_ACCEPTCONN = 30;
export const SO_PEERSEC = 31;
export const SO_PASSSEC = 34;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_RXQ_OVFL = 40;
export const SO_PEEK_OFF = 42;
export const SO_NOFCS = 43;
export const SO_LOCK_FILTER = 44;
export const SO_BPF_EXTENSIONS = 48;
export const SO_RCVMARK = 75;
export const SO_BUF_LOCK = 72;
export const SO_TIMESTAMPNS_NEW = 64;
export const SO_INCOMING_NAPI_ID = 56;
export const SO_MEMINFO = 55;
export const SO_CNX_ADVICE = 53;
export const SO_WIFI_STATUS = 41;
export const SO_SELECT_ERR_QUEUE = 45;
export const SO_BUSY_POLL = 46;
export const SO_MAX_PACING_RATE = 47;
export const SO_INCOMING_CPU = 49;
export const SO_ATTACH_BPF = 50;
export const SO_COOKIE = 57;
export const SO_PEERGROUPS = 59;
export const SO_ZEROCOPY = 60;
export const SO_TXTIME = 61;
export const SO_BINDTOIFINDEX = 62;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SO_RCVTIMEO_OLD = 20;
export const SO_SNDTIMEO_OLD = 21;
export const SO_TIMESTAMP = 29;
export const SO_TIMESTAMPNS = 35;
export const SO_TIMESTAMPING = 37;
export const SO_RCVTIMEO_NEW = 66;
export const SO_SNDTIMEO_NEW = 67;
export const SO_TIMESTAMP_NEW = 63;
export const SO_TIMESTAMPING_NEW = 65;
export const SO_PREFER_BUSY_POLL = 69;
export const SO_BUSY_POLL_BUDGET = 70;
export const SO_NETNS_COOKIE = 71;
export const SO_RESERVE_MEM = 73;
export const SO_TXREHASH = 74;
export const SO_PASSPIDFD = 76;
export const SO_PEERPIDFD = 77;

/** Limits of vectors. */
export const UIO_FASTIOV = 8;
export const UIO_MAXIOV = 1024;

/** Ioctls of sockets. */
export const SIOCINQ = 0x541b;
export const SIOCOUTQ = 0x5411;
export const SIOCATMARK = 0x8905;
export const SIOCSPGRP = 0x8902;
export const SIOCGSKNS = 0x894c;
export const SIOCGPGRP = 0x8904;
export const FIOSETOWN = 0x8901;
export const FIOGETOWN = 0x8903;

/** Control message types at SOL_SOCKET. */
export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;

/** Most descriptors in one SCM_RIGHTS message (include/net/scm.h). */
export const SCM_MAX_FD = 253;
export const SCM_PIDFD = 4;
export const SCM_SECURITY = 3;
export const SCM_TXTIME = 61;

/** `struct iovec`. */
export const Iovec = /* @__PURE__ */ layout("iovec", { base: "ptr", len: "u64" });

/** `struct msghdr` as the kernel reads it, 56 bytes. */
export const Msghdr = /* @__PURE__ */ layout("msghdr", {
  name: "ptr",
  namelen: "i32",
  iov: "ptr",
  iovlen: "u64",
  control: "ptr",
  controllen: "u64",
  flags: "u32",
});

/** `struct mmsghdr`: `len` is filled with the bytes moved. */
export const Mmsghdr = /* @__PURE__ */ layout("mmsghdr", { hdr: Msghdr, len: "u32" });

/** `struct cmsghdr`; data follow at once, each message is padded to 8 bytes. */
export const Cmsghdr = /* @__PURE__ */ layout("cmsghdr", { len: "u64", level: "i32", type: "i32" });

/** `CMSG_ALIGN`. */
export function cmsgAlign(lenBytes: number): number {
  return (lenBytes + 7) & ~7;
}

/** `CMSG_SPACE`: bytes that a control message with `lenBytes` of data takes. */
export function cmsgSpace(lenBytes: number): number {
  return Cmsghdr.size + cmsgAlign(lenBytes);
}

/** `struct ucred`. */
export const Ucred = /* @__PURE__ */ layout("ucred", { pid: "i32", uid: "u32", gid: "u32" });

/** `struct linger`: seconds. */
export const Linger = /* @__PURE__ */ layout("linger", { onoff: "i32", linger: "i32" });

/** `struct sockaddr`. */
export const Sockaddr = /* @__PURE__ */ layout("sockaddr", { family: "u16", data: ["u8", 14] });

/** `struct sockaddr_un`: an abstract name begins with NUL; the length is in the call. */
export const SockaddrUn = /* @__PURE__ */ layout("sockaddr_un", {
  family: "u16",
  path: ["u8", 108],
});

/** `struct sockaddr_storage`, the largest address. */
export const SOCKADDR_STORAGE_SIZE = 128;
export const UNIX_PATH_MAX = 108;
