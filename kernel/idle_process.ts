/**
 * A process 1 without a program of its own, for sandboxes whose processes all come from outside
 * (docs/internals/sessions.md). It exists so that orphans have a parent. It never runs: it stands
 * still before its first instruction, and the kernel reaps its children, because it ignores
 * SIGCHLD.
 */

import { EINVAL } from "../ffi/abi/errno.ts";
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  O_RDONLY,
} from "../ffi/abi/fcntl.ts";
import { SIG_IGN, SIGCHLD } from "../ffi/abi/signal.ts";
import { rootCredentials } from "./cred/credentials.ts";
import { addSeals } from "./fs/tmpfs/memfd.ts";
import { ContainerCaller, type InitFailure } from "./init.ts";
import type { SandboxKernel } from "./kernel.ts";
import { BytesCursor } from "./net/bytes_cursor.ts";
import type { Container } from "./task/container.ts";
import { startProcess } from "./task/first_process.ts";
import { Limits } from "./task/limits.ts";
import type { Task } from "./task/task.ts";
import { openPathDirectly } from "./vfs/open.ts";
import type { OpenFile } from "./vfs/open_file.ts";

const NAME = "init", UMASK = 0o022;
const SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

/**
 * Starts the process as the init of a container without processes. `program` is a static ELF file;
 * it goes into a memfd, so that the container's file tree has no file of it.
 */
export function startIdle(
  kernel: SandboxKernel,
  container: Container,
  program: Uint8Array<ArrayBuffer>,
): Task | InitFailure {
  const caller = new ContainerCaller(container, rootCredentials(), UMASK);
  const file = sealedProgram(kernel, caller, program);
  if (typeof file === "number") {
    caller.close();
    return { errno: -file, what: NAME };
  }
  const task = startProcess(kernel, {
    path: NAME,
    file,
    argv: [NAME],
    envp: [],
    cred: caller.cred,
    account: caller.account,
    files: caller.files,
    fs: caller.fs,
    limits: new Limits(null),
    leadsSession: true,
    container,
    pids: container.pids,
    ns: container.ns.hold(),
    exitListener: null,
    job: null,
  });
  file.drop();
  if (typeof task === "number") return { errno: -task, what: NAME };
  task.sighand.of(SIGCHLD).handler = SIG_IGN;
  task.group.isUnkillable = true;
  task.group.isIdle = true;
  return task;
}

/** A memfd with the program, open for execution, that no guest can change; or -errno. */
function sealedProgram(
  kernel: SandboxKernel,
  caller: ContainerCaller,
  program: Uint8Array<ArrayBuffer>,
): OpenFile | number {
  const { cred, account } = caller;
  const memfd = kernel.memfds.create(NAME, MFD_ALLOW_SEALING, cred, account);
  if (typeof memfd === "number") return memfd;
  const written = memfd.write(new BytesCursor().set(program, program.length), 0), { path } = memfd;
  let file = written === program.length && path !== null
    ? openPathDirectly(caller, path, O_RDONLY)
    : -EINVAL;
  if (addSeals(memfd, SEALS) < 0 && typeof file !== "number") {
    file.drop();
    file = -EINVAL;
  }
  memfd.drop();
  if (typeof file !== "number") file.denyWriters();
  return file;
}
