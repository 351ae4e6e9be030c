/** All sets of flags, by family: the data of `dvisor syscalls --flags`. */

import type { FlagSet } from "./flag_set.ts";
import { EPOLL_FLAGS } from "../../epoll/calls/flags.ts";
import { EVENTS_FLAGS } from "./events.ts";
import { FANOTIFY_FLAGS } from "../../fanotify/calls/flags.ts";
import { FILE_REQUESTS } from "./file_requests.ts";
import { FILES_FLAGS } from "./files.ts";
import { SIGNAL_FLAGS } from "../../signal/calls/flags.ts";
import { SECCOMP_FLAGS } from "../../seccomp/calls/flags.ts";
import { FUTEX_FLAGS } from "../../futex/calls/flags.ts";
import { IPC_FLAGS } from "../../ipc/calls/flags.ts";
import { KEYS_FLAGS } from "../../keys/calls/flags.ts";
import { LANDLOCK_FLAGS } from "../../landlock/calls/flags.ts";
import { MEMORY_FLAGS } from "./memory.ts";
import { NETLINK_FLAGS } from "../../net/calls/netlink_flags.ts";
import { PLACEMENT_FLAGS } from "./placement.ts";
import { PROCESSES_FLAGS } from "./processes.ts";
import { PTRACE_FLAGS } from "../../ptrace/calls/flags.ts";
import { SOCKETS_FLAGS } from "../../net/calls/flags.ts";
import { SYSTEM_FLAGS } from "./system.ts";
import { TERMINALS_FLAGS } from "./terminals.ts";
import { TIME_FLAGS } from "./time.ts";
import { URING_FLAGS } from "../../uring/calls/flags.ts";
import { USERFAULTFD_FLAGS } from "../../userfault/calls/flags.ts";

export const FLAG_SETS: readonly FlagSet[] = [
  ...EPOLL_FLAGS,
  ...FANOTIFY_FLAGS,
  ...FILES_FLAGS,
  ...FILE_REQUESTS,
  ...FUTEX_FLAGS,
  ...IPC_FLAGS,
  ...KEYS_FLAGS,
  ...LANDLOCK_FLAGS,
  ...MEMORY_FLAGS,
  ...NETLINK_FLAGS,
  ...PLACEMENT_FLAGS,
  ...PROCESSES_FLAGS,
  ...PTRACE_FLAGS,
  ...SECCOMP_FLAGS,
  ...SIGNAL_FLAGS,
  ...SOCKETS_FLAGS,
  ...SYSTEM_FLAGS,
  ...TERMINALS_FLAGS,
  ...TIME_FLAGS,
  ...URING_FLAGS,
  ...USERFAULTFD_FLAGS,
  ...EVENTS_FLAGS,
];
