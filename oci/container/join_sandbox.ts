/**
 * Adds a further container to a running sandbox: its own Gofer and proxy, and a place in that
 * kernel.
 */

import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_pidfd_send_signal } from "../../ffi/abi/syscall_numbers.ts";
import { close, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { startGofer } from "../launch/gofer_process.ts";
import { setGuestOomScoreAdj } from "../host/oom_score.ts";
import { dropAllPrivileges } from "../host/launch_steps.ts";
import { hasMemoryLimit, startWitness } from "../proxy/oom_witness.ts";
import { goferProgram } from "../launch/executables.ts";
import { ask, askForFds } from "./control_client.ts";
import { processId, statusOf } from "../state/liveness.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { ContainerDir } from "../state/store.ts";
import { UserError } from "../user_error.ts";
import {
  bootSpec,
  checkPair,
  type ContainerCreation,
  type CreatedProcesses,
  hostSteps,
  openUsers,
  runCreateHooks,
} from "./container_creation.ts";
import { namespaceInode, sharedNamespaces } from "./host_namespaces.ts";

/** @throws UserError */
export function joinSandbox(making: ContainerCreation, other: ContainerRecord): CreatedProcesses {
  const { sandboxId } = other;
  const { dir, record } = making.store.load(sandboxId);
  if (statusOf(record) === "stopped") {
    throw new UserError(`the sandbox ${sandboxId}, which the container belongs to, has ended`);
  }
  reservePlace(making, dir, record.sentry.pid);
  const { bundle, streams, settings } = making;
  const program = goferProgram();
  const [socket, peer] = checkPair(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), "socketpair");
  const users = openUsers(making);
  const join = hostSteps(making);
  const gofer = startGofer(program, {
    roots: bundle.files.goferRoots,
    socket: peer,
    requireSandbox: settings.requireSandbox,
    isQuiet: settings.isQuiet,
    isDetached: true,
    users,
    stderr: making.log,
    join,
  });
  for (const fd of [peer, program.fd, users]) if (fd >= 0) close(fd);
  const stdio = streams.takeStdio();
  let witness = -1;
  const noFds = {
    gofer: -1,
    stdio: [-1, -1, -1],
    control: -1,
    debugLog: -1,
    waiter: -1,
    server: -1,
    kvm: -1,
  } as const;
  try {
    runCreateHooks(making);
    const spec = { ...bootSpec(making), fds: noFds };
    const [stdin, stdout, stderr, ...further] = stdio;
    const fds = [socket, stdin, stdout, stderr];
    // The sandbox's limit is another one, so this container has a witness of its own.
    if (hasMemoryLimit(spec)) fds.push(witness = startWitness({ join, drop: dropAllPrivileges }));
    fds.push(...further);
    const shares = sharedNamespaces(
      bundle.config.linux.namespaces,
      making.store.list().filter((member) => member.sandboxId === sandboxId),
    );
    ask(dir, { op: "createContainer", id: making.id, spec, shares }, fds);
  } catch (error) {
    syscall(SYS_pidfd_send_signal, gofer.pidfd, SIGKILL, 0, 0);
    throw error;
  } finally {
    for (const fd of [socket, ...stdio, witness]) if (fd > 2) close(fd);
  }
  return { sandboxId, sentry: record.sentry, gofer: processId(gofer.pid) };
}

/**
 * Moves the process of which the container's guest processes will be copies into the container's
 * control groups. A platform without such a process runs the guests in the groups of the sandbox;
 * its kernel then keeps the container's limits (boot/guest/guest_container.ts).
 */
function reservePlace(making: ContainerCreation, sandbox: ContainerDir, sentry: number): void {
  const { id, waiter, cgroup, bundle } = making;
  const { fds: [pidfd = -1] } = askForFds(sandbox, { op: "reserve", id }, [waiter]);
  close(waiter);
  if (pidfd < 0) return;
  try {
    const pid = ownProcess(pidfd, sentry);
    cgroup.addProcess(pid);
    setGuestOomScoreAdj(pid, bundle.config.process.oomScoreAdj ?? undefined);
    // Checks that the pid is not another process's by now.
    pidOf(pidfd);
  } finally {
    close(pidfd);
  }
}

/**
 * Checks that a pidfd of the Sentry is of one of its own processes before that process is moved
 * into control groups. A broken Sentry may send the pidfd of any process that it has one of, such
 * as a command's (SO_PEERPIDFD).
 *
 * @param sentry pid of the sandbox's kernel, whose processes are in its PID namespace
 * @returns its pid
 * @throws UserError
 */
export function ownProcess(pidfd: number, sentry: number): number {
  const pid = pidOf(pidfd),
    namespaceOf = (of: number | "self") => {
      return namespaceInode(`/proc/${of}/ns/pid`);
    };
  const namespace = namespaceOf(sentry);
  // An ordinary user does not see it, and without privilege the sandbox has this command's.
  const isTelling = namespace !== 0 && namespace !== namespaceOf("self");
  const isOwn = isTelling ? namespaceOf(pid) === namespace : isBelow(pid, sentry);
  if (isOwn) return pid;
  throw new UserError("the sandbox sends a process that is not its own");
}

/** Whether a process is another one's child, or the child of its child. */
function isBelow(pid: number, above: number): boolean {
  const parent = parentOf(pid);
  return parent > 0 && (parent === above || parentOf(parent) === above);
}

/** 0 if the process has none, or has ended. */
function parentOf(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^PPid:\s*(\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/**
 * Its pid in this process's PID namespace, which is another than in the sandbox.
 * @throws UserError if it has ended, or is no process
 */
function pidOf(pidfd: number): number {
  const text = Deno.readTextFileSync(`/proc/self/fdinfo/${pidfd}`);
  const pid = Number(/^Pid:\s*(-?\d+)$/m.exec(text)?.[1] ?? 0);
  if (pid > 0) return pid;
  throw new UserError("the process that the container's are copies of has ended");
}
