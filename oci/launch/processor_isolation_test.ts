import { assertEquals, assertThrows } from "@std/assert";
import { EINVAL, ENODEV, ENXIO } from "../../ffi/abi/errno.ts";
import * as P from "../../ffi/abi/prctl.ts";
import { UserError } from "../user_error.ts";
import { type ProcessorHost, processorIsolation, processorLacks } from "./processor_isolation.ts";

const OFF = P.PR_SPEC_PRCTL | P.PR_SPEC_ENABLE;
const CREATE = [P.PR_SCHED_CORE, P.PR_SCHED_CORE_CREATE, 0, 0, 0];

/** A host by its answers about store bypass, indirect branches and the L1 data cache. */
function hostOf(states: readonly number[], more: Partial<ProcessorHost> = {}): ProcessorHost {
  return {
    speculation: (control) => states[control] ?? -EINVAL,
    coreScheduling: () => 0,
    leaksL1d: () => true,
    ...more,
  };
}

function set(control: number, value: number): number[] {
  return [P.PR_SET_SPECULATION_CTRL, control, value, 0, 0];
}

Deno.test("strict sets each control of a process, permanently where possible", () => {
  const host = hostOf([OFF, OFF, P.PR_SPEC_PRCTL | P.PR_SPEC_DISABLE]);
  assertEquals(processorIsolation("strict", "off", host), [
    set(P.PR_SPEC_STORE_BYPASS, P.PR_SPEC_FORCE_DISABLE),
    set(P.PR_SPEC_INDIRECT_BRANCH, P.PR_SPEC_FORCE_DISABLE),
    set(P.PR_SPEC_L1D_FLUSH, P.PR_SPEC_ENABLE),
  ]);
  assertEquals(processorIsolation("host", "off", host), []);
});

Deno.test("a leak that is absent, or that the host stops for all, needs no call", () => {
  const safe = [P.PR_SPEC_NOT_AFFECTED, P.PR_SPEC_DISABLE];
  const host = hostOf([...safe, P.PR_SPEC_FORCE_DISABLE], { leaksL1d: () => false });
  assertEquals(processorIsolation("strict", "off", host), []);
  assertEquals(processorIsolation("strict", "off", hostOf([...safe, OFF])), []);
});

Deno.test("strict names every control that the host lacks", () => {
  const host = hostOf([-ENXIO, P.PR_SPEC_ENABLE, P.PR_SPEC_FORCE_DISABLE]);
  const message = "store bypass (ENXIO), indirect branches, flush of the L1 data cache";
  assertThrows(() => processorIsolation("strict", "off", host), UserError, message);
  assertEquals(processorLacks(host).speculation.includes(message), true);
});

Deno.test("a cookie is made if the host has them; its absence is an error only on request", () => {
  assertEquals(processorIsolation("host", "auto", hostOf([])), [CREATE]);
  assertEquals(processorIsolation("host", "on", hostOf([])), [CREATE]);
  assertEquals(processorIsolation("host", "off", hostOf([])), []);
  for (const errno of [EINVAL, ENODEV]) {
    const host = hostOf([], { coreScheduling: () => -errno });
    assertEquals(processorIsolation("host", "auto", host), []);
    assertThrows(() => processorIsolation("host", "on", host), UserError, "PR_SCHED_CORE: E");
  }
});
