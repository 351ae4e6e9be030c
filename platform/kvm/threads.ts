/**
 * The native threads of all vCPUs: their code, their stacks, and the words that they share with the
 * Sentry.
 *
 * Neighbours: `vcpu_thread.ts` assembles the code, `vcpu.ts` is one vCPU.
 */

import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { SA_ONSTACK, SA_RESTART, SIGURG } from "../../ffi/abi/signal.ts";
import { SYS_getpid, SYS_mprotect } from "../../ffi/abi/syscall_numbers.ts";
import { copyFromBuffer } from "../../ffi/mem/native_memory.ts";
import { check } from "../../ffi/sys/errors.ts";
import { mmap, munmap } from "../../ffi/sys/files.ts";
import { codeAddress, setAction, syscall, viewOf } from "../../ffi/sys/native.ts";
import { Bell } from "./call_stub.ts";
import type { Ring0 } from "./ring0.ts";
import { type TableMemory } from "./table_memory.ts";
import { Vcpu } from "./vcpu.ts";
import { assembleThread, VcpuShared } from "./vcpu_thread.ts";
import type { Vm } from "./vm.ts";

/**
 * A standard signal: a real-time one is queued each time, and lost once RLIMIT_SIGPENDING is
 * reached.
 */
export const KICK_SIGNAL = SIGURG;
/** Bytes of a thread: a page for its block, the rest for signal frames. */
const THREAD_BYTES = 16 * PAGE_SIZE;
/** Offsets of code, shared words and the first thread. */
const CODE_AT = 0, SHARED_AT = PAGE_SIZE, THREADS_AT = 2 * PAGE_SIZE;

/** A CPU number that no thread has, also not one that has not run. */
const NO_CPU = -2;

export class Threads {
  readonly vcpus: readonly Vcpu[];
  readonly #base: number;
  readonly #bytes: number;
  readonly #words: Int32Array<ArrayBuffer>;
  /** The words that the stubs of calls read. */
  readonly #bell: Uint32Array<ArrayBuffer>;

  /** @throws Error */
  constructor(
    vm: Vm,
    ring0: Ring0,
    tables: TableMemory,
    doorbellFd: number,
    count: number,
  ) {
    this.#bytes = THREADS_AT + count * THREAD_BYTES;
    const prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    const base = this.#base = check(mmap(0, this.#bytes, prot, flags, -1, 0), "mmap of threads");
    const code = assembleThread();
    copyFromBuffer(base + CODE_AT, code, 0, code.length);
    const readable = PROT_READ | PROT_EXEC;
    check(syscall(SYS_mprotect, base + CODE_AT, PAGE_SIZE, readable), "mprotect of code");
    this.#words = new Int32Array(viewOf(base + SHARED_AT, PAGE_SIZE));
    const bellAt = tables.wordOf(ring0.bellFrame);
    this.#bell = tables.words(ring0.bellFrame).subarray(bellAt, bellAt + Bell.size / 4);
    const dv = new DataView(this.#words.buffer);
    this.setLoopCpu(NO_CPU);
    dv.setBigUint64(VcpuShared.at.one, 1n, true);
    dv.setBigUint64(VcpuShared.at.kick, 1n << BigInt(KICK_SIGNAL - 1), true);
    // The handler only returns: the signal alone makes a vCPU leave the machine.
    const handler = codeAddress("code_start");
    check(setAction(KICK_SIGNAL, handler, SA_RESTART | SA_ONSTACK), "rt_sigaction of the kick");
    const material = {
      vm,
      ring0,
      tables,
      pid: syscall(SYS_getpid),
      kickSignal: KICK_SIGNAL,
      doorbellFd,
      code: base + CODE_AT,
      shared: base + SHARED_AT,
    };
    const vcpus: Vcpu[] = [];
    this.vcpus = vcpus;
    try {
      for (let i = 0; i < count; i++) {
        const block = base + THREADS_AT + i * THREAD_BYTES;
        vcpus.push(new Vcpu(material, i, block, block + THREAD_BYTES));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  setSentryAsleep(value: number): void {
    Atomics.store(this.#words, VcpuShared.at.isSentryAsleep / 4, value);
    Atomics.store(this.#bell, Bell.at.isSentryAsleep / 4, value);
  }

  /** LIMIT: 2^31 ticks. */
  setSpinTicks(ticks: number): void {
    const budget = Math.min(0x7fffffff, ticks);
    Atomics.store(this.#words, VcpuShared.at.spinTicks / 4, budget);
    Atomics.store(this.#bell, Bell.at.spinTicks / 4, budget);
  }

  setLoopCpu(cpu: number): void {
    Atomics.store(this.#words, VcpuShared.at.loopCpu / 4, cpu);
    Atomics.store(this.#bell, Bell.at.loopCpu / 4, cpu);
  }

  close(): void {
    for (const vcpu of this.vcpus) vcpu.close();
    munmap(this.#base, this.#bytes);
  }
}
