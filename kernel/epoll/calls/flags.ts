/**
 * The supported flags, operations and requests of epoll(7), with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, each, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const EPOLL_FLAGS: readonly FlagSet[] = [
  flagSet("epoll_ctl", "operation", [
    each("flags_events.epoll_operations", "EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD"),
  ]),
  flagSet("epoll_ctl", "events", [
    each(
      "flags_events.epoll_events",
      `EPOLLIN EPOLLPRI EPOLLOUT EPOLLERR EPOLLHUP EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM
EPOLLWRBAND EPOLLMSG EPOLLRDHUP EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET`,
    ),
  ]),
  flagSet("epoll_create1", "flags", [
    each("flags_events.epoll_flags", "EPOLL_CLOEXEC"),
  ]),
  flagSet("ioctl (epoll)", "request", [
    by("flags_events.busy_polling_of_epoll", "EPIOCSPARAMS EPIOCGPARAMS"),
  ]),
];
