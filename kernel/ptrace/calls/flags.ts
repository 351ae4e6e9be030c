/**
 * The supported requests and options of ptrace(2), with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const PTRACE_FLAGS: readonly FlagSet[] = [
  flagSet("ptrace", "request", [
    by("ptrace.ptrace_traceme_makes_the_parent_the_tracer", "PTRACE_TRACEME PTRACE_CONT"),
    by("ptrace_state.memory_is_read_and_written", "PTRACE_PEEKDATA PTRACE_POKEDATA"),
    by("ptrace_state.the_user_area_has_bounds", "PTRACE_PEEKUSER PTRACE_POKEUSER"),
    by("ptrace_state.registers_are_read_and_written", "PTRACE_GETREGS PTRACE_SETREGS"),
    by(
      "ptrace_state.floating_point_registers_are_read_and_written",
      "PTRACE_GETFPREGS PTRACE_SETFPREGS",
    ),
    by("ptrace_state.register_sets_are_read_and_written", "PTRACE_GETREGSET PTRACE_SETREGSET"),
    by("ptrace_state.ptrace_singlestep_runs_one_instruction", "PTRACE_SINGLESTEP"),
    by("ptrace_state.masks_are_read_and_written", "PTRACE_GETSIGMASK PTRACE_SETSIGMASK"),
    by("ptrace_state.ptrace_peeksiginfo_lists_pending_signals", "PTRACE_PEEKSIGINFO"),
    by("ptrace.calls_stop_at_entry_and_exit", "PTRACE_SYSCALL"),
    by("ptrace.calls_can_be_emulated", "PTRACE_SYSEMU"),
    by("ptrace.ptrace_get_syscall_info_describes_calls", "PTRACE_GET_SYSCALL_INFO"),
    by("ptrace.siginfo_can_be_replaced", "PTRACE_GETSIGINFO PTRACE_SETSIGINFO"),
    by("ptrace.a_process_can_be_attached_to", "PTRACE_ATTACH"),
    by("ptrace.detaching_can_deliver_a_signal", "PTRACE_DETACH"),
    by("ptrace.ptrace_interrupt_stops_a_seized_tracee", "PTRACE_SEIZE PTRACE_INTERRUPT"),
    by("ptrace.seized_tracees_can_be_left_in_a_group_stop", "PTRACE_LISTEN"),
    by("ptrace.filters_can_be_read", "PTRACE_SECCOMP_GET_FILTER"),
    by("ptrace.the_flags_of_filters_can_be_read", "PTRACE_SECCOMP_GET_METADATA"),
    by(
      "user_dispatch.a_tracer_reads_and_sets_the_dispatch",
      "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG",
    ),
    by("ptrace.sigkill_does_not_stop_a_tracee", "PTRACE_KILL"),
    fails("EIO", "PTRACE_SYSEMU_SINGLESTEP"),
  ]),
  flagSet("ptrace", "options", [
    by("ptrace.calls_stop_at_entry_and_exit", "PTRACE_O_TRACESYSGOOD"),
    by("ptrace.forks_are_reported_and_children_traced", "PTRACE_O_TRACEFORK"),
    by(
      "ptrace.a_vfork_is_reported_before_and_after",
      "PTRACE_O_TRACEVFORK PTRACE_O_TRACEVFORKDONE",
    ),
    by("ptrace.clones_are_reported_and_threads_traced", "PTRACE_O_TRACECLONE"),
    by("ptrace.execve_is_reported", "PTRACE_O_TRACEEXEC"),
    by("ptrace.the_exit_is_reported", "PTRACE_O_TRACEEXIT"),
    by("ptrace.a_filter_can_stop_a_call_for_the_tracer", "PTRACE_O_TRACESECCOMP"),
    by("ptrace.tracees_can_die_with_their_tracer", "PTRACE_O_EXITKILL"),
  ]),
];
