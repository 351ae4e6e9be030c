/** The limit of a job's CPU time: when its processes have used so much together, it is killed. */

import { CpuTimer } from "../task/cpu_timer.ts";
import type { Job } from "./job.ts";

export class JobCpuLimit extends CpuTimer {
  private readonly job: Job;

  constructor(job: Job) {
    super(job.kernel.timers);
    this.job = job;
  }

  protected override read(): number {
    return this.job.cpuNs;
  }

  protected override threads(): number {
    const { job } = this;
    return Math.min(job.tasks, job.kernel.host.cpuCount);
  }

  protected override onReached(_nowNs: number, _dueNs: number): void {
    this.job.kill("cpu");
  }
}
