/**
 * Starts a process in a container, the first one or one of `exec`: connects its standard files or
 * its terminal, sets its credentials, loads its program. guest_process.ts follows it from then on.
 */

import { EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR } from "../../../ffi/abi/errno.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { close } from "../../../ffi/sys/files.ts";
import { Console } from "../../../kernel/console.ts";
import { toText } from "../../../kernel/core/bytes.ts";
import { type Credentials, rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller, type InitFailure, startIn } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { Task } from "../../../kernel/task/task.ts";
import type { ExitListener } from "../../../kernel/task/thread_group.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import type { GuestStreams } from "./guest_streams.ts";
import { TerminalBridge } from "./terminal_bridge.ts";
import { isTerminal } from "../../host/terminal.ts";
import { bindConsole } from "../rootfs/devices.ts";
import { errnoText } from "../../file_error.ts";
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, UserError } from "../../user_error.ts";
import type { GuestFds, ProcessSpec } from "../../protocol/boot_spec.ts";
import { withHome } from "./home.ts";
import { credentialsOf, limitsOf, setProcessAttributes } from "./identity.ts";
import { StdioFiles } from "./stdio_files.ts";

export interface StartedGuest {
  readonly task: Task;
  /** null: the process has no terminal. */
  readonly bridge: TerminalBridge | null;
  readonly streams: GuestStreams;
}

/**
 * @param stdio host descriptors, which the guest owns from then on
 * @param isFirst its terminal is the container's console
 * @throws UserError with the exit code of a shell for the error
 */
export function startGuest(
  kernel: SandboxKernel,
  container: Container,
  process: ProcessSpec,
  stdio: GuestFds,
  isFirst: boolean,
  listener: ExitListener | null,
): StartedGuest {
  const files = new StdioFiles(kernel, container, stdio, process);
  try {
    return startWith(files, kernel, container, process, stdio, isFirst, listener);
  } catch (error) {
    files.closeRest();
    throw error;
  }
}

function startWith(
  files: StdioFiles,
  kernel: SandboxKernel,
  container: Container,
  process: ProcessSpec,
  stdio: GuestFds,
  isFirst: boolean,
  listener: ExitListener | null,
): StartedGuest {
  const cred = credentialsOf(process);
  const caller = new ContainerCaller(container, rootCredentials(), 0);
  const env = process.needsHome ? withHome(kernel, caller, process.env, process.uid) : process.env;
  caller.close();
  const own = process.terminal
    ? openTerminal(kernel, container, cred, files, stdio[2], process, isFirst)
    : null;
  const task = startIn(kernel, container, {
    args: process.args,
    env,
    cwd: process.cwd,
    umask: process.umask,
    cred,
    limits: limitsOf(process),
    leadsSession: process.leadsSession || process.terminal,
    files: [
      ...own?.files ?? [files.open(0), files.open(1), files.open(2)],
      ...stdio.slice(3).map((_, i) => files.open(3 + i)),
    ],
  }, listener);
  if ("errno" in task) {
    own?.bridge.close();
    throw startError(task, process);
  }
  setProcessAttributes(task, process);
  own?.console.control(task);
  const streams = { inodes: files.inodes, master: own?.console.master ?? null };
  return { task, bridge: own?.bridge ?? null, streams };
}

interface OwnTerminal {
  readonly console: Console;
  readonly files: OpenFile[];
  readonly bridge: TerminalBridge;
}

/** A terminal for the process. Its stderr stays the host's file if that is no terminal. */
function openTerminal(
  kernel: SandboxKernel,
  container: Container,
  cred: Credentials,
  stdio: StdioFiles,
  errFd: number,
  process: ProcessSpec,
  isFirst: boolean,
): OwnTerminal {
  const opened = Console.open(
    container.accounts.all,
    kernel.terminals,
    container.mounts,
    cred,
    isFirst,
  );
  if (typeof opened === "number") {
    throw new UserError(`no terminal for the guest: ${errnoName(opened)}`);
  }
  const { console, files } = opened;
  const slave = files[0]?.path ?? null;
  if (isFirst && slave !== null) {
    const caller = new ContainerCaller(container, rootCredentials(), 0);
    bindConsole(caller, slave);
    caller.close();
  }
  if (isTerminal(errFd)) close(stdio.take(2));
  else {
    files.pop()?.drop();
    files.push(stdio.open(2));
  }
  const size = process.consoleSize;
  if (size !== null) console.master.resize(size.rows, size.columns);
  const bridge = new TerminalBridge(kernel.host, console, stdio.take(0), stdio.take(1));
  return { console, files, bridge };
}

export function startError(
  failure: InitFailure,
  { cwd, needsHome }: Pick<ProcessSpec, "cwd" | "needsHome">,
): UserError {
  const { errno } = failure;
  const what = toText(failure.what);
  if (failure.what === cwd) {
    // The directory of a container's process comes from config.json, or from a file of the same
    // format.
    const where = needsHome ? "process.cwd: " : "";
    return new UserError(
      `${where}the working directory ${what} cannot be used: ${errnoText(errno)}`,
    );
  }
  if (errno === ENOENT || errno === ENOTDIR) {
    const why = what.includes("/")
      ? "no such file or directory"
      : "executable file not found in $PATH";
    return new UserError(`exec: "${what}": ${why}`, EXIT_NOT_FOUND);
  }
  const why = errno === EACCES || errno === EISDIR
    ? "permission denied: it may not be executed, or is a directory"
    : errno === ENOEXEC
    ? "it is no 64-bit x86 program, nor a script that begins with #!"
    : errno === ELOOP
    ? "too many levels of symbolic links or interpreters"
    : errnoName(errno);
  return new UserError(`exec: "${what}": cannot be executed: ${why}`, EXIT_NOT_EXECUTABLE);
}
