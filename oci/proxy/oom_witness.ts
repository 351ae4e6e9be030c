/**
 * The OOM witness makes the host count an OOM kill of a guest. The sandbox's kernel keeps the
 * memory limit itself, below that of the container's cgroup, so the host's OOM killer would never
 * act. But containerd's shim and conmon watch only the cgroup's events. So when a guest process is
 * killed, a process in the same group takes the memory that is left, and the host's OOM killer
 * kills it and counts the kill.
 *
 * It is started before the confinement, with a filter of its own, and holds no memory until then.
 * Neighbour: kernel/oom/oom_killer.ts.
 */

import { POLLIN } from "../../ffi/abi/poll.ts";
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from "../../ffi/abi/socket.ts";
import { SYS_sendto } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { SyscallError } from "../../ffi/sys/errors.ts";
import { close, poll, read, socketpair } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { allowOnly } from "../host/call_filter.ts";
import { oomScoreAdj } from "../host/oom_score.ts";
import { aside, descriptors, limits } from "../host/launch_steps.ts";
import { programFile } from "./waiter.ts";
import type { BootSpec } from "../protocol/boot_spec.ts";
import { WITNESS_CALLS, witnessImage } from "./oom_witness_image.ts";

/** LIMIT: bytes that the witness takes if its group has no limit that ends it sooner. */
const WITNESS_BYTES = 512 * 2 ** 20;
/** LIMIT: kills that wait to be counted. */
const AWAITED_MAX = 16;
/** The OOM score: the witness is killed before any other process of the group. */
const FIRST = 1000;

/** Whether the container has a memory limit in a group of the host, where kills can be counted. */
export function hasMemoryLimit(spec: Pick<BootSpec, "files" | "hostKeeps">): boolean {
  return Number.isFinite(spec.files?.cgroup.memoryMax ?? Infinity) &&
    spec.hostKeeps?.memory !== false;
}

/** The sandbox's end of a witness (boot/guest/kill_counter.ts). It never waits by itself. */
export class OomWitness {
  /** Readable when there is an answer. */
  readonly fd: number;
  #isThere = true;
  #awaited = 0;

  /** @param fd of `startWitness` */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Whether some kill is not counted yet. */
  get isAwaited(): boolean {
    return this.#awaited > 0;
  }

  /**
   * Makes the host count a kill. Called while the victim has its memory, without which the witness
   * may not fill the group.
   *
   * @returns false if the witness is gone, or has too many kills to count
   */
  ask(): boolean {
    if (!this.#isThere || this.#awaited >= AWAITED_MAX) return false;
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (syscall(SYS_sendto, this.fd, scratch.area(0), 1, flags, 0, 0) !== 1) this.giveUp();
    else this.#awaited++;
    return this.#isThere;
  }

  /** Takes the next answer, for which it waits up to `waitMs`. */
  take(waitMs: number): void {
    if (!this.isAwaited || poll(this.fd, POLLIN, waitMs) <= 0) return;
    if (read(this.fd, scratch.area(0), 1) === 1) this.#awaited--;
    else this.giveUp();
  }

  /** The witness is gone, or took too long: it is not asked again. */
  giveUp(): void {
    this.#isThere = false;
    this.#awaited = 0;
  }

  /** Ends the witness. */
  close(): void {
    close(this.fd);
    this.giveUp();
  }
}

interface WitnessOptions {
  /** The most bytes that it takes. */
  readonly bytes?: number;
  /** Steps before all others: control groups. */
  readonly join?: (script: SpawnScript) => void;
  /** Steps that drop privileges; not needed in a process without any. */
  readonly drop?: (script: SpawnScript) => void;
}

/** @returns a socket for OomWitness @throws SyscallError when the host refuses */
export function startWitness({ bytes, join, drop }: WitnessOptions = {}): number {
  const pair = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  if (typeof pair === "number") throw new SyscallError("socketpair", pair);
  const program = programFile(witnessImage(bytes ?? WITNESS_BYTES));
  try {
    const script = new SpawnScript();
    join?.(script);
    oomScoreAdj(script, FIRST, true);
    const fds = [-1, -1, -1, pair[1]], executed = aside(script, program, fds);
    descriptors(script, fds);
    limits(script);
    drop?.(script);
    allowOnly(script, WITNESS_CALLS);
    close(spawn(script.execFd(executed, ["dvisor-oom-witness"], [])).pidfd);
    return pair[0];
  } catch (error) {
    close(pair[0]);
    throw error;
  } finally {
    close(pair[1]);
    close(program);
  }
}
