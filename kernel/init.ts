/**
 * The first process of a sandbox: its view of files, its identity, its program. What execve(2) does for everybody else,
 * from a description instead of a calling task.
 *
 * Not here: which file systems are mounted (oci/sandbox), the loop. Neighbours: task/program.ts, kernel.ts.
 */

import { EACCES, ENOENT, ENOEXEC, ENOTDIR } from "../ffi/abi/errno.ts";
import { AT_FDCWD } from "../ffi/abi/fcntl.ts";
import { BLOCK, IN_GUEST } from "./core/result.ts";
import { KernelBug } from "./core/kernel_bug.ts";
import type { Credentials } from "./cred/credentials.ts";
import type { SandboxKernel } from "./kernel.ts";
import { resume } from "./task/alert.ts";
import type { Limits } from "./task/limits.ts";
import { makeProgram, type Program } from "./task/program.ts";
import { SIGCHLD } from "./task/signal/sigset.ts";
import { SignalHandlers } from "./task/signal/handlers.ts";
import { Task } from "./task/task.ts";
import { ProcessGroup, Session, ThreadGroup } from "./task/thread_group.ts";
import type { Caller } from "./vfs/caller.ts";
import { FdTable } from "./vfs/fd_table.ts";
import { FsContext } from "./vfs/fs_context.ts";
import type { MountNamespace } from "./vfs/mounts.ts";
import { openExec } from "./vfs/open.ts";
import type { OpenFile } from "./vfs/open_file.ts";
import { findAt } from "./vfs/status.ts";

/** All strings are byte strings. */
export interface InitSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  readonly cred: Credentials;
  readonly limits: Limits;
  /** fd 0, 1, ...; the table takes over the references. */
  readonly files: readonly OpenFile[];
}

/** What the first process sees before it has a program: for opening its standard files, for instance. */
export class InitCaller implements Caller {
  readonly files: FdTable = new FdTable();
  readonly fs: FsContext;
  readonly cred: Credentials;

  constructor(namespace: MountNamespace, cred: Credentials, umask: number) {
    const root = namespace.rootPath();
    this.fs = new FsContext(namespace, root, root, umask);
    this.cred = cred;
  }
}

/** Why the first process could not be started. */
export interface InitFailure {
  readonly errno: number;
  /** What it was about: a path, or the working directory. */
  readonly what: string;
}

/** Make pid 1 and put it into the run queue, or say why not; nothing is left behind then. */
export function startInit(
  kernel: SandboxKernel,
  namespace: MountNamespace,
  spec: InitSpec,
): Task | InitFailure {
  const caller = new InitCaller(namespace, spec.cred, spec.umask);
  for (const file of spec.files) caller.files.install(file, false, spec.files.length);
  const cwd = findAt(caller, AT_FDCWD, spec.cwd, 0);
  if (typeof cwd === "number") return failed(caller, cwd, spec.cwd);
  if (((cwd.dentry.inode?.mode ?? 0) & 0o170000) !== 0o040000) {
    return failed(caller, -ENOTDIR, spec.cwd);
  }
  caller.fs.setCwd(cwd);
  const name = spec.args[0] ?? "";
  const path = findProgram(caller, name, spec.env);
  if (typeof path === "number") return failed(caller, path, name);
  const program = loadInit(kernel, caller, spec, path);
  if (typeof program === "number") return failed(caller, program, path);
  return becomeInit(kernel, caller, spec, program);
}

function failed(caller: InitCaller, error: number, what: string): InitFailure {
  caller.files.drop();
  caller.fs.drop();
  return { errno: -error, what };
}

/** As a shell looks a command up: a name with a slash is a path, others are searched in PATH. */
function findProgram(caller: Caller, name: string, env: readonly string[]): string | number {
  if (name === "") return -ENOENT;
  if (name.includes("/")) return name;
  const list = env.find((e) => e.startsWith("PATH="))?.slice(5) ?? "/usr/bin:/bin";
  let error = -ENOENT;
  for (const dir of list.split(":")) {
    const path = `${dir === "" ? "." : dir}/${name}`;
    const file = openExec(caller, AT_FDCWD, path, true, false);
    if (typeof file !== "number") {
      file.drop();
      return path;
    }
    if (file === -EACCES) error = -EACCES;
  }
  return error;
}

function loadInit(
  kernel: SandboxKernel,
  caller: Caller,
  spec: InitSpec,
  path: string,
): Program | number {
  const file = openExec(caller, AT_FDCWD, path, true, false);
  if (typeof file === "number") return file;
  const program = makeProgram(kernel, caller, spec.limits, {
    file,
    path,
    argv: spec.args,
    envp: spec.env,
    isPathGone: false,
    personality: 0,
    isShared: false,
  });
  file.drop();
  return program === BLOCK ? -ENOEXEC : program;
}

function becomeInit(
  kernel: SandboxKernel,
  caller: InitCaller,
  spec: InitSpec,
  program: Program,
): Task {
  const { pids } = kernel, pid = pids.allocate();
  if (pid !== 1) throw new KernelBug(`the first process got pid ${pid}`);
  const session = new Session(pid), pgrp = new ProcessGroup(pid, session);
  const group = new ThreadGroup(pid, null, pgrp, SIGCHLD, spec.limits, kernel.now());
  group.exe = program.exe;
  group.hasExeced = true;
  const task = new Task(
    kernel,
    pid,
    group,
    program.ctx,
    program.mm,
    caller.files,
    caller.fs,
    program.cred,
    new SignalHandlers(null),
  );
  task.comm = program.comm;
  task.regsFetched = true;
  task.result = IN_GUEST;
  group.leader = task;
  group.tasks.push(task);
  pids.tasks.set(pid, task);
  pids.groups.set(pid, group);
  pids.processGroups.set(pid, pgrp);
  pids.sessions.set(pid, session);
  resume(task);
  return task;
}
