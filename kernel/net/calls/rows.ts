/** The table rows of socket calls. */

import { type Row, row } from "../../syscalls/table.ts";
import * as options from "./options.ts";
import * as receive from "./receive.ts";
import * as send from "./send.ts";
import * as socket from "./socket.ts";

export const rows: readonly Row[] = [
  row("socket", socket.sysSocket, "int hex int", {
    support: "partial",
    note:
      "AF_UNIX; AF_INET and AF_INET6 on a loopback or as host sockets; AF_PACKET on links of the sandbox's own; AF_NETLINK: route (no rules), sock_diag, generic (TASKSTATS), connector, usersock",
  }),
  row("socketpair", socket.sysSocketpair, "int hex int ptr"),
  row("bind", socket.sysBind, "fd sockaddr int"),
  row("listen", socket.sysListen, "fd int"),
  row("accept", socket.sysAccept, "fd ptr ptr"),
  row("accept4", socket.sysAccept4, "fd ptr ptr hex"),
  row("connect", socket.sysConnect, "fd sockaddr int"),
  row("shutdown", socket.sysShutdown, "fd int"),
  row("getsockname", socket.sysGetsockname, "fd ptr ptr"),
  row("getpeername", socket.sysGetpeername, "fd ptr ptr"),
  row("setsockopt", options.sysSetsockopt, "fd int int ptr int", {
    support: "partial",
    note: "SO_ATTACH_FILTER on all but TCP; no SO_ATTACH_BPF; " +
      "SO_TIMESTAMPING of datagrams; no UDP_ENCAP, TCP_REPAIR, TCP_AO, TCP_ULP, TCP_MD5SIG; " +
      "of PACKET_* no ring for sending",
  }),
  row("getsockopt", options.sysGetsockopt, "fd int int ptr ptr"),
  row("sendto", send.sysSendto, "fd buf size hex sockaddr int"),
  row("sendmsg", send.sysSendmsg, "fd msghdr hex"),
  row("sendmmsg", send.sysSendmmsg, "fd ptr uint hex"),
  row("recvfrom", receive.sysRecvfrom, "fd out size hex ptr ptr"),
  row("recvmsg", receive.sysRecvmsg, "fd msghdr hex"),
  row("recvmmsg", receive.sysRecvmmsg, "fd ptr uint hex ptr"),
];
