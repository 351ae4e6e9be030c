import { assertEquals, assertThrows } from "@std/assert";
import { ENOTTY } from "../../ffi/abi/errno.ts";
import {
  KVM_API_VERSION,
  KVM_CAP_IMMEDIATE_EXIT,
  KVM_CAP_SYNC_REGS,
  KVM_CHECK_EXTENSION,
  KVM_SYNC_X86_REGS,
} from "../../ffi/abi/kvm.ts";
import { hostKind } from "./host_kinds.ts";
import { deviceProblem, processorProblem, SYNC } from "./vm.ts";

/** A host that has all features; `capability` has this value. */
function host(capability: number, value: number) {
  return (request: number, argument: number): number => {
    if (request !== KVM_CHECK_EXTENSION) return KVM_API_VERSION;
    if (argument === capability) return value;
    return argument === KVM_CAP_SYNC_REGS ? SYNC : 1;
  };
}

Deno.test("deviceProblem names what a host lacks in one sentence", () => {
  assertEquals(deviceProblem(host(-1, 0)), null);
  assertEquals(deviceProblem(() => -ENOTTY), "/dev/kvm is not the device of virtual machines");
  assertEquals(deviceProblem(() => 11), "/dev/kvm has API version 11, not 12");
  assertEquals(
    deviceProblem(host(KVM_CAP_IMMEDIATE_EXIT, 0)),
    "/dev/kvm of this host lacks KVM_CAP_IMMEDIATE_EXIT",
  );
  const old = host(KVM_CAP_SYNC_REGS, KVM_SYNC_X86_REGS);
  assertEquals(deviceProblem(old), "/dev/kvm of this host lacks KVM_CAP_SYNC_REGS");
});

Deno.test("processorProblem names what a virtual processor lacks in one sentence", () => {
  assertEquals(processorProblem(() => 0xffffffff), null);
  assertEquals(
    processorProblem((leaf) => leaf === 7 ? 0 : 0xffffffff),
    "processors of virtual machines of this host lack FSGSBASE",
  );
});

Deno.test("a processor without known flags is not taken for PVM", () => {
  const name = (flags: string) => hostKind(`processor : 0\n${flags}\nbugs : vmx\n`).name;
  assertEquals(name("flags\t\t: fpu svm sse"), "hardware");
  assertEquals(name("flags : fpu vmx"), "hardware");
  assertEquals(name("flags : fpu svmx"), "pvm");
  for (const text of ["", "Features : fp"]) assertThrows(() => name(text), Error, "/proc/cpuinfo");
});
