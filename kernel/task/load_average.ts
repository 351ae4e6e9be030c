/**
 * Load averages (proc_loadavg(5), sysinfo(2)) without a timer: at each read the CPU time since the
 * last one counts as an even load over that time.
 *
 * DIFFERS: Linux samples the number of runnable tasks every five seconds; here the load is the CPU
 * time that tasks got.
 */

const MINUTE_NS = 60e9;
const PERIODS_NS: readonly [number, number, number] = [MINUTE_NS, 5 * MINUTE_NS, 15 * MINUTE_NS];

export class LoadAverage {
  private lastNs: number = 0;
  private lastCpuNs: number = 0;
  private loads: [number, number, number] = [0, 0, 0];

  /**
   * Loads over 1, 5 and 15 minutes. Both arguments count from the start of the sandbox; `cpuNs`:
   * CPU time of all tasks.
   */
  read(nowNs: number, cpuNs: number): readonly [number, number, number] {
    const elapsed = nowNs - this.lastNs;
    if (elapsed <= 0) return this.loads;
    const load = Math.max(0, cpuNs - this.lastCpuNs) / elapsed;
    const after = (old: number, period: number): number => {
      const kept = Math.exp(-elapsed / period);
      return old * kept + load * (1 - kept);
    };
    const [one, five, fifteen] = this.loads;
    this.loads = [
      after(one, PERIODS_NS[0]),
      after(five, PERIODS_NS[1]),
      after(fifteen, PERIODS_NS[2]),
    ];
    this.lastNs = nowNs;
    this.lastCpuNs = cpuNs;
    return this.loads;
  }
}
