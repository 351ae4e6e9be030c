import { assert, assertEquals } from "@std/assert";
import { bestOf, findBest, meanCallNs } from "./choice.ts";
import type { PlatformName } from "./candidates.ts";
import type { PlatformCosts } from "./trial.ts";

function costs(callNs: number, faultNs: number, forkNs: number): PlatformCosts {
  return { callNs, faultNs, forkNs };
}

function best(measured: Partial<Record<PlatformName, PlatformCosts | null>>): PlatformName | null {
  return bestOf(new Map(Object.entries(measured) as [PlatformName, PlatformCosts | null][]));
}

const SYSTRAP = costs(300, 12_000, 150_000), PTRACE = costs(9000, 35_000, 250_000);

Deno.test("a call has its share of faults and forks", () => {
  assertEquals(meanCallNs(costs(100, 1000, 10_000)), 100 + 100 + 20);
});

Deno.test("systrap is best where a machine is software, kvm where the processor runs it", () => {
  const software = costs(2200, 40_000, 120_000), hardware = costs(400, 2500, 60_000);
  assertEquals(best({ systrap: SYSTRAP, ptrace: PTRACE, kvm: software }), "systrap");
  assertEquals(best({ systrap: SYSTRAP, ptrace: PTRACE, kvm: hardware }), "kvm");
  assertEquals(best({ systrap: null, ptrace: PTRACE, kvm: software }), "kvm");
});

Deno.test("a platform that fails, or is hardly better, is not chosen", () => {
  assertEquals(best({ systrap: null, ptrace: PTRACE, kvm: null }), "ptrace");
  assertEquals(best({ systrap: null, ptrace: null }), null);
  assertEquals(best({ systrap: costs(9e6, 9e6, 9e6), ptrace: PTRACE }), "systrap");
  assertEquals(best({ systrap: SYSTRAP, kvm: costs(250, 11_500, 150_000) }), "systrap");
});

Deno.test("the best is found without /dev/kvm, among those that work", () => {
  const found = findBest(-9, () => {});
  assert(found === "systrap" || found === "ptrace", String(found));
});
