/**
 * The base of the tests of attacks on the machine: a guest that must not reach the end of its code.
 *
 * Neighbours: the `hostile*_test.ts` beside it, `../conformance/lab.ts`.
 */

import { assert, assertEquals } from "@std/assert";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { eax } from "../../ffi/asm/registers.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { named } from "../../tests/harness/machine.ts";
import { caller, DATA, Lab, STACK } from "../conformance/lab.ts";
import * as p from "../platform.ts";
import { tryPlatform } from "../select/registry.ts";
import { createKvmPlatform } from "./kvm_platform.ts";

export const RING0_BASE = 0xffffffff80000000n;
/** Address of the stub of calls. */
export const STUB_AT = 0x200000;
const PATIENCE_MS = 500;
/** Number of the call that follows an attack. */
const DONE = 77;
const problem = tryPlatform("kvm");
let arena: Arena | null = null;

/** A test with a machine of its own. @param skip why the test does not apply here */
export function test(name: string, body: (lab: Lab) => void, skip: string | null = null): void {
  Deno.test({
    ...named(name, problem ?? skip),
    sanitizeResources: false, // the caller keeps the arena
    fn: () => {
      arena ??= Arena.create(64 * 1024 * 1024, 0);
      const platform = createKvmPlatform(arena, { cpus: 2 });
      try {
        body(new Lab(arena, platform));
      } finally {
        platform.destroy();
      }
    },
  });
}

/** Runs code that must not reach its end. @returns how it stopped */
export function attack(lab: Lab, what: string, emit: (a: Assembler) => Assembler): p.Context {
  const space = lab.space();
  lab.load(space, emit(new Assembler()).mov(eax, DONE).syscall());
  lab.map(space, STACK, 16);
  lab.map(space, DATA, 2);
  const c = lab.thread(space);
  c.resumeAll(true);
  let stop = lab.nextWithin(PATIENCE_MS);
  if (stop === null) {
    c.interrupt();
    stop = lab.next();
  }
  assertEquals(stop, c, what);
  const isDone = c.trap === p.TRAP_SYSCALL && c.nr === DONE;
  assert(!isDone, `${what} was done`);
  c.space.destroy();
  return c;
}

/** Checks that the machine still works: a new guest runs. */
export function assertSound(lab: Lab): void {
  const c = lab.run(caller(5));
  lab.expectCall(c, 5);
  c.resumeRet(0);
  lab.expectCall(c, 5);
  c.space.destroy();
  lab.reset();
}
