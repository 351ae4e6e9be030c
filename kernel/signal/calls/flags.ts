/**
 * The supported flags and operations of signals, with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { each, type FlagSet, flagSet, inPart } from "../../syscalls/flags/flag_set.ts";

export const SIGNAL_FLAGS: readonly FlagSet[] = [
  flagSet("rt_sigaction", "sa_flags", [
    each(
      "flags_processes.signal_flags",
      `SA_NOCLDSTOP SA_NOCLDWAIT SA_SIGINFO SA_UNSUPPORTED SA_EXPOSE_TAGBITS SA_RESTORER
SA_ONSTACK SA_RESTART SA_NODEFER SA_RESETHAND`,
    ),
  ]),
  flagSet("rt_sigprocmask", "how", [
    each("flags_processes.mask_changes", "SIG_BLOCK SIG_UNBLOCK SIG_SETMASK"),
  ]),
  flagSet("sigaltstack", "flags", [
    each("flags_processes.signal_stacks", "SS_DISABLE SS_AUTODISARM SS_ONSTACK"),
  ]),
  flagSet("pidfd_send_signal", "flags", [
    each("flags_processes.pidfd_signals", "PIDFD_SIGNAL_THREAD PIDFD_SIGNAL_THREAD_GROUP"),
    inPart("PIDFD_SIGNAL_PROCESS_GROUP"),
  ]),
  flagSet("signalfd4", "flags", [
    each("flags_events.signalfds", "SFD_NONBLOCK SFD_CLOEXEC"),
  ]),
];
