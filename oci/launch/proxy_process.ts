/**
 * Starts the proxy of a guest process: the host process that clients know by its pid, wait for and
 * signal. It runs the waiter's program (proxy/waiter_image.ts) in the host namespaces of the
 * container. It ends with the guest process, with the sandbox, or, while it is on the leash, with
 * the command that starts it.
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../ffi/abi/fcntl.ts";
import { IFF_UP, Ifreq, SIOCSIFFLAGS } from "../../ffi/abi/inet.ts";
import { TIOCSCTTY } from "../../ffi/abi/ioctl.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_REC, MS_SLAVE } from "../../ffi/abi/mount.ts";
import { Pollfd } from "../../ffi/abi/poll.ts";
import {
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUTS,
} from "../../ffi/abi/sched.ts";
import { SIGCHLD, SIGKILL, SIGRTMAX, SIGSTOP } from "../../ffi/abi/signal.ts";
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "../../ffi/abi/socket.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { Utsname } from "../../ffi/abi/system.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { PREV, spawn, type Spawned, SpawnScript } from "../../ffi/sys/spawn.ts";
import type { TimeOffsets } from "../../kernel/cred/time_namespace.ts";
import { bytesToString, stringToBytes } from "../../kernel/core/bytes.ts";
import { RawTerminal } from "../host/terminal.ts";
import { allowOnly } from "../host/call_filter.ts";
import { endChild } from "./children.ts";
import * as steps from "../host/launch_steps.ts";
import { programFile } from "../proxy/waiter.ts";
import { WAITER_CALLS, WaiterData } from "../proxy/waiter_data.ts";
import { putLost, putName, putSignals, waiterImage } from "../proxy/waiter_image.ts";

/** The exit code when a sandbox ends without an exit packet: that of a killed process. */
const EXIT_KILLED = 128 + SIGKILL;
/** Signals that cannot be caught, and SIGCHLD. */
const NOT_FORWARDED = [SIGKILL, SIGSTOP, SIGCHLD];

/** Numbers of the proxy's descriptors. */
const CONTROL_FD = 3, LEASH_FD = 4, TERMINAL_FD = 5;

/** A host namespace that it enters. */
export interface Entered {
  /** CLONE_NEW* */
  readonly flag: number;
  /** Open descriptor of the namespace. */
  readonly fd: number;
}

interface ProxyPlan {
  /** Byte strings: its command line in the host's list of processes. */
  readonly argv: readonly string[];
  /** Its end of the control pair (protocol/launcher_channel.ts). */
  readonly control: number;
  /** Read end of a pipe: a byte releases the proxy, the end of the pipe ends it. */
  readonly leash: number;
  /**
   * The host's side of the guest's terminal, or -1. It becomes the proxy's controlling terminal, so
   * that the proxy gets SIGWINCH.
   */
  readonly terminal: number;
  /** CLONE_NEW*: namespaces of its own. */
  readonly newNamespaces: number;
  readonly entered: readonly Entered[];
  /** A network namespace to enter whose `lo` is down; -1: none. */
  readonly newNetwork: number;
  /** A time namespace of its own; null: none. */
  readonly timeOffsets: TimeOffsets | null;
  /** For a new UTS namespace. */
  readonly hostname: string | null;
}

export interface Proxy extends Spawned {
  /** Name of the host in its UTS namespace: a byte string. */
  readonly hostname: string;
}

/** @throws SyscallError when the host refuses a namespace */
export function startProxy(plan: ProxyPlan): Proxy {
  const program = programFile(imageFor(plan)), nothing = openNothing();
  // A process keeps its PID namespace; only its children enter another one.
  const pid = plan.entered.find((ns) => ns.flag === CLONE_NEWPID);
  const own = pid === undefined ? -1 : openNamespace("/proc/self/ns/pid_for_children");
  try {
    if (pid !== undefined) check(syscall(N.SYS_setns, pid.fd, CLONE_NEWPID), "setns pid");
    const names = allocBuffer(Utsname.size);
    const proxy = spawn(scriptFor(plan, { program, nothing }, names), plan.newNamespaces);
    return { ...proxy, hostname: hostnameIn(names) };
  } finally {
    if (own >= 0) {
      syscall(N.SYS_setns, own, CLONE_NEWPID);
      close(own);
    }
    close(program);
    close(nothing);
  }
}

/** The host's /dev/null, opened before the proxy enters namespaces with another one. */
function openNothing(): number {
  return check(openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null");
}

/** Ends and reaps a proxy that is not needed. Its PID namespace would wait for it as a zombie. */
export function endProxy(proxy: Spawned): void {
  endChild(proxy);
}

/** @throws SyscallError */
export function openNamespace(path: string): number {
  return check(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC), `open ${path}`);
}

