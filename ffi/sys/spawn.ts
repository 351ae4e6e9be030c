/**
 * The launcher: starts a program without fork(2) and without threads in between, by a script of raw
 * system calls.
 *
 *     const script = new SpawnScript();
 *     const fd = script.call(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
 *     script.call(SYS_dup2, PREV(0), 0).exec("/bin/cat", ["cat"], []);
 *     const { pid, pidfd } = spawn(script);
 *
 * The child shares memory with this process until it executes (vfork), has all signals blocked and
 * all caught ones at their defaults. The parent's thread stands still meanwhile: a step must not
 * wait for this process. Waiting for the child is the caller's task. Neighbour: spawn_code.ts.
 */

import { AT_EMPTY_PATH } from "../abi/fcntl.ts";
import { CLONE_PIDFD, CLONE_VFORK, CLONE_VM } from "../abi/sched.ts";
import { SIG_SETMASK, SIGCHLD, SIGSET_SIZE } from "../abi/signal.ts";
import {
  SYS_execve,
  SYS_execveat,
  SYS_rt_sigprocmask,
  SYS_wait4,
  syscallName,
} from "../abi/syscall_numbers.ts";
import { __WALL } from "../abi/wait.ts";
import { addressOf, allocBuffer } from "./cstring.ts";
import { check, SyscallError } from "./errors.ts";
import { close } from "./files.ts";
import { native, syscall } from "./native.ts";
import { SpawnControl, SpawnRecord, STEP_MAY_FAIL, STEP_PREV_SHIFT } from "./spawn_code.ts";

const CHILD_STACK_BYTES = 4096;
const MAX_ARGS = 6;

/** The result of an earlier step, as an argument. */
export interface PrevResult {
  readonly kind: "prev";
  readonly step: number;
}

/** The result of step `step` (0 is the first `call`). */
export function PREV(step: number): PrevResult {
  return { kind: "prev", step };
}

/**
 * A number is passed as it is (integers of at most 53 bits), a string or bytes by address (with a
 * NUL added), a list by the address of a NULL-terminated array of addresses.
 */
export type SpawnArg = number | string | Uint8Array | PrevResult | readonly (string | Uint8Array)[];

interface Step {
  readonly nr: number;
  readonly args: readonly SpawnArg[];
  readonly mayFail: boolean;
}

/** A script of system calls that a child makes. It can be used more than once. */
export class SpawnScript {
  readonly #steps: Step[] = [];
  /** Memory that steps name by address, which must live as long as the script. */
  readonly kept: object[] = [];

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Index that the next step will have. */
  get length(): number {
    return this.#steps.length;
  }

  /** A call that must not fail: if it does, the child ends and `spawn` throws. */
  call(nr: number, ...args: SpawnArg[]): this {
    return this.#add(nr, args, false);
  }

  /** A call whose failure is ignored. */
  callMayFail(nr: number, ...args: SpawnArg[]): this {
    return this.#add(nr, args, true);
  }

  /** Ends the script: unblocks signals and executes a program. */
  exec(path: string, argv: readonly string[], env: readonly string[]): this {
    return this.#unblock().call(SYS_execve, path, argv, env);
  }

  /**
   * The same for a program that is open at `fd`. A script (`#!`) needs `fd` without close-on-exec.
   */
  execFd(fd: number | PrevResult, argv: readonly string[], env: readonly string[]): this {
    return this.#unblock().call(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
  }

  #unblock(): this {
    const none = new Uint8Array(SIGSET_SIZE);
    return this.call(SYS_rt_sigprocmask, SIG_SETMASK, none, 0, SIGSET_SIZE);
  }

  #add(nr: number, args: readonly SpawnArg[], mayFail: boolean): this {
    if (args.length > MAX_ARGS) {
      throw new RangeError(`${syscallName(nr)} with ${args.length} arguments`);
    }
    for (const arg of args) {
      if (typeof arg === "number" && !Number.isSafeInteger(arg)) {
        throw new RangeError(`${syscallName(nr)} with the argument ${arg}`);
      }
      if (isPrev(arg) && !(arg.step >= 0 && arg.step < this.#steps.length)) {
        throw new RangeError(`PREV(${arg.step}) at step ${this.#steps.length}`);
      }
    }
    this.#steps.push({ nr, args, mayFail });
    return this;
  }
}

/** A step of a script failed, and the child has ended. */
export class SpawnError extends SyscallError {
  override readonly name = "SpawnError";
  /** Index in the script; its length if the script ended without execve. */
  readonly step: number;

  constructor(step: number, failed: Step | undefined, errno: number) {
    const what = failed === undefined ? "end of script without exec" : describe(failed);
    super(`spawn: step ${step} ${what}`, errno);
    this.step = step;
  }
}

