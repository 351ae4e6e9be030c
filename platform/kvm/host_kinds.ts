/**
 * The kinds of hosts: the processor itself runs a machine (VMX, SVM), or the host does so with page
 * tables of its own and by emulation of ring 0 (PVM, on a virtual machine whose processor has
 * neither).
 *
 * ../README.md lists what VMX and SVM do differently, and why the rest of this folder does not
 * depend on it.
 */

export interface HostKind {
  readonly name: "hardware" | "pvm";
  /**
   * A system call stays in ring 3, and the stub of calls runs there: its page belongs to user
   * space, and the port map leaves the port of calls open. On hardware the stub runs in ring 0, and
   * both are closed to ring 3.
   */
  readonly isCallInUserMode: boolean;
  /**
   * `Platform.sleepCostNs`: two wake-ups, and one exit from the machine with the entry behind it.
   */
  readonly sleepCostNs: number;
  /**
   * The time stamp counter of a machine begins at 0 and must be set to the host's value, which
   * Linux can since 5.16. Where ring 3 runs directly on the host's processor, the counter is the
   * host's, and the host may refuse to set it.
   */
  readonly isCounterShifted: boolean;
  /**
   * CPUID of a machine names all that its vCPUs can do. Other hosts name less, and load all state
   * all the same.
   */
  readonly tellsProcessor: boolean;
}

const PVM: HostKind = {
  name: "pvm",
  isCallInUserMode: true,
  sleepCostNs: 150_000,
  isCounterShifted: false,
  tellsProcessor: false,
};
const HARDWARE: HostKind = {
  name: "hardware",
  isCallInUserMode: false,
  sleepCostNs: 50_000,
  isCounterShifted: true,
  tellsProcessor: true,
};

/**
 * SAFETY: a host with VMX or SVM must not be taken for PVM: the vCPU would be in ring 0 in the stub
 * of calls, which would continue with guest code there.
 * @param cpuInfo text of /proc/cpuinfo
 * @throws Error if it does not name the processor's flags
 */
export function hostKind(cpuInfo: string): HostKind {
  const flags = /^flags\s*:.*/m.exec(cpuInfo)?.[0];
  if (flags === undefined) throw new Error("/proc/cpuinfo does not tell which processor this is");
  return /\b(svm|vmx)\b/.test(flags) ? HARDWARE : PVM;
}
