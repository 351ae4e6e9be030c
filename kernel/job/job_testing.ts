/** A lab of jobs for unit tests: a container, its first process, and jobs beside it. */

import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { Container } from "../task/container.ts";
import { LabKernel } from "../testing/task_lab.ts";
import { openAt } from "../vfs/open.ts";
import { BufferCursor } from "../vfs/vfs_testing.ts";
import { Job, type JobLimits, type JobListener } from "./job.ts";

const TEXT = 0x401000;
const image = new Uint8Array(writeExecutable(TEXT, [{
  vaddr: TEXT,
  bytes: new Uint8Array(new Assembler().syscall().assemble(TEXT)),
  read: true,
  write: false,
  exec: true,
}]));

const NO_LIMITS: JobLimits = {
  wallNs: Infinity,
  cpuNs: Infinity,
  memoryBytes: Infinity,
  tasks: Infinity,
  cpus: Infinity,
};

/** Keeps what jobs report: lines. */
export class Reports implements JobListener {
  readonly lines: string[] = [];
  private readonly endsRest: boolean;

  constructor(endsRest: boolean = false) {
    this.endsRest = endsRest;
  }

  onOomKill(victim: ThreadGroup): void {
    this.lines.push(`oom ${victim.pid}`);
  }

  onMainEnd(job: Job): void {
    this.lines.push(`main ${job.status} ${job.reason}`);
    if (this.endsRest) job.killRest();
  }

  onJobEnd(job: Job): void {
    this.lines.push(`end ${job.reason}`);
  }
}

interface StartedJob {
  readonly job: Job;
  readonly main: Task;
  /** One line for each report of the job. */
  readonly lines: readonly string[];
}

export class JobLab {
  readonly kernel: LabKernel = new LabKernel();
  /** The first process of the container, in no job. */
  readonly init: Task = this.kernel.start();
  readonly container: Container = new Container(
    "c",
    this.kernel.pids,
    this.init.fs.namespace,
    this.init.ns,
    this.kernel.accounts.open(),
  );

  constructor() {
    const { group } = this.init, { container } = this;
    group.container = container;
    container.init = group;
    container.groups.add(group);
    // CPU time counts from now on.
    this.kernel.pass(0);
  }

  /** Starts the main process of a job. `endsRest`: the rest is killed at its end. */
  start(limits: Partial<JobLimits> = {}, endsRest: boolean = false): StartedJob {
    const { kernel, container, init } = this, reports = new Reports(endsRest);
    const job = new Job(kernel, container, { ...NO_LIMITS, ...limits }, reports);
    const main = this.fork(init), { group } = main;
    init.group.children.delete(group);
    group.parent = null;
    group.job = job;
    job.tasks++;
    job.start(group);
    return { job, main, lines: reports.lines };
  }

  fork(task: Task): Task {
    return this.taskOf(this.kernel.call(task, "fork"));
  }

  /** Makes a file with a program. */
  addProgram(path: string): void {
    const file = openAt(this.init, AT_FDCWD, path, O_WRONLY | O_CREAT, 0o755);
    if (typeof file === "number") throw new Error(`no ${path}: ${file}`);
    const written = file.write(new BufferCursor(image), 0);
    file.drop();
    if (written !== image.length) throw new Error(`${path}: ${written}`);
  }

  taskOf(tid: number | string): Task {
    const task = this.kernel.pids.tasks.get(Number(tid));
    if (task === undefined) throw new Error(`no task ${tid}`);
    return task;
  }

  /** The tasks outside of the first process that have not ended. */
  get left(): Task[] {
    return [...this.kernel.pids.tasks.values()].filter((task) => task !== this.init);
  }

  close(): void {
    this.kernel.close();
  }
}
