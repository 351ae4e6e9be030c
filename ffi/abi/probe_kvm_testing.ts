/**
 * The structures of kvm.ts with their C types and the C names of their fields: a part of
 * probe_registry_testing.ts.
 */

import * as kvm from "./kvm.ts";
import type { Fields, Layout } from "./layout.ts";

type Renames = Readonly<Record<string, string>>;

export const KVM_LAYOUTS: readonly (readonly [Layout<Fields>, string, Renames])[] = [
  [kvm.KvmUserspaceMemoryRegion, "struct kvm_userspace_memory_region", {
    guestPhysAddr: "guest_phys_addr",
    memorySize: "memory_size",
    userspaceAddr: "userspace_addr",
  }],
  [kvm.KvmRegs, "struct kvm_regs", {}],
  [kvm.KvmSegment, "struct kvm_segment", {}],
  [kvm.KvmDtable, "struct kvm_dtable", {}],
  [kvm.KvmSregs, "struct kvm_sregs", {
    apicBase: "apic_base",
    interruptBitmap: "interrupt_bitmap",
  }],
  [kvm.KvmRun, "struct kvm_run", {
    requestInterruptWindow: "request_interrupt_window",
    immediateExit: "",
    exitReason: "exit_reason",
    readyForInterruptInjection: "ready_for_interrupt_injection",
    ifFlag: "if_flag",
    apicBase: "apic_base",
    ioDirection: "io.direction",
    ioSize: "io.size",
    ioPort: "io.port",
    ioCount: "io.count",
    ioDataOffset: "io.data_offset",
    otherExits: "",
    validRegs: "kvm_valid_regs",
    dirtyRegs: "kvm_dirty_regs",
    regs: "s.regs.regs",
    sregs: "s.regs.sregs",
    exceptionInjected: "s.regs.events.exception.injected",
    exceptionNr: "s.regs.events.exception.nr",
    exceptionHasErrorCode: "s.regs.events.exception.has_error_code",
    exceptionPending: "s.regs.events.exception.pending",
    exceptionErrorCode: "s.regs.events.exception.error_code",
    interruptInjected: "s.regs.events.interrupt.injected",
    interruptNr: "s.regs.events.interrupt.nr",
    interruptSoft: "s.regs.events.interrupt.soft",
    interruptShadow: "s.regs.events.interrupt.shadow",
    otherRegs: "",
  }],
  [kvm.KvmCpuidEntry2, "struct kvm_cpuid_entry2", {}],
  [kvm.KvmCpuid2, "struct kvm_cpuid2", {}],
  [kvm.KvmMsrs, "struct kvm_msrs", {}],
  [kvm.KvmMsrEntry, "struct kvm_msr_entry", {}],
  [kvm.KvmXcr, "struct kvm_xcr", {}],
  [kvm.KvmXcrs, "struct kvm_xcrs", { nrXcrs: "nr_xcrs" }],
  [kvm.KvmXsave, "struct kvm_xsave", {}],
  [kvm.KvmEnableCap, "struct kvm_enable_cap", {}],
  [kvm.KvmDeviceAttr, "struct kvm_device_attr", {}],
];
