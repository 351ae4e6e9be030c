/**
 * Starts a process that was not forked: the first process of the sandbox or of a container, or one
 * that a runtime's `exec` adds. It has no parent.
 */

import type { Account } from "../core/account.ts";
import { blankClock } from "../loader/vdso.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { CAP_IPC_LOCK } from "../../ffi/abi/capability.ts";
import { IN_GUEST } from "../core/result.ts";
import { type Credentials, hasCap } from "../cred/credentials.ts";
import { StringList } from "../loader/string_list.ts";
import type { FdTable } from "../vfs/fd_table.ts";
import type { FsContext } from "../vfs/fs_context.ts";
import { openExec } from "../vfs/open.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { joinGroups } from "../cgroup/group_set.ts";
import { resume } from "./alert.ts";
import type { Kernel } from "./kernel_services.ts";
import type { Job } from "../job/job.ts";
import type { Limits } from "./limits.ts";
import type { Container } from "./container.ts";
import type { Namespaces } from "./namespaces.ts";
import {
  enrollGroup,
  enrollProcessGroup,
  enrollSession,
  enrollTask,
  type PidNamespace,
  type TaskPid,
} from "./pid_namespace.ts";
import { discardProgram, makeProgram, type Program } from "./program.ts";
import { SignalHandlers } from "../signal/handlers.ts";
import { Task } from "./task.ts";
import { type ExitListener, ProcessGroup, Session, ThreadGroup } from "./thread_group.ts";

interface FirstProcess {
  /** Byte strings (core/bytes.ts); the path is absolute or relative to the working directory. */
  readonly path: string;
  /** The program, opened already: `path` is its name alone. Absent: it is opened by the path. */
  readonly file?: OpenFile;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly cred: Credentials;
  /** The process takes over the references; after an error they are dropped. */
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly limits: Limits;
  /**
   * The process leads a session of its own; otherwise its session is outside and shown as 0, as
   * across PID namespaces.
   */
  readonly leadsSession: boolean;
  /** Its container. The process becomes the container's init if there is none. */
  readonly container: Container;
  /** The account for objects made before the process exists. */
  readonly account: Account;
  /** Its PID namespace; the process takes over the reference of `ns`. */
  readonly pids: PidNamespace;
  readonly ns: Namespaces;
  readonly exitListener: ExitListener | null;
  /** The job that it is in; null: none. */
  readonly job: Job | null;
}

/**
 * Loads the program and puts its task into the run queue. Returns the task, or -errno as execve(2)
 * does.
 */
export function startProcess(kernel: Kernel, spec: FirstProcess): Task | number {
  const task = makeTask(kernel, spec, spec.pids.isEnding ? null : spec.pids.allocate());
  if (typeof task === "number") {
    spec.files.drop();
    spec.fs.drop();
    spec.ns.drop();
    return task;
  }
  const { group } = task, { container, job } = spec;
  group.container = container;
  container.groups.add(group);
  group.account.moveTo(container.accounts.ofUser(task.cred.uid));
  container.init ??= group;
  group.exitListener = spec.exitListener;
  enrollTask(task);
  joinGroups(task);
  // Its groups may have had quotas before they had tasks.
  task.cgroups.unified.cpu.wake();
  for (const legacy of task.cgroups.legacy) legacy.cpu.wake();
  enrollGroup(group);
  enrollProcessGroup(group.pgrp);
  enrollSession(group.session);
  resume(task);
  if (job !== null) enterJob(task, job);
  return task;
}

/** The first process of a job is its main process. */
function enterJob({ group }: Task, job: Job): void {
  group.job = job;
  job.tasks++;
  if (job.main === null) job.start(group);
  else job.add(group);
}

function makeTask(kernel: Kernel, spec: FirstProcess, id: TaskPid | null): Task | number {
  if (id === null) return -EAGAIN;
  const file = spec.file?.hold() ?? openExec(spec, AT_FDCWD, spec.path, true, false);
  if (typeof file === "number") return file;
  const program = makeProgram(kernel, spec, spec.container, spec.limits, {
    file,
    path: spec.path,
    argv: StringList.of(spec.argv),
    envp: StringList.of(spec.envp),
    isPathGone: false,
    personality: 0,
    isUnsafe: false,
  });
  file.drop();
  if (typeof program === "number") return program;
  const error = writeStrings(program);
  if (error < 0) return error;
  const pgrp = new ProcessGroup(id, new Session(spec.leadsSession ? id : null));
  const group = new ThreadGroup(id, null, pgrp, 0, spec.limits, kernel.now());
  group.exe = program.exe;
  group.hasExeced = true;
  const task = new Task(
    kernel,
    id,
    group,
    program.ctx,
    program.mm,
    spec.files,
    spec.fs,
    program.cred,
    new SignalHandlers(null),
    spec.ns,
  );
  program.cred.userNs.hold();
  program.mm.isDumpable = !program.isUnreadable;
  group.tasks.push(task);
  group.leader = task;
  task.comm = program.comm;
  if (spec.ns.time.isShifted) blankClock(task.mm);
  task.mm.limits.mayLockAll = hasCap(program.cred, CAP_IPC_LOCK);
  task.regsFetched = true;
  task.result = IN_GUEST;
  return task;
}

/**
 * Writes all strings in one turn, because no guest chose them. 0, or -errno and the program is
 * gone.
 */
function writeStrings(program: Program): number {
  let r = 1;
  while (r > 0) r = program.stack.writeStrings();
  if (r < 0) discardProgram(program);
  return r;
}
