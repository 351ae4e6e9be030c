/** Help texts of the verbs that run in the kernel part; the command line shows them. */

export const SYSCALLS_HELP = `Usage: dvisor syscalls [--flags] [--json]

Shows the system calls of the sandbox's kernel: number, name, how far it is supported, and what
is missing.

Options:
  --flags  their flags, commands and options instead: what works, or the error that it gives, and
           the guest test that shows it
  --json   as JSON, one object a call or set of flags`;

export const DOCTOR_HELP = `Usage: dvisor doctor [--json]

Shows what this host offers to a sandbox, which platform would be picked and why.

Options:
  --json  as JSON

Exit codes: 0 when a sandbox can run here, else 1.`;
