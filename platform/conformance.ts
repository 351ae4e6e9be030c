/**
 * The conformance tests of platforms: `runConformance` registers the tests that every
 * implementation of `platform.ts` must pass.
 *
 * Guests are assembled here and run on a Platform and an arena alone, without a kernel. Neighbours:
 * `conformance/` has the tests by topic; `systrap/`, `ptrace/` and `kvm/` have a
 * `*_conformance_test.ts` that calls this.
 */

import { Arena } from "../ffi/mem/arena.ts";
import { testFaults } from "./conformance/faults.ts";
import { testFpu } from "./conformance/fpu.ts";
import { descendants } from "./conformance/host_view.ts";
import { testInterrupts } from "./conformance/interrupts.ts";
import { Lab } from "./conformance/lab.ts";
import { testLifecycle } from "./conformance/lifecycle.ts";
import { testMappings } from "./conformance/mappings.ts";
import { testPatching } from "./conformance/patching.ts";
import { testRegisters } from "./conformance/registers.ts";
import { testThreads } from "./conformance/threads.ts";
import { testTransplants } from "./conformance/transplant.ts";
import type { Platform } from "./platform.ts";

const ARENA_BYTES = 256 * 1024 * 1024;

/** Time in which the processes of a destroyed platform must end. */
const END_MS = 5000;

/**
 * Registers one test. The platform is made for the test and destroyed after it. `ofStubs`: the test
 * kills host processes of spaces.
 */
export type Define = (what: string, body: (lab: Lab) => void, ofStubs?: boolean) => void;

/**
 * @param name of the platform, in front of every test's name
 * @param makePlatform is called once a test, with an arena that outlives the platform
 * @param hasStubs whether its spaces have host processes
 */
export function runConformance(
  name: string,
  makePlatform: (arena: Arena) => Platform,
  hasStubs = true,
): void {
  let arena: Arena | null = null;
  const define: Define = (what, body, ofStubs = false) => {
    const ignore = ofStubs && !hasStubs;
    Deno.test({
      name: `${name}: ${what}` + (ignore ? " (skipped: its spaces have no host processes)" : ""),
      ignore,
      sanitizeResources: false, // the caller keeps the arena
      fn: () => {
        arena ??= Arena.create(ARENA_BYTES, 0);
        const before = descendants().size;
        const platform = makePlatform(arena);
        try {
          body(new Lab(arena, platform));
        } finally {
          platform.destroy();
        }
        const deadline = performance.now() + END_MS;
        while (descendants().size > before) {
          if (performance.now() > deadline) throw new Error("a destroyed platform has processes");
        }
      },
    });
  };
  testRegisters(define);
  testFpu(define);
  testFaults(define);
  testMappings(define);
  testThreads(define);
  testInterrupts(define);
  testPatching(define);
  testTransplants(define);
  testLifecycle(define);
}
