/** The limits that a container's view of its control group shows. Infinity: "max". */
export interface CgroupLimits {
  /** Bytes. */
  memoryMax: number;
  memoryHigh: number;
  memoryLow: number;
  swapMax: number;
  /** Time in each period of `cpuPeriodUs`, us. */
  cpuQuotaUs: number;
  cpuPeriodUs: number;
  /** 1..10000. */
  cpuWeight: number;
  /** Lists as in cpuset(7); "": those of the parent. */
  cpus: string;
  mems: string;
  /** Tasks. */
  pidsMax: number;
}

/** No limits. */
export function noLimits(): CgroupLimits {
  return {
    memoryMax: Infinity,
    memoryHigh: Infinity,
    memoryLow: 0,
    swapMax: Infinity,
    cpuQuotaUs: Infinity,
    cpuPeriodUs: 100_000,
    cpuWeight: 100,
    cpus: "",
    mems: "",
    pidsMax: Infinity,
  };
}
