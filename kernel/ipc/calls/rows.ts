/** The rows of System V IPC and POSIX message queues. */

import { type Row, row } from "../../syscalls/table.ts";
import * as mqueue from "./mqueue.ts";
import { sysMqNotify } from "./mq_notify.ts";
import * as msg from "./msg.ts";
import * as sem from "./sem.ts";
import * as shm from "./shm.ts";

export const rows: readonly Row[] = [
  row("shmget", shm.sysShmget, "int size hex", {
    support: "partial",
    note: "SHM_HUGETLB is ENOMEM: no huge pages are reserved",
  }),
  row("shmat", shm.sysShmat, "int ptr hex"),
  row("shmdt", shm.sysShmdt, "ptr"),
  row("shmctl", shm.sysShmctl, "int int ptr", {
    support: "partial",
    note: "SHM_LOCK is kept and shown; the host decides what stays in memory",
  }),

  row("semget", sem.sysSemget, "int int hex"),
  row("semop", sem.sysSemop, "int ptr size", { restart: "eintr" }),
  row("semtimedop", sem.sysSemtimedop, "int ptr size timespec", { restart: "eintr" }),
  row("semctl", sem.sysSemctl, "int int int hex"),

  row("msgget", msg.sysMsgget, "int hex"),
  row("msgsnd", msg.sysMsgsnd, "int ptr size hex", { restart: "nohand" }),
  row("msgrcv", msg.sysMsgrcv, "int ptr size long hex", { restart: "nohand" }),
  row("msgctl", msg.sysMsgctl, "int int ptr"),

  row("mq_open", mqueue.sysMqOpen, "str openflags mode ptr"),
  row("mq_unlink", mqueue.sysMqUnlink, "str"),
  row("mq_timedsend", mqueue.sysMqTimedsend, "fd buf size uint timespec"),
  row("mq_timedreceive", mqueue.sysMqTimedreceive, "fd out size ptr timespec"),
  row("mq_notify", sysMqNotify, "fd ptr"),
  row("mq_getsetattr", mqueue.sysMqGetsetattr, "fd ptr ptr"),
];
