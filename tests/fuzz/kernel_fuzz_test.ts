/**
 * A sample of the kernel's fuzzer (kernel/): the same programs each time. `deno task fuzz` looks
 * for new ones. What once failed is kept in corpus/kernel/regressions/ and run here.
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT } from "../harness/dvisor.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { runProgram } from "./kernel/fuzzer.ts";
import { decodeProgram, drawProgram, encodeProgram } from "./kernel/program.ts";

const PROGRAMS = isFull ? 50_000 : 1_500;
const REGRESSIONS = `${ROOT}/tests/fuzz/corpus/kernel/regressions`;

Deno.test("programs of users in two containers: no fault, no gain, nothing left behind", () => {
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const program = drawProgram(new Random(seed));
    assertEquals(runProgram(program), null, `program ${seed}:\n${encodeProgram(program)}`);
  }
});

Deno.test("a program is the same when it is read again", () => {
  const program = drawProgram(new Random(7));
  assertEquals(decodeProgram(encodeProgram(program)), program);
});

for (const { name } of Deno.readDirSync(REGRESSIONS)) {
  Deno.test(`a program that once failed: ${name}`, () => {
    const program = decodeProgram(Deno.readTextFileSync(join(REGRESSIONS, name)));
    assertEquals(runProgram(program), null);
  });
}
