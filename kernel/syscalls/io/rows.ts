/** The rows of calls on descriptors: reading, writing, pipes, polling, copying. */

import { type Row, row } from "../table.ts";
import * as copy from "./copy.ts";
import * as fd from "./fd.ts";
import * as locks from "./locks.ts";
import * as pipe from "./pipe.ts";
import * as poll from "./poll.ts";
import * as readWrite from "./read_write.ts";
import * as storage from "./storage.ts";

export const rows: readonly Row[] = [
  row("read", readWrite.sysRead, "fd out size"),
  row("write", readWrite.sysWrite, "fd buf size"),
  row("readv", readWrite.sysReadv, "fd iov int"),
  row("writev", readWrite.sysWritev, "fd iov int"),
  row("pread64", readWrite.sysPread64, "fd out size off"),
  row("pwrite64", readWrite.sysPwrite64, "fd buf size off"),
  row("preadv", readWrite.sysPreadv, "fd iov int off"),
  row("pwritev", readWrite.sysPwritev, "fd iov int off"),
  row("preadv2", readWrite.sysPreadv2, "fd iov int off long hex"),
  row("pwritev2", readWrite.sysPwritev2, "fd iov int off long hex"),

  row("close", fd.sysClose, "fd"),
  row("close_range", fd.sysCloseRange, "uint uint hex"),
  row("dup", fd.sysDup, "fd"),
  row("dup2", fd.sysDup2, "fd fd"),
  row("dup3", fd.sysDup3, "fd fd hex"),
  row("fcntl", fd.sysFcntl, "fd fcntl hex", {
    support: "partial",
    note: "no leases (F_SETLEASE), no directory signals (F_NOTIFY), no write hints",
  }),
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

  row("sendfile", copy.sysSendfile, "fd fd ptr size"),
  row("copy_file_range", copy.sysCopyFileRange, "fd ptr fd ptr size hex"),
  row("splice", copy.sysSplice, "fd ptr fd ptr size hex"),
  row("tee", copy.sysTee, "fd fd size hex"),
  row("vmsplice", copy.sysVmsplice, "fd iov int hex"),

  row("pipe", pipe.sysPipe, "ptr"),
  row("pipe2", pipe.sysPipe2, "ptr hex"),

  row("poll", poll.sysPoll, "ptr uint int", { restart: "block" }),
  row("ppoll", poll.sysPpoll, "ptr uint timespec sigset size", { restart: "nohand" }),
  row("select", poll.sysSelect, "int ptr ptr ptr ptr", { restart: "nohand" }),
  row("pselect6", poll.sysPselect6, "int ptr ptr ptr timespec ptr", { restart: "nohand" }),
];
