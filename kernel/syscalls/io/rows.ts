/** The rows of calls on descriptors: reading, writing, pipes, polling, copying. */

import { type Row, row } from "../table.ts";
import * as copy from "./splice.ts";
import * as eventfd from "./eventfd.ts";
import * as fd from "./descriptors.ts";
import * as inotify from "./inotify.ts";
import * as locks from "./locks.ts";
import * as pipe from "./pipe.ts";
import * as poll from "./poll.ts";
import * as readWrite from "./read_write.ts";
import * as select from "./select.ts";
import { READS, WRITES } from "../../task/transfer_counts.ts";
import * as storage from "./storage.ts";
import * as timerfd from "./timerfd.ts";

const READING = { moves: READS } as const, WRITING = { moves: WRITES } as const;
const COPYING: { readonly moves: number } = { moves: READS | WRITES };

export const rows: readonly Row[] = [
  row("read", readWrite.sysRead, "fd out size", READING),
  row("write", readWrite.sysWrite, "fd buf size", WRITING),
  row("readv", readWrite.sysReadv, "fd iov int", READING),
  row("writev", readWrite.sysWritev, "fd iov int", WRITING),
  row("pread64", readWrite.sysPread64, "fd out size off", READING),
  row("pwrite64", readWrite.sysPwrite64, "fd buf size off", WRITING),
  row("preadv", readWrite.sysPreadv, "fd iov int off", READING),
  row("pwritev", readWrite.sysPwritev, "fd iov int off", WRITING),
  row("preadv2", readWrite.sysPreadv2, "fd iov int off long hex", READING),
  row("pwritev2", readWrite.sysPwritev2, "fd iov int off long hex", WRITING),

  row("close", fd.sysClose, "fd"),
  row("close_range", fd.sysCloseRange, "uint uint hex"),
  row("dup", fd.sysDup, "fd"),
  row("dup2", fd.sysDup2, "fd fd"),
  row("dup3", fd.sysDup3, "fd fd hex"),
  row("fcntl", fd.sysFcntl, "fd fcntl hex"),
  row("ioctl", fd.sysIoctl, "fd ioctl hex"),
  row("lseek", fd.sysLseek, "fd off whence"),
  row("flock", locks.sysFlock, "fd hex"),

  row("fsync", storage.sysFsync, "fd"),
  row("fdatasync", storage.sysFdatasync, "fd"),
  row("sync_file_range", storage.sysSyncFileRange, "fd off off hex"),
  row("ftruncate", storage.sysFtruncate, "fd off"),
  row("fallocate", storage.sysFallocate, "fd hex off off"),
  row("fadvise64", storage.sysFadvise64, "fd off size int"),
  row("readahead", storage.sysReadahead, "fd off size"),

  row("sendfile", copy.sysSendfile, "fd fd ptr size", COPYING),
  row("copy_file_range", copy.sysCopyFileRange, "fd ptr fd ptr size hex", COPYING),
  row("splice", copy.sysSplice, "fd ptr fd ptr size hex"),
  row("tee", copy.sysTee, "fd fd size hex"),
  row("vmsplice", copy.sysVmsplice, "fd iov int hex"),

  row("pipe", pipe.sysPipe, "ptr"),
  row("pipe2", pipe.sysPipe2, "ptr hex"),

  row("poll", poll.sysPoll, "ptr uint int", { restart: "block" }),
  row("ppoll", poll.sysPpoll, "ptr uint timespec sigset size", { restart: "nohand" }),
  row("select", select.sysSelect, "int ptr ptr ptr ptr", { restart: "nohand" }),
  row("pselect6", select.sysPselect6, "int ptr ptr ptr timespec ptr", { restart: "nohand" }),

  row("eventfd", eventfd.sysEventfd, "uint"),
  row("eventfd2", eventfd.sysEventfd2, "uint hex"),
  row("timerfd_create", timerfd.sysTimerfdCreate, "clock hex"),
  row("timerfd_settime", timerfd.sysTimerfdSettime, "fd hex ptr ptr", {
    support: "partial",
    note: "only a snapshot's restore moves timers of the real-time clock and cancels them",
  }),
  row("timerfd_gettime", timerfd.sysTimerfdGettime, "fd ptr"),
  row("inotify_init", inotify.sysInotifyInit, ""),
  row("inotify_init1", inotify.sysInotifyInit1, "hex"),
  row("inotify_add_watch", inotify.sysInotifyAddWatch, "fd path hex"),
  row("inotify_rm_watch", inotify.sysInotifyRmWatch, "fd int"),
];
