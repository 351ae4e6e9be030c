/** The rows of epoll(7). */

import { type Row, row } from "../../syscalls/table.ts";
import * as epoll from "./epoll.ts";

export const rows: readonly Row[] = [
  row("epoll_create", epoll.sysEpollCreate, "int"),
  row("epoll_create1", epoll.sysEpollCreate1, "hex"),
  row("epoll_ctl", epoll.sysEpollCtl, "fd epollop fd ptr"),
  row("epoll_wait", epoll.sysEpollWait, "fd ptr int int", { restart: "eintr" }),
  row("epoll_pwait", epoll.sysEpollPwait, "fd ptr int int sigset size", { restart: "eintr" }),
  row("epoll_pwait2", epoll.sysEpollPwait2, "fd ptr int timespec sigset size", {
    restart: "eintr",
  }),
];
