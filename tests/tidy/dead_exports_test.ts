import { assertEquals } from "@std/assert";
import { entryOf, PART_NAMES } from "../../oci/part_table.ts";
import { deadExports } from "./dead_exports.ts";
import { type SourceFile, sourceFiles } from "./source_files.ts";

/** The library, the C headers, stand-ins of packages, and tests, whose texts have exports. */
const FREE = /^mod\.ts$|^ffi\/abi\/|^tools\/std\/\w+\/mod\.ts$|_test\.ts$/;

function file(path: string, text: string): SourceFile {
  return { path, text, lines: [] };
}

Deno.test("an export is for another file", () => {
  const parts = PART_NAMES.map((name) => file(`${name}.ts`, entryOf(name, "./")));
  const code = [...sourceFiles((name) => name.endsWith(".ts")), ...parts];
  assertEquals(deadExports(code, (path) => FREE.test(path)), []);
});

Deno.test("deadExports knows lists, namespaces, aliases, re-exports and URLs of modules", () => {
  const files = [
    file("a/a.ts", "export const A = 1, B = 2;\nexport class f {}\nexport type T = 1;\n"),
    file("a/b.ts", `import { B as C, type T } from "./a.ts";\nexport { f as g } from "./a.ts";\n`),
    file("a/c.ts", `import * as a from "./a.ts";\n// a.f\nexport class C { x = a.A; }\n`),
    file("a/d.ts", "export const D: number = 1,\n  E = 2;\nexport abstract class F {}\n"),
    file("a/e.ts", `export const x = 1;\n`),
    file("b.ts", `import * as d from "./a/d.ts";\nnew URL("./a/e.ts", import.meta.url);\nd.E;\n`),
    file("b_test.ts", `import { g } from "./a/b.ts";\n`),
  ];
  assertEquals(deadExports(files, (path) => path === "b.ts"), ["a/c.ts: C", "a/d.ts: F"]);
  const whole = [...files, file("c.ts", `import * as d from "./a/d.ts";\nuse(d);\n`)];
  assertEquals(deadExports(whole, (path) => path === "b.ts"), ["a/c.ts: C"]);
});
