import { assertEquals } from "@std/assert";
import * as K from "../../ffi/abi/kvm.ts";
import { SYS_ioctl } from "../../ffi/abi/syscall_numbers.ts";
import { PLATFORM_NAMES } from "../../platform/select/candidates.ts";
import { verdict } from "../../ffi/asm/call_filter_testing.ts";
import { assembleFilter, rulesFor } from "./seccomp/seccomp_filter.ts";

/** Type of KVM's requests, and the form of a request. */
const KVMIO = 0xae, DIRECTIONS = 4, NUMBERS = 256;
/**
 * Calls on a machine that exists: run it, FPU state, memory, and the reset of a vCPU
 * (`Vcpu.reset`).
 */
const NEEDED = [
  K.KVM_RUN,
  K.KVM_GET_XSAVE,
  K.KVM_SET_XSAVE,
  K.KVM_SET_USER_MEMORY_REGION,
  K.KVM_GET_SREGS,
  K.KVM_SET_SREGS,
  K.KVM_SET_MSRS,
  K.KVM_SET_XCRS,
];

/** Every request of KVM, with the sizes that any known one has. */
function* requests(): Iterable<number> {
  const known = Object.values(K).filter((value) => typeof value === "number");
  const sizes = new Set(known.map((value) => value >>> 16 & 0x3fff));
  for (let number = 0; number < NUMBERS; number++) {
    for (let direction = 0; direction < DIRECTIONS; direction++) {
      for (const size of sizes) {
        yield (direction * 2 ** 30 + size * 2 ** 16 + KVMIO * 2 ** 8 + number) >>> 0;
      }
    }
  }
}

Deno.test("the filter lets pass the eight requests of KVM that are in use, and no other", () => {
  for (const platform of PLATFORM_NAMES) {
    for (const network of [true, false]) {
      const filter = assembleFilter(rulesFor(network), platform);
      const passed = [...requests()].filter((request) => verdict(filter, SYS_ioctl, 9, request));
      const expected = platform === "kvm" ? NEEDED.map((request) => request >>> 0) : [];
      assertEquals(passed.toSorted(), expected.toSorted(), platform);
    }
  }
});
