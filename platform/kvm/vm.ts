/**
 * The machine: requests to /dev/kvm, and one sentence for each feature that can be missing.
 *
 * Neighbours: `vcpu.ts` makes its vCPUs, `guest_physical.ts` adds memory. Source: the host's
 * Documentation/virt/kvm/api.rst.
 */

import { EBUSY } from "../../ffi/abi/errno.ts";
import {
  KVM_API_VERSION,
  KVM_CAP_IMMEDIATE_EXIT,
  KVM_CAP_SYNC_MMU,
  KVM_CAP_SYNC_REGS,
  KVM_CAP_X86_DISABLE_EXITS,
  KVM_CAP_XCRS,
  KVM_CAP_XSAVE,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_ENABLE_CAP,
  KVM_GET_API_VERSION,
  KVM_GET_SUPPORTED_CPUID,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_SYNC_X86_EVENTS,
  KVM_SYNC_X86_REGS,
  KVM_SYNC_X86_SREGS,
  KVM_X86_DISABLE_EXITS_PAUSE,
  KvmCpuid2,
  KvmCpuidEntry2,
  KvmEnableCap,
} from "../../ffi/abi/kvm.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, ioctl } from "../../ffi/sys/files.ts";
import { XSAVE_HEADER_END } from "../xsave.ts";
import { DEVICE } from "./device.ts";
import { type HostKind, hostKind } from "./host_kinds.ts";

