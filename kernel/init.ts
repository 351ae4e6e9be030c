/**
 * Starts processes from outside the sandbox: the first process of the sandbox or of a container,
 * and those that `exec` of a runtime adds. A description gives the working directory, the command,
 * which is looked up in PATH, and the standard files.
 *
 * Neighbours: containers.ts (containers), task/first_process.ts (loading). oci/boot decides
 * which file systems are mounted.
 */

import type { Account } from "./core/account.ts";
import { EACCES, ENOENT, ENOTDIR } from "../ffi/abi/errno.ts";
import { AT_FDCWD } from "../ffi/abi/fcntl.ts";
import type { Credentials } from "./cred/credentials.ts";
import type { Job } from "./job/job.ts";
import type { SandboxKernel } from "./kernel.ts";
import type { Limits } from "./task/limits.ts";
import { Container } from "./task/container.ts";
import type { NamespaceCaller, Namespaces } from "./task/namespaces.ts";
import type { PidNamespace } from "./task/pid_namespace.ts";
import type { ExitListener } from "./task/thread_group.ts";
import { startProcess } from "./task/first_process.ts";
import type { Task } from "./task/task.ts";
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
  /** As FirstProcess.leadsSession. */
  readonly leadsSession: boolean;
  /** Descriptors 0, 1, ...; the table takes over the references. */
  readonly files: readonly OpenFile[];
}

/**
 * A caller for file operations before the first process has a program, such as opening its standard
 * files.
 */
export class InitCaller implements Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly cred: Credentials;
  readonly account: Account;

  constructor(account: Account, namespace: MountNamespace, cred: Credentials, umask: number) {
    this.account = account;
    this.files = new FdTable(account);
    const root = namespace.rootPath();
    this.fs = new FsContext(namespace, root, root, umask);
    this.cred = cred;
  }

  /** Gives back what it holds, unless a process has taken that over. */
  close(): void {
    this.files.drop();
    this.fs.drop();
  }
}

/** As InitCaller, in a container: it mounts and opens files in the container's namespaces. */
export class ContainerCaller extends InitCaller implements NamespaceCaller {
  readonly ns: Namespaces;
  readonly pids: PidNamespace;

  constructor(container: Container, cred: Credentials, umask: number) {
    super(container.accounts.all, container.mounts, cred, umask);
    this.ns = container.ns;
    this.pids = container.pids;
  }
}

/** The reason why a first process did not start. */
export interface InitFailure {
  readonly errno: number;
  /** The path that the error is about, or the working directory. */
  readonly what: string;
}

/**
 * Starts the first process of the sandbox: pid 1 of the kernel's first namespaces, with which the
 * sandbox ends. Returns -errno as in InitFailure; nothing is left behind then.
 */
export function startInit(
  kernel: SandboxKernel,
  namespace: MountNamespace,
  spec: InitSpec,
): Task | InitFailure {
  const container = new Container(
    "",
    kernel.pids,
    namespace.hold(),
    kernel.namespaces.hold(),
    kernel.accounts.open(),
  );
  return startIn(kernel, container, spec, null);
}

/**
 * Starts a process in a container: its init if it is the first, otherwise a further one, as `exec`
 * of a runtime does. It has no parent (getppid(2) is 0); `listener` is called at its end, and its
 * children then become orphans of the PID namespace's init. It is in `job`, as its main process if
 * the job has none yet. Puts the task into the run queue, or returns the reason why not; nothing is
 * left behind then.
 */
export function startIn(
  kernel: SandboxKernel,
  container: Container,
  spec: InitSpec,
  listener: ExitListener | null,
  job: Job | null = null,
): Task | InitFailure {
  // The host may have put files there just before (docker cp).
  for (const mount of container.mounts.mounts) mount.fs.expire();
  const caller = new ContainerCaller(container, spec.cred, spec.umask);
  for (const file of spec.files) caller.files.install(file, false, spec.files.length);
  const cwd = findAt(caller, AT_FDCWD, spec.cwd, 0);
  if (typeof cwd === "number") return failure(caller, cwd, spec.cwd);
  if (((cwd.dentry.inode?.mode ?? 0) & 0o170000) !== 0o040000) {
    return failure(caller, -ENOTDIR, spec.cwd);
  }
  caller.fs.setCwd(cwd);
  const name = spec.args[0] ?? "";
  const path = findProgram(caller, name, spec.env);
  if (typeof path === "number") return failure(caller, path, name);
  const task = startProcess(kernel, {
    path,
    argv: spec.args,
    envp: spec.env,
    cred: spec.cred,
    account: caller.account,
    files: caller.files,
    fs: caller.fs,
    limits: spec.limits,
    leadsSession: spec.leadsSession,
    container,
    pids: container.pids,
    ns: container.ns.hold(),
    exitListener: listener,
    job,
  });
  return typeof task === "number" ? { errno: -task, what: path } : task;
}

function failure(caller: InitCaller, error: number, what: string): InitFailure {
  caller.close();
  return { errno: -error, what };
}

/**
 * Looks a command up as a shell does: a name with a slash is a path, others are searched in PATH.
 */
export function findProgram(caller: Caller, name: string, env: readonly string[]): string | number {
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
