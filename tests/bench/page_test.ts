import { assertEquals, assertThrows } from "@std/assert";
import { BEGIN, END, generatedPart, type Measured, replacePart } from "./page.ts";
import { ROOT } from "../tidy/source_files.ts";

const MEASURED: Measured = {
  date: "2001-02-03",
  host: "2 processors",
  repeats: 5,
  systems: ["native", "systrap", "ptrace", "kvm", "runsc"],
  rows: [
    { name: "getpid", unit: "us", values: [0.0761, 0.2712, 19.161, NaN, 1.591] },
    { name: "do true", unit: "ms", values: [2.02, 125.4, 123, 149, 111] },
  ],
};

Deno.test("the generated part has the tables of a run, and names the rows that are slower", () => {
  const part = generatedPart(MEASURED).split("\n");
  assertEquals(part.includes("| getpid, us | 0.076 | 0.271 | 19.16 | 1.59 | 0.17 |"), true);
  assertEquals(part.includes("Rows that are slower than runsc (1 of 2): do true."), true);
  // A row without a value for kvm is not in the table of kvm.
  assertEquals(part.slice(-1), ["| do true, ms | 2.02 | 125 | 149 | 1.19 |"]);
});

Deno.test("without runsc and kvm nothing is compared with them", () => {
  const rows = MEASURED.rows.map((row) => ({ ...row, values: row.values.slice(0, 3) }));
  const part = generatedPart({ ...MEASURED, systems: MEASURED.systems.slice(0, 3), rows });
  assertEquals(part.includes("kvm"), false);
  assertEquals(part.includes("| getpid, us | 0.076 | 0.271 | 19.16 | - | - |"), true);
  assertEquals(part.includes("slower than runsc"), false);
});

Deno.test("only the text between the markers changes", () => {
  assertEquals(
    replacePart(`a\n${BEGIN}\nold\n${END}\nb\n`, "new"),
    `a\n${BEGIN}\n\nnew\n\n${END}\nb\n`,
  );
  for (const page of ["", BEGIN, `${END} ${BEGIN}`, `${BEGIN} ${END} ${BEGIN} ${END}`]) {
    assertThrows(() => replacePart(page, "new"), Error, "markers");
  }
});

Deno.test("docs/performance.md has a generated part", () => {
  replacePart(Deno.readTextFileSync(`${ROOT}/docs/performance.md`), "");
});
