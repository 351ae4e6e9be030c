/**
 * Runs the hooks of config.json: programs of the host that get the container's state as JSON on
 * stdin, one after the other (runtime-spec, config.md#posix-platform-hooks). Synchronous.
 *
 * `prestart` and `createRuntime` run at create in the runtime's namespaces, then `createContainer`
 * in the container's (`enter`). `poststart` runs after start and `poststop` after delete; their
 * failures are warnings. `startContainer` runs inside the sandbox (boot/guest/start_hooks.ts).
 * Neighbour: spec/hooks_section.ts reads them.
 */

import { EINTR } from "../../ffi/abi/errno.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import {
  SYS_chdir,
  SYS_kill,
  SYS_setns,
  SYS_setsid,
  SYS_wait4,
} from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { close, memfdCreate, pread, pwrite } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, type Spawned, SpawnScript } from "../../ffi/sys/spawn.ts";
import { waitReadable } from "./command_signals.ts";
import { descriptors, tieToParent } from "../host/launch_steps.ts";
import type { Hook } from "../spec/hooks_section.ts";
import { UserError } from "../user_error.ts";

interface HookPlace {
  /** The container's state as runtime-spec/runtime.md has it: JSON. */
  readonly state: string;
  /** Working directory: the bundle. */
  readonly directory: string;
  /** Descriptors of namespaces that the hooks run in, in the order in which they are entered. */
  readonly enter?: readonly number[];
}

/** LIMIT: bytes of a hook's output that a message shows, of each kind. */
const SHOWN = 2048;
const MS_PER_S = 1000;
/** LIMIT: one wait; a longer time-out waits again. */
const POLL_MAX_MS = 1 << 30;

/** A hook that failed. */
export class HookError extends UserError {}

/** Runs hooks until one fails. @throws HookError */
export function runHooks(hooks: readonly Hook[], place: HookPlace): void {
  for (const hook of hooks) runHook(hook, place);
}

/**
 * Runs all hooks, also after one fails.
 * @returns the messages of those that failed
 */
export function tryHooks(hooks: readonly Hook[], place: HookPlace): string[] {
  return hooks.flatMap((hook) => {
    try {
      runHook(hook, place);
      return [];
    } catch (error) {
      if (error instanceof HookError) return [error.message];
      throw error;
    }
  });
}

/** @throws HookError */
export function runHook(hook: Hook, place: HookPlace): void {
  const input = memfdWith(place.state);
  const output = memfd(), errors = memfd();
  try {
    const child = start(hook, place, [input, output, errors]);
    const status = waitFor(child, hook.timeoutSeconds);
    if (status === 0) return;
    const how = status === null
      ? `hook ran past specified timeout of ${hook.timeoutSeconds}s`
      : describeStatus(status);
    throw failed(hook, `${how}, stdout: ${textOf(output)}, stderr: ${textOf(errors)}`);
  } finally {
    for (const fd of [input, output, errors]) close(fd);
  }
}

function failed(hook: Hook, what: string): HookError {
  return new HookError(`error running hook: config.json: ${hook.jsonPath} (${hook.path}): ${what}`);
}

function start(hook: Hook, place: HookPlace, stdio: readonly number[]): Spawned {
  const script = new SpawnScript();
  // A session of its own, so that a hook that takes too long is killed with all its children.
  script.call(SYS_setsid).callMayFail(SYS_chdir, place.directory);
  for (const fd of place.enter ?? []) script.call(SYS_setns, fd, 0);
  descriptors(script, stdio);
  // The hook ends with this command, because no other process waits for it.
  tieToParent(script);
  const args = hook.args.length === 0 ? [hook.path] : hook.args;
  try {
    return spawn(script.exec(hook.path, args, hook.env));
  } catch (error) {
    if (error instanceof RangeError) throw failed(hook, error.message);
    if (!(error instanceof SyscallError)) throw error;
    throw failed(hook, `fork/exec ${hook.path}: ${wordsFor(error)}`);
  }
}

/** Clients choose exit codes by these words. */
function wordsFor(error: SyscallError): string {
  const text: Readonly<Record<string, string>> = {
    ENOENT: "no such file or directory",
    EACCES: "permission denied",
    ENOEXEC: "exec format error",
  };
  const name = error.message.slice(error.message.lastIndexOf(" ") + 1);
  return error.message.includes("execve") ? text[name] ?? error.message : error.message;
}

/**
 * @returns the wait(2) status; null if the hook took too long and was killed
 * @throws UserError if this command is interrupted
 */
function waitFor({ pid, pidfd }: Spawned, timeoutSeconds: number | null): number | null {
  const deadline = performance.now() + (timeoutSeconds ?? Infinity) * MS_PER_S;
  let hasEnded = false;
  try {
    for (;;) {
      const left = Math.ceil(deadline - performance.now());
      if (left <= 0) return null;
      hasEnded = waitReadable(pidfd, Math.min(left, POLL_MAX_MS));
      if (hasEnded) return reap(pid);
    }
  } finally {
    if (!hasEnded) {
      syscall(SYS_kill, -pid, SIGKILL);
      reap(pid);
    }
    close(pidfd);
  }
}

function reap(pid: number): number {
  let r: number;
  do {
    r = syscall(SYS_wait4, pid, scratch.area(0), __WALL, 0);
  } while (r === -EINTR);
  check(r, "wait4");
  return scratch.dv.getInt32(scratch.areaOffset(0), true);
}

function describeStatus(status: number): string {
  return wifExited(status) ? `exit status ${wExitStatus(status)}` : `signal ${wTermSig(status)}`;
}

function memfd(): number {
  return check(memfdCreate("dvisor-hook", MFD_CLOEXEC), "memfd_create");
}

/** The file position stays 0. */
function memfdWith(text: string): number {
  const encoded = new TextEncoder().encode(text), bytes = allocBuffer(encoded.length);
  bytes.set(encoded);
  const fd = memfd();
  check(pwrite(fd, addressOf(bytes), bytes.length, 0), "write the container's state");
  return fd;
}

/** The beginning of a hook's output. */
function textOf(fd: number): string {
  const bytes = allocBuffer(SHOWN + 1);
  const n = pread(fd, addressOf(bytes), bytes.length, 0);
  const text = new TextDecoder().decode(bytes.subarray(0, Math.max(0, Math.min(n, SHOWN))));
  return text.trimEnd() + (n > SHOWN ? "..." : "");
}