const MAX_CPUID_ENTRIES = 256;
/** The registers that the host writes into the shared page when a vCPU leaves the machine. */
export const SYNC: number = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
/** Required capabilities: number, name, and the bits that are needed (0: any). */
const NEEDED: readonly (readonly [number, string, number])[] = [
  [KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU", 0],
  [KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", SYNC],
  [KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", 0],
  [KVM_CAP_XSAVE, "KVM_CAP_XSAVE", 0],
  [KVM_CAP_XCRS, "KVM_CAP_XCRS", 0],
];

const BASE_LEAF = 1, MORE_LEAF = 7, XSTATE_LEAF = 0xd;
const LONG_LEAF = 0x80000001, ADDRESS_LEAF = 0x80000008;
/** Required features of the processor: leaf of CPUID, register, bit. */
const PROCESSOR: readonly (readonly [string, number, "ebx" | "ecx" | "edx", number])[] = [
  ["XSAVE", BASE_LEAF, "ecx", 26],
  ["FSGSBASE", MORE_LEAF, "ebx", 0],
  ["NX", LONG_LEAF, "edx", 20],
  ["64-bit mode", LONG_LEAF, "edx", 29],
];
/**
 * State components: x87, SSE, AVX, opmask, upper ZMM, high ZMM. Protection keys are off, and AMX
 * needs a permission.
 */
const FEATURES = 0xe7;
const E = KvmCpuidEntry2.at;

export class Vm {
  readonly fd: number;
  readonly kind: HostKind;
  /** Bytes of the page shared with a vCPU. */
  readonly runBytes: number;
  /** CPUID of its vCPUs: a struct kvm_cpuid2. */
  readonly cpuid: Uint8Array<ArrayBuffer>;
  /** XCR0 of threads, and bytes of their XSAVE area. */
  readonly features: number;
  readonly fpuBytes: number;
  /** Bits of guest-physical addresses. */
  readonly addressBits: number;

  /**
   * @param device what `openDevice` returned; the constructor closes it
   * @param cpuInfo text of /proc/cpuinfo
   * @throws Error that says in one sentence why there is no machine here
   */
  constructor(device: number, cpuInfo: string) {
    try {
      const kind = this.kind = hostKind(cpuInfo);
      throwIf(deviceProblem((request, argument) => ioctl(device, request, argument)));
      this.runBytes = check(ioctl(device, KVM_GET_VCPU_MMAP_SIZE), "KVM_GET_VCPU_MMAP_SIZE");
      this.cpuid = supportedCpuid(device);
      if (kind.tellsProcessor) {
        throwIf(processorProblem((leaf, register) => this.#leaf(leaf, 0, E[register])));
      }
      this.features = FEATURES & this.#leaf(XSTATE_LEAF, 0, E.eax);
      this.fpuBytes = this.#fpuBytes();
      this.addressBits = this.#leaf(ADDRESS_LEAF, 0, E.eax) & 0xff;
      const fd = ioctl(device, KVM_CREATE_VM, 0);
      if (fd === -EBUSY) throw new Error("another program has this host's virtual machines");
      this.fd = check(fd, "KVM_CREATE_VM");
      if (!kind.isCallInUserMode) this.#allowPauses();
    } finally {
      close(device);
    }
  }

  #leaf(leaf: number, index: number, register: number): number {
    const view = new DataView(this.cpuid.buffer), count = view.getUint32(KvmCpuid2.at.nent, true);
    for (let i = 0; i < count; i++) {
      const at = KvmCpuid2.size + i * KvmCpuidEntry2.size;
      const isIt = view.getUint32(at + E.function, true) === leaf &&
        view.getUint32(at + E.index, true) === index;
      if (isIt) return view.getUint32(at + register, true);
    }
    return 0;
  }

  /**
   * Bytes up to the end of the last feature: components have fixed offsets in the standard form.
   */
  #fpuBytes(): number {
    let end = XSAVE_HEADER_END;
    for (let feature = 2; feature < 32; feature++) {
      if ((this.features >>> feature & 1) === 0) continue;
      const place = this.#leaf(XSTATE_LEAF, feature, E.ebx);
      end = Math.max(end, place + this.#leaf(XSTATE_LEAF, feature, E.eax));
    }
    return end;
  }

  /**
   * Switches off exits for PAUSE: some processors take a thread that spins in ring 0 for one that
   * waits for a lock of another vCPU.
   */
  #allowPauses(): void {
    const base = scratch.areaOffset(0), { dv } = scratch, { at } = KvmEnableCap;
    scratch.u8.fill(0, base, base + KvmEnableCap.size);
    dv.setUint32(base + at.cap, KVM_CAP_X86_DISABLE_EXITS, true);
    dv.setUint32(base + at.args, KVM_X86_DISABLE_EXITS_PAUSE, true);
    ioctl(this.fd, KVM_ENABLE_CAP, scratch.area(0)); // old hosts refuse, which only costs speed
  }

  close(): void {
    close(this.fd);
  }
}

/** @param ask makes a request to /dev/kvm with an argument: a number, or `-errno` */
export function deviceProblem(ask: (request: number, argument: number) => number): string | null {
  const version = ask(KVM_GET_API_VERSION, 0);
  if (version < 0) return `${DEVICE} is not the device of virtual machines`;
  if (version !== KVM_API_VERSION) {
    return `${DEVICE} has API version ${version}, not ${KVM_API_VERSION}`;
  }
  for (const [capability, name, bits] of NEEDED) {
    const value = ask(KVM_CHECK_EXTENSION, capability);
    if (value <= 0 || (value & bits) !== bits) return `${DEVICE} of this host lacks ${name}`;
  }
  return null;
}

/** @param cpuid returns a leaf and register that the host gives to a vCPU */
export function processorProblem(
  cpuid: (leaf: number, register: "ebx" | "ecx" | "edx") => number,
): string | null {
  for (const [name, leaf, register, bit] of PROCESSOR) {
    if ((cpuid(leaf, register) >>> bit & 1) === 0) {
      return `processors of virtual machines of this host lack ${name}`;
    }
  }
  return null;
}

function throwIf(problem: string | null): void {
  if (problem !== null) throw new Error(problem);
}

function supportedCpuid(fd: number): Uint8Array<ArrayBuffer> {
  const cpuid = allocBuffer(KvmCpuid2.size + MAX_CPUID_ENTRIES * KvmCpuidEntry2.size);
  new DataView(cpuid.buffer).setUint32(KvmCpuid2.at.nent, MAX_CPUID_ENTRIES, true);
  check(ioctl(fd, KVM_GET_SUPPORTED_CPUID, addressOf(cpuid)), "KVM_GET_SUPPORTED_CPUID");
  return cpuid;
}
