/**
 * Virtual machines: ioctl numbers and structures of /dev/kvm.
 *
 * From linux/kvm.h and asm/kvm.h, documented in Documentation/virt/kvm/api.rst.
 */

import { layout } from "./layout.ts";

export const KVM_API_VERSION = 12;

/** Requests to /dev/kvm. */
export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
export const KVM_GET_SUPPORTED_CPUID = 0xc008ae05;

/** Requests to a machine. */
export const KVM_CREATE_VCPU = 0xae41;
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
export const KVM_ENABLE_CAP = 0x4068aea3;

/** Requests to a vCPU. */
export const KVM_RUN = 0xae80;
export const KVM_GET_SREGS = 0x8138ae83;
export const KVM_SET_SREGS = 0x4138ae84;
export const KVM_SET_MSRS = 0x4008ae89;
export const KVM_SET_CPUID2 = 0x4008ae90;
export const KVM_GET_XSAVE = 0x9000aea4;
export const KVM_SET_XSAVE = 0x5000aea5;
export const KVM_SET_XCRS = 0x4188aea7;
export const KVM_SET_DEVICE_ATTR = 0x4018aee1;

export const KVM_CAP_NR_MEMSLOTS = 10;
export const KVM_CAP_SYNC_MMU = 16;
export const KVM_CAP_XSAVE = 55;
export const KVM_CAP_XCRS = 56;
export const KVM_CAP_SYNC_REGS = 74;
export const KVM_CAP_IMMEDIATE_EXIT = 136;
export const KVM_CAP_X86_DISABLE_EXITS = 143;

/** Bits for KVM_CAP_X86_DISABLE_EXITS. */
export const KVM_X86_DISABLE_EXITS_PAUSE = 4;

export const KVM_SYNC_X86_REGS = 1;
export const KVM_SYNC_X86_SREGS = 2;
export const KVM_SYNC_X86_EVENTS = 4;

export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_IO_OUT = 1;

/** With KVM_SET_DEVICE_ATTR: the offset of the guest's time stamp counter from the host's. */
export const KVM_VCPU_TSC_CTRL = 0;
export const KVM_VCPU_TSC_OFFSET = 0;

export const KvmUserspaceMemoryRegion = /* @__PURE__ */ layout("kvm_userspace_memory_region", {
  slot: "u32",
  flags: "u32",
  guestPhysAddr: "u64",
  memorySize: "u64",
  userspaceAddr: "u64",
});

export const KvmRegs = /* @__PURE__ */ layout("kvm_regs", {
  rax: "u64",
  rbx: "u64",
  rcx: "u64",
  rdx: "u64",
  rsi: "u64",
  rdi: "u64",
  rsp: "u64",
  rbp: "u64",
  r8: "u64",
  r9: "u64",
  r10: "u64",
  r11: "u64",
  r12: "u64",
  r13: "u64",
  r14: "u64",
  r15: "u64",
  rip: "u64",
  rflags: "u64",
});

export const KvmSegment = /* @__PURE__ */ layout("kvm_segment", {
  base: "u64",
  limit: "u32",
  selector: "u16",
  type: "u8",
  present: "u8",
  dpl: "u8",
  db: "u8",
  s: "u8",
  l: "u8",
  g: "u8",
  avl: "u8",
  unusable: "u8",
  padding: "u8",
});

export const KvmDtable = /* @__PURE__ */ layout("kvm_dtable", {
  base: "u64",
  limit: "u16",
  padding: ["u16", 3],
});

export const KvmSregs = /* @__PURE__ */ layout("kvm_sregs", {
  cs: KvmSegment,
  ds: KvmSegment,
  es: KvmSegment,
  fs: KvmSegment,
  gs: KvmSegment,
  ss: KvmSegment,
  tr: KvmSegment,
  ldt: KvmSegment,
  gdt: KvmDtable,
  idt: KvmDtable,
  cr0: "u64",
  cr2: "u64",
  cr3: "u64",
  cr4: "u64",
  cr8: "u64",
  efer: "u64",
  apicBase: "u64",
  interruptBitmap: ["u64", 4],
});

/** The page shared with a vCPU, up to its registers; the exit is of kind KVM_EXIT_IO here. */
export const KvmRun = /* @__PURE__ */ layout("kvm_run", {
  requestInterruptWindow: "u8",
  immediateExit: "u8",
  padding1: ["u8", 6],
  exitReason: "u32",
  readyForInterruptInjection: "u8",
  ifFlag: "u8",
  flags: "u16",
  cr8: "u64",
  apicBase: "u64",
  ioDirection: "u8",
  ioSize: "u8",
  ioPort: "u16",
  ioCount: "u32",
  ioDataOffset: "u64",
  otherExits: ["u8", 240],
  validRegs: "u64",
  dirtyRegs: "u64",
  regs: KvmRegs,
  sregs: KvmSregs,
  /** Flags of an exception that is being delivered to the guest. */
  exceptionInjected: "u8",
  exceptionNr: "u8",
  exceptionHasErrorCode: "u8",
  exceptionPending: "u8",
  exceptionErrorCode: "u32",
  interruptInjected: "u8",
  interruptNr: "u8",
  interruptSoft: "u8",
  /** The instruction behind one that delays interrupts and single steps (a load of ss). */
  interruptShadow: "u8",
  otherRegs: ["u8", 1580],
});

export const KvmCpuidEntry2 = /* @__PURE__ */ layout("kvm_cpuid_entry2", {
  function: "u32",
  index: "u32",
  flags: "u32",
  eax: "u32",
  ebx: "u32",
  ecx: "u32",
  edx: "u32",
  padding: ["u32", 3],
});

/** The head of `struct kvm_cpuid2`; entries follow. */
export const KvmCpuid2 = /* @__PURE__ */ layout("kvm_cpuid2", { nent: "u32", padding: "u32" });

/** The head of `struct kvm_msrs`; entries follow. */
export const KvmMsrs = /* @__PURE__ */ layout("kvm_msrs", { nmsrs: "u32", pad: "u32" });

export const KvmMsrEntry = /* @__PURE__ */ layout("kvm_msr_entry", {
  index: "u32",
  reserved: "u32",
  data: "u64",
});

export const KvmXcr = /* @__PURE__ */ layout("kvm_xcr", {
  xcr: "u32",
  reserved: "u32",
  value: "u64",
});

export const KvmXcrs = /* @__PURE__ */ layout("kvm_xcrs", {
  nrXcrs: "u32",
  flags: "u32",
  xcrs: [KvmXcr, 16],
  padding: ["u64", 16],
});

export const KvmXsave = /* @__PURE__ */ layout("kvm_xsave", { region: ["u32", 1024] });

export const KvmDeviceAttr = /* @__PURE__ */ layout("kvm_device_attr", {
  flags: "u32",
  group: "u32",
  attr: "u64",
  addr: "u64",
});

export const KvmEnableCap = /* @__PURE__ */ layout("kvm_enable_cap", {
  cap: "u32",
  flags: "u32",
  args: ["u64", 4],
  pad: ["u8", 64],
});
