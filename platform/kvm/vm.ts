/**
 * The machine: /dev/kvm asked for what is needed, one sentence for each thing that can be missing.
 *
 * Neighbours: `vcpu.ts` makes its processors, `guest_physical.ts` gives it memory. Source: the host's
 * Documentation/virt/kvm/api.rst.
 */

import {
  KVM_API_VERSION,
  KVM_CAP_IMMEDIATE_EXIT,
  KVM_CAP_SYNC_MMU,
  KVM_CAP_SYNC_REGS,
  KVM_CAP_XCRS,
  KVM_CAP_XSAVE,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_SUPPORTED_CPUID,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_SYNC_X86_EVENTS,
  KVM_SYNC_X86_REGS,
  KVM_SYNC_X86_SREGS,
  KvmCpuid2,
  KvmCpuidEntry2,
} from "../../ffi/abi/kvm.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, ioctl } from "../../ffi/sys/files.ts";
import { XSAVE_HEADER_END } from "../xsave.ts";
import { DEVICE } from "./device.ts";

const MAX_CPUID_ENTRIES = 256;
/** What the host puts into the shared page whenever a processor leaves the machine. */
export const SYNC: number = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
const NEEDED: readonly (readonly [number, string])[] = [
  [KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU"],
  [KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS"],
  [KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"],
  [KVM_CAP_XSAVE, "KVM_CAP_XSAVE"],
  [KVM_CAP_XCRS, "KVM_CAP_XCRS"],
];

const XSTATE_LEAF = 0xd, ADDRESS_LEAF = 0x80000008;
/** x87, SSE, AVX, opmask, upper ZMM, high ZMM: neither protection keys, which are off, nor AMX, which asks for permission. */
const FEATURES = 0xe7;
const E = KvmCpuidEntry2.at;

export class Vm {
  readonly fd: number;
  /** Bytes shared with a processor. */
  readonly runBytes: number;
  /** What its processors are said to be: a struct kvm_cpuid2. */
  readonly cpuid: Uint8Array<ArrayBuffer>;
  /** XCR0 of threads, and bytes of their XSAVE area. */
  readonly features: number;
  readonly fpuBytes: number;
  /** Of guest-physical addresses. */
  readonly addressBits: number;

  /**
   * @param device what `openDevice` gave; it is not needed any more
   * @throws Error that says in one sentence why there is no machine here
   */
  constructor(device: number) {
    try {
      checkDevice(device);
      this.runBytes = check(ioctl(device, KVM_GET_VCPU_MMAP_SIZE), "KVM_GET_VCPU_MMAP_SIZE");
      this.cpuid = supportedCpuid(device);
      this.features = FEATURES & this.#leaf(XSTATE_LEAF, 0, E.eax);
      this.fpuBytes = this.#fpuBytes();
      this.addressBits = this.#leaf(ADDRESS_LEAF, 0, E.eax) & 0xff;
      this.fd = check(ioctl(device, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
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

  /** To the end of the last feature: the standard form has fixed places. */
  #fpuBytes(): number {
    let end = XSAVE_HEADER_END;
    for (let feature = 2; feature < 32; feature++) {
      if ((this.features >>> feature & 1) === 0) continue;
      const place = this.#leaf(XSTATE_LEAF, feature, E.ebx);
      end = Math.max(end, place + this.#leaf(XSTATE_LEAF, feature, E.eax));
    }
    return end;
  }

  close(): void {
    close(this.fd);
  }
}

function checkDevice(fd: number): void {
  const version = ioctl(fd, KVM_GET_API_VERSION);
  if (version !== KVM_API_VERSION) {
    throw new Error(`${DEVICE} has API version ${version}, not ${KVM_API_VERSION}`);
  }
  for (const [capability, name] of NEEDED) {
    const value = ioctl(fd, KVM_CHECK_EXTENSION, capability);
    const isThere = capability === KVM_CAP_SYNC_REGS ? (value & SYNC) === SYNC : value > 0;
    if (!isThere) throw new Error(`${DEVICE} of this host lacks ${name}`);
  }
}

function supportedCpuid(fd: number): Uint8Array<ArrayBuffer> {
  const cpuid = allocBuffer(KvmCpuid2.size + MAX_CPUID_ENTRIES * KvmCpuidEntry2.size);
  new DataView(cpuid.buffer).setUint32(KvmCpuid2.at.nent, MAX_CPUID_ENTRIES, true);
  check(ioctl(fd, KVM_GET_SUPPORTED_CPUID, addressOf(cpuid)), "KVM_GET_SUPPORTED_CPUID");
  return cpuid;
}
