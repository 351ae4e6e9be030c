/**
 * The first process of a sandbox, from a description: working directory, search of the command in PATH, standard files.
 *
 * Not here: which file systems are mounted (oci/sandbox), loading (task/first_process.ts), the loop.
 */

import { EACCES, ENOENT, ENOTDIR } from "../ffi/abi/errno.ts";
import { AT_FDCWD } from "../ffi/abi/fcntl.ts";
import type { Credentials } from "./cred/credentials.ts";
import type { SandboxKernel } from "./kernel.ts";
import type { Limits } from "./task/limits.ts";
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
  const task = startProcess(kernel, {
    path,
    argv: spec.args,
    envp: spec.env,
    cred: spec.cred,
    files: caller.files,
    fs: caller.fs,
    limits: spec.limits,
    leadsSession: spec.leadsSession,
  });
  return typeof task === "number" ? { errno: -task, what: path } : task;
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
