import { assert, assertEquals } from "@std/assert";
import { hasVmx, isPlatformName, PLATFORM_NAMES } from "./candidates.ts";

Deno.test("a platform is known by its name", () => {
  for (const name of PLATFORM_NAMES) assert(isPlatformName(name));
  for (const name of ["", "Kvm", "Ptrace", "constructor"]) {
    assertEquals(isPlatformName(name), false);
  }
});

Deno.test("a processor with VMX is known by its flag", () => {
  const text = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} sse\nvmx flags\t: ept\n`;
  assertEquals(hasVmx(text("vmx")), true);
  assertEquals([text("svm"), text("vmxx"), ""].map(hasVmx), [false, false, false]);
});
