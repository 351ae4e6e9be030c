/**
 * Runs a program whose world is copied in the middle. Original and copy go on to the same end: each
 * call has the same result, and both kernels are alike, with the contents of all memory.
 */

import { SYS_sysinfo } from "../../../ffi/abi/syscall_numbers.ts";
import { violations } from "../../../kernel/observe/invariants.ts";
import { kernelDifference } from "../../sim/kernel_difference.ts";
import { copyParts } from "./copied_world.ts";
import { runStep } from "./fuzzer.ts";
import { leftovers } from "./oracles.ts";
import type { Program } from "./program.ts";
import { World } from "./world.ts";

/** Calls whose results depend on the frames that the kernel keeps for later. */
const OF_FRAMES: readonly number[] = [SYS_sysinfo];

/**
 * What is wrong with the copy of a world that was made after step `at`, or null; in the middle if
 * no step is named.
 *
 * @param turns what that step sets off runs for so many turns before the copy is made
 */
export function runCopied(
  steps: Program,
  at: number = steps.length >> 1,
  turns?: number,
): string | null {
  const program = steps.filter(({ nr }) => !OF_FRAMES.includes(nr)), original = new World();
  let copy: World | null = null;
  try {
    for (const step of program.slice(0, at)) runStep(original, step);
    for (const step of program.slice(at, at + 1)) runStep(original, step, turns);
    copy = original.copy(copyParts);
    const worlds = [original, copy];
    for (const world of worlds) world.interruptAll();
    const found = violations(copy.kernel), atFirst = kernelDifference(original.kernel, copy.kernel);
    if (atFirst !== null) found.push(`at first: ${atFirst}`);
    for (let i = at + 1; i < program.length && found.length === 0; i++) {
      const [one, other] = worlds.map((world) => runStep(world, program[i]!));
      if (one !== other) found.push(`step ${i}: ${one}, and ${other} in the copy`);
    }
    found.push(...violations(copy.kernel));
    const atEnd = kernelDifference(original.kernel, copy.kernel);
    if (atEnd !== null) found.push(`at the end: ${atEnd}`);
    for (const world of worlds) world.end();
    found.push(...leftovers(copy));
    return found.length === 0 ? null : found.join("\n");
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : String(error);
  } finally {
    original.close();
    copy?.close();
  }
}
