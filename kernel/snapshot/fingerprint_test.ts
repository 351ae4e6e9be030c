import { assertEquals, assertNotEquals } from "@std/assert";
import { fingerprintOf } from "./fingerprint.ts";
import { type StateRow, stateRow } from "./state_row.ts";

class A {}
class B {}

const of = (...rows: StateRow[]) => fingerprintOf(rows);

Deno.test("a fingerprint is the FNV-1a hash of the rows, wherever they stand", () => {
  const a = stateRow(A, "A", "x y"), b = stateRow(B, "B", "");
  assertEquals(of(), "cbf29ce484222325");
  assertEquals(of(a, b), of(b, a));
  assertEquals(of(stateRow(A, "a", "")), "e63fc11904837c8a");
});

Deno.test("a fingerprint differs when a class or a field is new, renamed or elsewhere", () => {
  const first = of(stateRow(A, "A", "x y"));
  for (const fields of ["x", "y x", "x y z", "x z", "xy"]) {
    assertNotEquals(of(stateRow(A, "A", fields)), first);
  }
  assertNotEquals(of(stateRow(A, "B", "x y")), first);
  assertNotEquals(of(stateRow(A, "A", "x y"), stateRow(B, "B", "")), first);
});
