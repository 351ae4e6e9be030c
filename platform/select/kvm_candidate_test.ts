import { assertEquals } from "@std/assert";
import { hasVmx } from "./kvm_candidate.ts";

Deno.test("processors that nobody could try are known by their flag", () => {
  const text = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} sse\nvmx flags\t: ept\n`;
  assertEquals(hasVmx(text("vmx")), true);
  assertEquals([text("svm"), text("vmxx"), ""].map(hasVmx), [false, false, false]);
});
