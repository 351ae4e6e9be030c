/**
 * Flags, commands and options of System V IPC, message queues and futexes that work, each with the
 * guest test that shows it.
 */

import { each, type FlagSet, flagSet, refused } from "../../syscalls/flags/flag_set.ts";

export const IPC_FLAGS: readonly FlagSet[] = [
  flagSet("semget msgget", "flags", [
    each("flags_ipc.gets", "IPC_CREAT IPC_EXCL IPC_PRIVATE"),
  ]),
  flagSet("semctl", "command", [
    each(
      "flags_ipc.semaphore_commands",
      `IPC_RMID IPC_SET IPC_STAT IPC_INFO SEM_INFO GETALL SETALL GETPID GETVAL SETVAL GETNCNT
GETZCNT`,
    ),
    refused("EINVAL", "flags_ipc.semaphore_commands", "SEM_STAT SEM_STAT_ANY"),
  ]),
  flagSet("semop semtimedop", "sem_flg", [
    each("flags_ipc.semaphore_flags", "IPC_NOWAIT SEM_UNDO"),
  ]),
  flagSet("msgctl", "command", [
    each("flags_ipc.queue_commands", "IPC_RMID IPC_SET IPC_STAT IPC_INFO MSG_INFO"),
    refused("EINVAL", "flags_ipc.queue_commands", "MSG_STAT MSG_STAT_ANY"),
  ]),
  flagSet("msgsnd msgrcv", "msgflg", [
    each("flags_ipc.message_flags", "MSG_NOERROR MSG_EXCEPT MSG_COPY"),
    refused("ENOMSG", "flags_ipc.message_flags", "IPC_NOWAIT"),
  ]),
  flagSet("mq_open", "oflag", [
    each("flags_ipc.queue_flags", "O_CREAT O_EXCL O_RDWR O_CLOEXEC"),
    refused("EAGAIN", "flags_ipc.queue_flags", "O_NONBLOCK"),
    refused("EBADF", "flags_ipc.queue_flags", "O_RDONLY O_WRONLY"),
  ]),
  flagSet("mq_notify", "sigev_notify", [
    each("flags_ipc.queue_notices", "SIGEV_NONE SIGEV_SIGNAL"),
    refused("EFAULT", "flags_ipc.queue_notices", "SIGEV_THREAD"),
  ]),
];
