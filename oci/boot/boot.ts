/**
 * `dvisor boot`: makes the kernel of one sandbox, confines this process for good, and runs the
 * guest to its end.
 *
 * Work that needs names of the host is done before `ready` or while the launcher takes the root
 * directory away. After the launcher's `go` the seccomp filter is installed, as the last act before
 * the first guest instruction.
 */

import { F_GET_SEALS, F_SEAL_WRITE } from "../../ffi/abi/fcntl.ts";
import { SYS_exit_group } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, fcntl, read } from "../../ffi/sys/files.ts";
import { OwnImage } from "../../ffi/sys/own_image.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import { say, shownLines } from "../shown_text.ts";
import { EXIT_FAILURE, explain, UserError } from "../user_error.ts";
import { errorOf } from "../protocol/request_error.ts";
import { BOOT_FDS, type BootSpec, FIRST_FREE_FD } from "../protocol/boot_spec.ts";
import { confineSelf, confineSignals, dropDescriptors } from "./seccomp/confine_self.ts";
import { type BootSocket, ControlSocket, PACKET_EXIT } from "../protocol/launcher_channel.ts";
import { createMachine, type Machine } from "./machine.ts";
import { Sandbox } from "./boot_sandbox.ts";

/** Runs a sandbox; ends the process. */
export function boot(heap: KernelHeap): never {
  const control: BootSocket = new ControlSocket(BOOT_FDS.control);
  let waiter = control, isRunning = false, started: Sandbox | null = null;
  try {
    const spec = readSpec();
    // The process that gets the exit code: the launcher, or the waiter that it leaves behind.
    if (spec.fds.waiter >= 0) waiter = new ControlSocket(spec.fds.waiter);
    const { machine, sandbox } = prepare(spec, heap, control, waiter);
    started = sandbox;
    isRunning = waiter === control;
    confine(machine, spec);
    if (waiter !== control) {
      control.send({ type: "running" });
      control.close();
    }
    isRunning = true;
    sandbox.run();
  } catch (error) {
    fail(isRunning ? waiter : control, error, isRunning, waiter !== control ? started : null);
  }
  // Deno.exit makes calls that the filter does not allow.
  syscall(SYS_exit_group, 0);
  throw new Error("exit_group returned");
}

function prepare(
  spec: BootSpec,
  heap: KernelHeap,
  control: BootSocket,
  waiter: BootSocket,
): { machine: Machine; sandbox: Sandbox } {
  const further = spec.fds.stdio.length - BOOT_FDS.stdio.length;
  dropDescriptors(FIRST_FREE_FD + further + (spec.fds.published?.length ?? 0));
  readyReports();
  const image = OwnImage.find();
  reportRefused(confineSignals(), spec);
  const machine = createMachine(spec, heap);
  const { foundBest } = machine;
  control.send(foundBest === null ? { type: "ready" } : { type: "ready", bestPlatform: foundBest });
  // The launcher takes the root directory away while this goes on.
  const sandbox = new Sandbox(machine, spec, waiter);
  control.send({ type: "loaded" });
  const answer = control.receive();
  if (answer === "end") throw new UserError("the launcher is gone");
  sandbox.watchOutside();
  sandbox.releaseImageLater(image);
  return { machine, sandbox };
}

/**
 * The first stack text that V8 makes reads the bounds of the thread's stack from /proc, and aborts
 * when /proc is gone. One is made here while /proc can be read, so that the report of a bug does
 * not abort later.
 */
function readyReports(): void {
  void new Error("first").stack;
}

/**
 * Until the guest runs the launcher prints the error. After that the waiter is there, which cannot
 * print.
 */
function fail(
  control: BootSocket,
  error: unknown,
  isRunning: boolean,
  sandbox: Sandbox | null,
): void {
  const exitCode = error instanceof UserError ? error.exitCode : EXIT_FAILURE;
  const isBug = !(error instanceof UserError);
  if (isBug) {
    // The message is printed first, because printing stacks may fail without /proc.
    say(`this is a bug in dvisor: ${explain(error)}`);
    console.error(shownLines(Deno.inspect(error)));
    // A container's messages are in a file that becomes a report.
    if (sandbox !== null) {
      console.error(`the last calls:\n${sandbox.kernel.calls.lines().join("\n")}`);
    }
  }
  if (isRunning) {
    if (!isBug) say(explain(error));
    control.sendPacket(PACKET_EXIT, exitCode, 0);
  } else control.send({ type: "failed", error: errorOf(error), exitCode });
}

function confine(machine: Machine, spec: BootSpec): void {
  reportRefused(confineSelf(machine.platformName, machine.network !== null), spec);
}

/** @throws UserError if the caller demands all of the confinement */
function reportRefused(problems: readonly string[], spec: BootSpec): void {
  if (problems.length === 0) return;
  const text = problems.join("; ");
  if (spec.requireSandbox) {
    throw new UserError(`the host does not permit the whole confinement: ${text}`);
  }
  if (spec.isQuiet !== true) say(`running with less confinement than usual: ${text}`);
}

/** Whether the launcher started this process: it passes the spec in a sealed memfd. */
export function hasSpec(): boolean {
  const seals = fcntl(BOOT_FDS.spec, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_WRITE) !== 0;
}

function readSpec(): BootSpec {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const n = read(BOOT_FDS.spec, scratch.area(0), 65536);
    if (n <= 0) break;
    const at = scratch.areaOffset(0);
    text += decoder.decode(scratch.u8.subarray(at, at + n), { stream: true });
  }
  close(BOOT_FDS.spec);
  return JSON.parse(text);
}
