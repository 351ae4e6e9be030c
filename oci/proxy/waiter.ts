/**
 * Turns a foreground `dvisor` into the waiter (waiter_image.ts) by execve(2). The pid, the children
 * and the controlling terminal stay.
 */

import { AT_EMPTY_PATH, F_SETFD, MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { Pollfd } from "../../ffi/abi/poll.ts";
import { SIG_BLOCK, SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import { SYS_execveat, SYS_rt_sigprocmask } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { fcntl, memfdCreate, pwrite } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { WaiterData } from "./waiter_data.ts";
import { putLost, putName, putSignals, putSocketPath, waiterImage } from "./waiter_image.ts";

interface WaiterPlan {
  readonly control: number;
  /** Children to wait for at the end; -1: none. */
  readonly sentryPid: number;
  readonly goferPid: number;
  /** Signals to pass on. */
  readonly signals: readonly number[];
  /** A socket to remove at the end; "": none. */
  readonly socketPath?: string;
  /** The end if no exit packet arrives; without it, that of a sandbox of this process. */
  readonly lost?: { readonly exitCode: number; readonly message: string };
  /** A terminal in raw mode, with its states: struct termios. */
  readonly terminal:
    | { readonly fd: number; readonly saved: Uint8Array; readonly raw: Uint8Array }
    | null;
}

/** Blocks the signals that the waiter forwards, so that they stay pending for it. */
function holdSignals(signals: readonly number[]): void {
  const set = scratch.areaOffset(0);
  scratch.u8.fill(0, set, set + SIGSET_SIZE);
  for (const signo of signals) {
    const at = set + (signo - 1 >> 3);
    scratch.u8[at] = (scratch.u8[at] ?? 0) | 1 << (signo - 1 & 7);
  }
  check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, scratch.area(0), 0, SIGSET_SIZE), "rt_sigprocmask");
}

/** A program ready to be executed. */
export class WaiterProgram {
  readonly #fd: number;
  readonly #inherited: readonly number[];
  readonly #argv: Pointers;
  readonly #envp = new Pointers([]);

  /** @param argv the command line of the process from then on */
  constructor(plan: WaiterPlan, argv: readonly string[]) {
    holdSignals(plan.signals);
    this.#fd = programFile(imageFor(plan));
    const terminal = plan.terminal === null ? [] : [plan.terminal.fd];
    this.#inherited = [plan.control, ...terminal];
    this.#argv = new Pointers(argv);
  }

  /** @throws SyscallError; does not return otherwise */
  execute(): never {
    for (const fd of this.#inherited) fcntl(fd, F_SETFD, 0);
    const argv = this.#argv.address, envp = this.#envp.address;
    const none = scratch.cstr("");
    const r = syscall(SYS_execveat, this.#fd, none, argv, envp, AT_EMPTY_PATH);
    check(r, "execute the waiter");
    throw new Error("execveat returned");
  }
}

function imageFor(plan: WaiterPlan): Uint8Array {
  const { at } = WaiterData;
  const { terminal } = plan;
  return waiterImage((data, bytes) => {
    data.setInt32(at.control + Pollfd.at.fd, plan.control, true);
    putSignals(bytes, plan.signals);
    putName(bytes, "dvisor");
    putSocketPath(bytes, plan.socketPath ?? "");
    if (plan.lost !== undefined) putLost(data, bytes, plan.lost);
    data.setInt32(at.sentryPid, plan.sentryPid, true);
    data.setInt32(at.goferPid, plan.goferPid, true);
    data.setInt32(at.terminal, terminal?.fd ?? -1, true);
    if (terminal === null) return;
    data.setUint32(at.sendsSize, 1, true);
    bytes.set(terminal.saved, at.saved);
    bytes.set(terminal.raw, at.raw);
  });
}

/** The program in a memfd, close-on-exec. */
export function programFile(image: Uint8Array): number {
  const copy = allocBuffer(image.length);
  copy.set(image);
  const fd = check(memfdCreate("dvisor", MFD_CLOEXEC), "memfd_create");
  check(pwrite(fd, addressOf(copy), copy.length, 0), "write the waiter");
  return fd;
}

/** A NULL-terminated array of C strings in memory. */
class Pointers {
  readonly #text: Uint8Array<ArrayBuffer>;
  readonly #list: Uint8Array<ArrayBuffer>;

  constructor(strings: readonly string[]) {
    const encoded = new TextEncoder().encode(strings.map((s) => `${s}\0`).join(""));
    this.#text = allocBuffer(encoded.length + 1);
    this.#text.set(encoded);
    this.#list = allocBuffer(8 * (strings.length + 1));
    const list = new DataView(this.#list.buffer), base = addressOf(this.#text);
    for (let i = 0, at = 0; i < strings.length; i++) {
      list.setBigUint64(8 * i, BigInt(base + at), true);
      at = encoded.indexOf(0, at) + 1;
    }
  }

  get address(): number {
    return addressOf(this.#list);
  }
}
