/** Whether kvm is compared with the other platforms when none is asked for. Apart, for whoever only asks that. */

/** Why it is not, as a sentence begins; null: it is. */
export function objectionToKvm(): string | null {
  if (hasVmx(readCpuInfo())) {
    return "kvm was never run on a processor with VMX and has to be asked for";
  }
  // Measuring would say little.
  const isBusy = Deno.loadavg()[0]! >= navigator.hardwareConcurrency;
  return isBusy ? "the host is too busy to compare it with kvm" : null;
}

/** @param cpuInfo text of /proc/cpuinfo */
export function hasVmx(cpuInfo: string): boolean {
  return /^flags\s*:.*\bvmx\b/m.test(cpuInfo);
}

function readCpuInfo(): string {
  try {
    return Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    return "";
  }
}
