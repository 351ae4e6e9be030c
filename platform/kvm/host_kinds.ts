/**
 * In what hosts differ: whether the processor itself runs a machine (VMX, SVM), or the host does so with page tables of its own
 * and by emulating ring 0 (PVM, a virtual machine that has no such processor).
 *
 * What VMX and SVM do differently, and why the rest of this folder need not know, is in ../README.md.
 */

export interface HostKind {
  readonly name: "hardware" | "pvm";
  /**
   * A system call stays in ring 3 and comes to the stub there: its page is one of user space, and the permission map of ports
   * has a hole for the one that tells of calls. On hardware both are closed: there the stub runs in ring 0.
   */
  readonly isCallInUserMode: boolean;
  /** `Platform.sleepCostNs`: two wake-ups, and the way out of the machine and in again. */
  readonly sleepCostNs: number;
  /**
   * A machine's time stamp counter begins at 0 and has to be given the host's value, which Linux can since 5.16. Where ring 3
   * runs on the host's own processor it is the host's, and the host may refuse.
   */
  readonly isCounterShifted: boolean;
  /** CPUID of a machine names what its processors can; others tell less than there is, and load it all the same. */
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
 * A processor must not be taken for PVM: it would be in ring 0 in the stub of calls, which would go on with guest code there.
 *
 * @param cpuInfo text of /proc/cpuinfo
 * @throws Error if it does not say what the processor can
 */
export function hostKind(cpuInfo: string): HostKind {
  const flags = /^flags\s*:.*/m.exec(cpuInfo)?.[0];
  if (flags === undefined) throw new Error("/proc/cpuinfo does not tell which processor this is");
  return /\b(svm|vmx)\b/.test(flags) ? HARDWARE : PVM;
}
