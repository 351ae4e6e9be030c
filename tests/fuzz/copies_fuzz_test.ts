/**
 * Worlds of the kernel's fuzzer that are copied by a snapshot at a random moment. Original and copy
 * go on, call by call, to the same end. `deno task fuzz --target copies` looks for new programs.
 */

import { assertEquals } from "@std/assert";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { runCopied } from "./kernel/copies.ts";
import { drawProgram, encodeProgram } from "./kernel/program.ts";

const PROGRAMS = isFull ? 10_000 : 40, TURNS = 6;

Deno.test("a copy of a world with two containers goes on as the original does", () => {
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const chance = new Random(seed), program = drawProgram(chance);
    const at = chance.below(program.length), turns = chance.below(TURNS);
    const found = runCopied(program, at, turns);
    assertEquals(
      found,
      null,
      `program ${seed}, copied ${turns} turns after step ${at}:\n${encodeProgram(program)}`,
    );
  }
});
