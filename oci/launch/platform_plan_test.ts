import { assert, assertEquals } from "@std/assert";
import { planPlatform } from "./platform_plan.ts";
import { PlatformMemory } from "./remembered_platform.ts";

Deno.test("what is remembered decides, whatever a measurement would say now", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-plan-" });
  try {
    const memory = PlatformMemory.open(dir, "a host");
    assert(memory !== null);
    assertEquals(planPlatform(true, memory, () => null).kind, "measure");
    assertEquals(planPlatform(true, memory, () => "too busy"), {
      kind: "default",
      why: "too busy",
    });
    memory.remember("kvm");
    const plan = planPlatform(true, memory, () => "too busy");
    assertEquals(plan.kind, "kvm");
    assert(plan.why.includes(`${dir}/platform.json`), plan.why);
    memory.remember("systrap");
    assertEquals(planPlatform(true, memory, () => null).kind, "default");
    assertEquals(planPlatform(false, memory).kind, "default");
    assertEquals(planPlatform(true, null).kind, "default");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
