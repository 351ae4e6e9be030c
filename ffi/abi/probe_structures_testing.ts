/**
 * The structures of bpf.ts, epoll.ts, io_uring.ts and kvm.ts with their C types and the C names of
 * their fields: a part of probe_registry_testing.ts.
 */

import * as bpf from "./bpf.ts";
import * as epoll from "./epoll.ts";
import * as ioUring from "./io_uring.ts";
import * as kvm from "./kvm.ts";
import type { Fields, Layout } from "./layout.ts";

type Renames = Readonly<Record<string, string>>;

const UNION = "union bpf_attr";

export const INTERFACE_LAYOUTS: readonly (readonly [Layout<Fields>, string, Renames])[] = [
  [bpf.BpfLoad, UNION, {
    progType: "prog_type",
    insnCnt: "insn_cnt",
    logLevel: "log_level",
    logSize: "log_size",
    logBuf: "log_buf",
    kernVersion: "kern_version",
    progFlags: "prog_flags",
    progName: "prog_name",
    progIfindex: "prog_ifindex",
    expectedAttachType: "expected_attach_type",
    rest: "",
  }],
  [bpf.BpfAttach, UNION, {
    targetFd: "target_fd",
    attachBpfFd: "attach_bpf_fd",
    attachType: "attach_type",
    attachFlags: "attach_flags",
    replaceBpfFd: "replace_bpf_fd",
    rest: "",
  }],
  [bpf.BpfQuery, UNION, {
    targetFd: "query.target_fd",
    attachType: "query.attach_type",
    queryFlags: "query.query_flags",
    attachFlags: "query.attach_flags",
    progIds: "query.prog_ids",
    progCnt: "query.prog_cnt",
    reserved: "",
    progAttachFlags: "query.prog_attach_flags",
    rest: "",
  }],
  [ioUring.IoUringBufReg, "struct io_uring_buf_reg", {
    ringAddr: "ring_addr",
    ringEntries: "ring_entries",
    minLeft: "",
  }],
  [epoll.EpollParams, "struct epoll_params", {
    busyPollUsecs: "busy_poll_usecs",
    busyPollBudget: "busy_poll_budget",
    preferBusyPoll: "prefer_busy_poll",
    pad: "__pad",
  }],
];

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
