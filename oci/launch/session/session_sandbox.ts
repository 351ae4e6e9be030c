/**
 * Makes the sandbox of `dvisor sandbox` (docs/internals/sessions.md): as `do` does, but without a
 * first program, and with the owner's connection and a listening socket.
 */

import { SYS_getegid, SYS_geteuid, SYS_setsid } from "../../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { dup, openat } from "../../../ffi/sys/files.ts";
import { errnoText } from "../../file_error.ts";
import { fromText } from "../../../kernel/core/bytes.ts";
import { withVariables } from "../../environment.ts";
import { allowedCpus, allowedMemory } from "../../host/host_limits.ts";
import { isConfined } from "../../host/privileges.ts";
import type { ProcessSpec, RlimitSpec, SessionSpec } from "../../protocol/boot_spec.ts";
import { bytesOfWire } from "../../protocol/wire_text.ts";
import { codeOfErrno, RequestError } from "../../protocol/request_error.ts";
import { WaiterProgram } from "../../proxy/waiter.ts";
import { usageError, UserError } from "../../user_error.ts";
import { VERSION } from "../../version.ts";
import { forwardedSignals } from "../command_signals.ts";
import type { GoferRoot } from "../gofer_process.ts";
import { type HostView, hostView, wholeView } from "../host_view.ts";
import { type StartedSandbox, startSandbox } from "../sandbox_processes.ts";
import { STANDARD_MOUNTS } from "../standard_mounts.ts";
import { releaseStdio } from "../stdio.ts";
import type { CreateRequest, MountRequest } from "./create_request.ts";
import { prepareForKernel } from "./owner_channel.ts";
import { listenAs, type NamedListener } from "./socket_directory.ts";

/** Variables of programs that a request does not name. */
const DEFAULT_VARIABLES = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "LANG=C.UTF-8",
];
const ID_BYTES = 6;
const UMASK = 0o022;
/** Without a socket neither a script nor `dvisor delete` would find it again. */
const NO_SOCKET =
  "persistent: there is no directory for the socket by which the sandbox is found; " +
  "is XDG_RUNTIME_DIR another user's, or missing?";

/**
 * Does not return: this process becomes the sandbox's waiter.
 * @param rlimits resource limits of programs
 * @throws UserError if the sandbox cannot be started
 */
export function runSession(request: CreateRequest, rlimits: readonly RlimitSpec[]): never {
  // Keys of a terminal and the end of its session must not reach the sandbox.
  syscall(SYS_setsid);
  const id = request.id ?? newId(), listener = listenAs(id);
  if (request.isPersistent && listener === null) throw new UserError(NO_SOCKET);
  try {
    const sandbox = start(request, rlimits, id, listener);
    try {
      sandbox.confine();
      const waiter = new WaiterProgram({
        control: sandbox.control.fd,
        sentryPid: sandbox.sentry.pid,
        goferPid: sandbox.gofer.pid,
        signals: forwardedSignals(false),
        socketPath: listener?.path ?? "",
        terminal: null,
      }, ["dvisor", "sandbox", id]);
      sandbox.load();
      releaseStdio(request.isPersistent);
      sandbox.go();
      return waiter.execute();
    } catch (error) {
      sandbox.destroy();
      throw error;
    }
  } catch (error) {
    if (listener !== null) Deno.removeSync(listener.path);
    throw error;
  }
}

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_BYTES));
  return `box-${bytes.toHex()}`;
}