function describe(step: Step): string {
  const text = step.args.filter((arg) => typeof arg === "string" && arg !== "").map((arg) =>
    ` "${arg}"`
  );
  return syscallName(step.nr) + text.join("");
}

/** A started program. */
export interface Spawned {
  readonly pid: number;
  /** Close-on-exec; readable once the program ended. */
  readonly pidfd: number;
}

/**
 * Starts a child, runs the script in it, and returns when the program is executed.
 *
 * @param cloneFlags CLONE_NEW* and the like, besides those that are always set; no exit signal
 * @throws SyscallError if clone(2) fails, SpawnError if a step fails: the child is then reaped
 *
 * SAFETY: steps run on this process's memory: a number given as an address is written to as it is.
 */
export function spawn(script: SpawnScript, cloneFlags = 0): Spawned {
  const image = new Image(script.steps);
  const flags = cloneFlags + (CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD);
  image.setWord(SpawnControl.at.cloneFlags, flags);
  const pid = check(native.spawn(image.base), "clone");
  const pidfd = image.dv.getInt32(SpawnControl.at.pidfd, true);
  const failedStep = image.dv.getUint32(SpawnControl.at.failedStep, true);
  if (failedStep === 0) return { pid, pidfd };
  close(pidfd);
  syscall(SYS_wait4, pid, 0, __WALL, 0);
  const step = failedStep - 1;
  throw new SpawnError(step, script.steps[step], image.dv.getInt32(SpawnControl.at.failure, true));
}

function isPrev(arg: SpawnArg): arg is PrevResult {
  return typeof arg === "object" && "kind" in arg;
}

/** A script in memory: control block, child stack, records, and the data that they point to. */
class Image {
  readonly base: number;
  readonly dv: DataView<ArrayBuffer>;
  readonly #memory: Uint8Array<ArrayBuffer>;
  #end: number;

  constructor(steps: readonly Step[]) {
    const records = align16(SpawnControl.size + CHILD_STACK_BYTES);
    const recordsEnd = records + steps.length * SpawnRecord.size;
    this.#memory = allocBuffer(steps.reduce((sum, step) => sum + bytesOf(step), recordsEnd));
    this.dv = new DataView(this.#memory.buffer);
    this.base = addressOf(this.#memory);
    this.#end = recordsEnd;
    this.setWord(SpawnControl.at.stackTop, this.base + records - this.base % 16);
    this.setWord(SpawnControl.at.records, this.base + records);
    this.setWord(SpawnControl.at.count, steps.length);
    steps.forEach((step, i) => this.#putStep(records + i * SpawnRecord.size, step));
  }

  setWord(at: number, value: number): void {
    this.dv.setBigInt64(at, BigInt(value), true);
  }

  #putStep(at: number, step: Step): void {
    let flags = step.mayFail ? STEP_MAY_FAIL : 0;
    step.args.forEach((arg, i) => {
      if (isPrev(arg)) flags |= 1 << (STEP_PREV_SHIFT + i);
      this.setWord(at + SpawnRecord.at.args + 8 * i, this.#word(arg));
    });
    this.dv.setUint32(at + SpawnRecord.at.nr, step.nr, true);
    this.dv.setUint32(at + SpawnRecord.at.flags, flags, true);
  }

  #word(arg: SpawnArg): number {
    if (typeof arg === "number") return arg;
    if (typeof arg === "string" || arg instanceof Uint8Array) return this.#putBytes(arg);
    if (isPrev(arg)) return arg.step * SpawnRecord.size + SpawnRecord.at.result;
    const at = this.#end;
    this.#end += 8 * (arg.length + 1);
    arg.forEach((item, i) => this.setWord(at + 8 * i, this.#putBytes(item)));
    return this.base + at;
  }

  #putBytes(value: string | Uint8Array): number {
    const at = this.#end;
    const bytes = encode(value);
    this.#memory.set(bytes, at);
    this.#end += align16(bytes.length + 1);
    return this.base + at;
  }
}

function bytesOf(step: Step): number {
  let sum = 0;
  for (const arg of step.args) {
    if (typeof arg === "number" || isPrev(arg)) continue;
    const items = typeof arg === "string" || arg instanceof Uint8Array ? [arg] : arg;
    sum += 8 * (items.length + 1);
    for (const item of items) sum += align16(encode(item).length + 1);
  }
  return sum;
}

function encode(value: string | Uint8Array): Uint8Array {
  if (typeof value !== "string") return value;
  if (value.includes("\0")) throw new RangeError("a string of a spawn script has a NUL inside");
  return new TextEncoder().encode(value);
}

function align16(n: number): number {
  return Math.ceil(n / 16) * 16;
}