function imageFor(plan: ProxyPlan): Uint8Array {
  const { at } = WaiterData, signals: number[] = [];
  for (let signo = 1; signo <= SIGRTMAX; signo++) {
    if (!NOT_FORWARDED.includes(signo)) signals.push(signo);
  }
  const command = plan.argv[0] ?? "";
  return waiterImage((data, bytes) => {
    data.setInt32(at.control + Pollfd.at.fd, CONTROL_FD, true);
    data.setInt32(at.leash + Pollfd.at.fd, LEASH_FD, true);
    putLost(data, bytes, { exitCode: EXIT_KILLED, message: "" });
    putSignals(bytes, signals);
    putName(bytes, command.slice(command.lastIndexOf("/") + 1));
    if (plan.terminal < 0) return;
    data.setInt32(at.terminal, TERMINAL_FD, true);
    // The terminal is raw from the start and stays raw.
    const { saved } = new RawTerminal(plan.terminal);
    bytes.set(saved, at.saved);
    bytes.set(saved, at.raw);
  });
}

function hostnameIn(names: Uint8Array): string {
  const from = Utsname.at.nodename, end = names.indexOf(0, from);
  return bytesToString(names, from, end);
}

/** @param names buffer in shared memory for uname(2) in the child */
function scriptFor(
  plan: ProxyPlan,
  { program, nothing }: { program: number; nothing: number },
  names: Uint8Array,
): SpawnScript {
  const script = new SpawnScript();
  for (const { flag, fd } of plan.entered) {
    if (flag !== CLONE_NEWPID) script.call(N.SYS_setns, fd, flag);
  }
  if (plan.timeOffsets !== null) enterNewTime(script, plan.timeOffsets);
  steps.ownSession(script);
  if ((plan.newNamespaces & CLONE_NEWUTS) !== 0 && plan.hostname !== null) {
    const name = stringToBytes(plan.hostname);
    script.callMayFail(N.SYS_sethostname, name, name.length);
  }
  script.call(N.SYS_uname, addressOf(names));
  if (plan.newNetwork >= 0) script.call(N.SYS_setns, plan.newNetwork, CLONE_NEWNET);
  const isNew = plan.newNetwork >= 0 || (plan.newNamespaces & CLONE_NEWNET) !== 0;
  if (isNew) bringLoopbackUp(script);
  if ((plan.newNamespaces & CLONE_NEWNS) !== 0) showOwnProcesses(script);
  const terminal = plan.terminal < 0 ? [] : [plan.terminal];
  const fds = [nothing, nothing, nothing, plan.control, plan.leash, ...terminal];
  const executed = steps.aside(script, program, fds);
  steps.descriptors(script, fds);
  if (plan.terminal >= 0) script.callMayFail(N.SYS_ioctl, TERMINAL_FD, TIOCSCTTY, 0);
  steps.limits(script);
  steps.dropAllPrivileges(script);
  allowOnly(script, WAITER_CALLS);
  // Signals stay blocked, because the program reads them from a signalfd.
  const argv = plan.argv.length === 0 ? [new Uint8Array(0)] : plan.argv.map(stringToBytes);
  return script.call(N.SYS_execveat, executed, "", argv, [], AT_EMPTY_PATH);
}

/**
 * Mounts follow the host, so that what the host unmounts goes here too. /proc is mounted again only
 * in a new PID namespace.
 */
function showOwnProcesses(script: SpawnScript): void {
  script.call(N.SYS_mount, "none", "/", 0, MS_REC + MS_SLAVE, 0);
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  script.callMayFail(N.SYS_mount, "proc", "/proc", "proc", flags, 0);
}

/**
 * Enters a new time namespace where the host has them. Only programs that look at the proxy see its
 * clocks, so a host without time namespaces is no error: the sandbox's kernel sets the guest's
 * clocks itself.
 */
function enterNewTime(script: SpawnScript, { monotonicNs, boottimeNs }: TimeOffsets): void {
  script.callMayFail(N.SYS_unshare, CLONE_NEWTIME);
  const line = (clock: string, ns: number) => {
    const seconds = Math.floor(ns / 1e9);
    return `${clock} ${seconds} ${ns - seconds * 1e9}\n`;
  };
  const text = line("monotonic", monotonicNs) + line("boottime", boottimeNs);
  script.callMayFail(N.SYS_openat, AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC, 0);
  const file = PREV(script.length - 1);
  script.callMayFail(N.SYS_write, file, stringToBytes(text), text.length);
  script.callMayFail(N.SYS_close, file);
}

/** Sets `lo` up, as runc does in a new network namespace. */
function bringLoopbackUp(script: SpawnScript): void {
  const request = new Uint8Array(Ifreq.size);
  request.set(new TextEncoder().encode("lo"), Ifreq.at.name);
  request[Ifreq.at.data] = IFF_UP;
  script.callMayFail(N.SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const socket = PREV(script.length - 1);
  script.callMayFail(N.SYS_ioctl, socket, SIOCSIFFLAGS, request);
  script.callMayFail(N.SYS_close, socket);
}