function start(
  request: CreateRequest,
  rlimits: readonly RlimitSpec[],
  id: string,
  listener: NamedListener | null,
): StartedSandbox {
  const { rootfs, overlay, memoryBytes, cpus, mounts } = request;
  const root = rootfs ?? "/";
  requireDirectory(root, "rootfs");
  for (const { source } of mounts) requirePath(source);
  const process = defaultProcess(request, rlimits), view = viewOf(request, root);
  const { restore } = request, image = restore === null ? -1 : openSnapshot(restore.path);
  prepareForKernel();
  const roots: GoferRoot[] = [
    { path: root, isReadOnly: overlay !== "none", view },
    ...mounts.map(({ source, isReadOnly }) => ({ path: source, isReadOnly })),
  ];
  return startSandbox({
    spec: {
      id: "",
      platform: request.platform,
      hostname: fromText(request.hostname ?? "dvisor"),
      domainname: null,
      process,
      root: { goferAttach: "0", readonly: false, overlay },
      mounts: [...STANDARD_MOUNTS, ...mounts.map(mountSpec)],
      maskedPaths: [],
      readonlyPaths: [],
      limits: { tasks: request.pids, cpus, diskBytes: request.diskBytes },
      network: request.network,
      session: sessionSpec(request, id, listener),
      ...(restore === null
        ? {}
        : { restore: { changedFiles: restore.changedFiles, sockets: "refuse" } }),
      waitsForStart: false,
      strace: false,
      debugLogBytes: 0,
      isQuiet: isConfined(),
      requireSandbox: false,
      panicOnBug: false,
      memoryBytes: Math.min(allowedMemory(), memoryBytes ?? Infinity),
      cpus: Math.min(allowedCpus(), Math.max(1, Math.ceil(cpus ?? Infinity))),
    },
    mayBeOnKvm: true,
    roots,
    stdio: [-1, -1, -1],
    debugLog: -1,
    stderr: request.isPersistent ? -1 : 2,
    namespace: -1,
    waiter: -1,
    server: -1,
    image,
    session: { input: dup(0), output: dup(1), listener: listener?.fd ?? -1 },
  });
}

function sessionSpec(
  request: CreateRequest,
  id: string,
  listener: NamedListener | null,
): SessionSpec {
  const { labels, isPersistent, timeoutMs, idleMs, user } = request;
  return {
    info: {
      version: VERSION,
      id,
      labels,
      pid: Deno.pid,
      socket: listener?.path ?? "",
      createdMs: Date.now(),
      persistent: isPersistent,
    },
    user,
    timeoutMs,
    idleMs,
  };
}

/**
 * What is visible of the root directory.
 * @throws UserError
 */
function viewOf(request: CreateRequest, root: string): HostView {
  const { overlay, rootfs, show, hide, diskBytes } = request;
  if (overlay !== "none") {
    const cwd = rootfs === null ? request.cwd ?? Deno.cwd() : null;
    const home = Deno.env.get("HOME") || null;
    return hostView({ root, cwd, home, showsHome: false, show, hide, prefix: "" });
  }
  const isGiven = { show: show.length > 0, hide: hide.length > 0, diskBytes: diskBytes !== null };
  for (const [name, given] of Object.entries(isGiven)) {
    if (given) throw usageError(`${name} cannot be given with overlay "none"`);
  }
  return wholeView(root);
}

function openSnapshot(path: string): number {
  // Without waiting for a writer of a FIFO; the boot process refuses what is no regular file.
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) return fd;
  const errno = errnoName(fd), message = `restore: ${path}: ${errnoText(fd)}`;
  throw new RequestError(codeOfErrno(fd), message, errno, path);
}

/** What programs have by default. */
function defaultProcess(
  { env, cwd, rootfs }: CreateRequest,
  rlimits: readonly RlimitSpec[],
): ProcessSpec {
  const uid = syscall(SYS_geteuid), gid = syscall(SYS_getegid);
  return {
    args: [],
    env: withVariables(DEFAULT_VARIABLES, env),
    cwd: bytesOfWire(cwd ?? (rootfs === null ? Deno.cwd() : "/")),
    uid,
    gid,
    additionalGids: [],
    leadsSession: true,
    needsHome: true,
    terminal: false,
    consoleSize: null,
    capabilities: null,
    noNewPrivileges: false,
    rlimits,
    umask: UMASK,
  };
}

function mountSpec({ destination, isReadOnly }: MountRequest, index: number) {
  return {
    type: "gofer",
    destination: bytesOfWire(destination),
    goferAttach: String(index + 1),
    options: isReadOnly ? ["ro"] : [],
  };
}

function requireDirectory(path: string, what: string): void {
  if (requirePath(path, what).isDirectory) return;
  const message = `${what}: ${path} is no directory`;
  throw new RequestError("NotADirectory", message, "ENOTDIR", path);
}

function requirePath(path: string, what: string = "mounts"): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new RequestError("NotFound", `${what}: there is no ${path}`, "ENOENT", path);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      const message = `${what}: this user may not look up ${path}`;
      throw new RequestError("PermissionDenied", message, "EACCES", path);
    }
    throw new UserError(`${what}: ${path} cannot be used`, undefined, error);
  }
}
