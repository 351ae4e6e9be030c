/**
 * Circles of folders, types included: those in the table of docs/internals/layout.md, and no
 * others. Circles of files that import values of each other are looked for in tidy_test.ts.
 */

import { assertEquals } from "@std/assert";
import { isTestCode, placeOf } from "../../tools/lint/layers.ts";
import { findCycles, isReachable, placeGraph } from "./import_cycles.ts";
import { ROOT, type SourceFile, sourceFiles } from "./source_files.ts";

const PAGE = "docs/internals/layout.md";

/** A row of the table: files of `from` import files of each `to`, which closes circles. */
interface Row {
  readonly from: string;
  readonly to: RegExp;
  readonly reason: string;
}

/** The rows of the table below the heading "Circles". */
function circleRows(page: string): Row[] {
  const section = page.split("\n## ").find((text) => text.startsWith("Circles\n")) ?? "";
  return [...section.matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\| (.*?) +\|$/gm)]
    .map(([, from = "", to = "", reason = ""]) => {
      return { from, to: new RegExp(`^${to.replace("*", "[^/]+")}$`), reason };
    });
}

const files = sourceFiles((name) => name.endsWith(".ts")).filter(({ path }) => !isTestCode(path));
const graph = placeGraph(files, placeOf);
const rows = circleRows(Deno.readTextFileSync(`${ROOT}/${PAGE}`));
/** The imports that no row lists. */
const others = new Map([...graph].map(([from, places]) => {
  const listed = rows.filter((row) => row.from === from);
  return [from, [...places].filter((to) => !listed.some((row) => row.to.test(to)))];
}));

Deno.test("folders import each other in the circles of docs/internals/layout.md alone", () => {
  assertEquals(findCycles(others).map((circle) => circle.join(" -> ")), []);
});

Deno.test("each row of circles in docs/internals/layout.md closes one, and says why", () => {
  const idle = rows.filter((row) => {
    const imported = [...graph.get(row.from) ?? []].filter((place) => row.to.test(place));
    return row.reason === "" || !imported.some((place) => isReachable(others, place, row.from));
  });
  assertEquals(idle, []);
});

Deno.test("placeGraph has types, and placeOf is as fine as the tables of the lint rule", () => {
  const file = (path: string, text: string): SourceFile => ({ path, text, lines: [] });
  const graph = placeGraph([
    file("kernel/mm/a.ts", `import type {\n  B,\n} from "../vfs/b.ts";\nimport "./c.ts";\n`),
    file("kernel/mm/c.ts", `import { d } from "../futex/calls/d.ts";\n`),
    file("kernel/landlock/domain.ts", `export { e } from "../loop.ts";\n`),
    file("oci/user_error.ts", `import { f } from "./parts.ts";\n`),
    file("mod.ts", `import { f } from "./ffi/abi/f.ts";\n`),
  ], placeOf);
  assertEquals([...graph].map(([from, to]) => [from, ...to]), [
    ["kernel/mm/", "kernel/vfs/", "kernel/futex/calls/"],
    ["kernel/landlock/domain.ts", "kernel/*.ts"],
    ["oci/user_error.ts", "oci/parts.ts"],
    ["mod.ts", "ffi/abi/"],
  ]);
});
