/**
 * House rules that are about files and text: size, width, names, opening comments, marks, paths,
 * import cycles, READMEs. Rules about code are in the lint plugin (`tools/lint/`).
 */

import { assertEquals } from "@std/assert";
import { findCycles, importGraph } from "./import_cycles.ts";
import { bannedWords } from "./page_words.ts";
import { ROOT, type SourceFile, sourceFiles } from "./source_files.ts";

const MAX_LINES = 500;
const MAX_WIDTH = 100;
/** What `deno task state` writes. */
const GENERATED = "kernel/snapshot/state_table.ts";
const TOP_FOLDERS = ["ffi", "platform", "kernel", "gofer", "oci", "tests", "tools"];

const code = sourceFiles((name) => name.endsWith(".ts"));
const text = sourceFiles((name) => /\.(ts|md|json|sh|yml|yaml)$/.test(name) || name === "run");

/** Every "path:line: what" that `check` finds. */
function findings(
  files: readonly SourceFile[],
  check: (line: string, file: SourceFile) => string | null,
): string[] {
  return files.flatMap((file) =>
    file.lines.flatMap((line, i) => {
      const what = check(line, file);
      return what === null ? [] : [`${file.path}:${i + 1}: ${what}`];
    })
  );
}

Deno.test("there is something to check", () => {
  assertEquals(code.some((f) => f.path === "tests/tidy/tidy_test.ts"), true);
});

Deno.test(`no source file that a person writes is longer than ${MAX_LINES} lines`, () => {
  const long = code.filter((f) => f.lines.length > MAX_LINES && f.path !== GENERATED);
  assertEquals(long.map((f) => `${f.path}: ${f.lines.length} lines`), []);
});

Deno.test(`no line of code is wider than ${MAX_WIDTH} columns`, () => {
  // One long literal or address cannot be broken without making it worse.
  const isUnbreakable = (line: string): boolean => /["'`].{60,}["'`][,;)]*$/.test(line);
  const isComment = (line: string): boolean => /^\s*(\/\/|\/?\*)/.test(line);
  assertEquals(
    findings(code, (line) => {
      const width = [...line].length;
      return width <= MAX_WIDTH || isComment(line) || isUnbreakable(line)
        ? null
        : `${width} columns`;
    }),
    [],
  );
});

Deno.test("source files have snake_case names", () => {
  const bad = code.filter((f) => !/^([a-z0-9_]+\/)*[a-z0-9_]+(\.d)?\.ts$/.test(f.path));
  assertEquals(bad.map((f) => f.path), []);
});

Deno.test("every source file but a unit test opens with a comment", () => {
  const sources = code.filter((f) => !f.path.endsWith("_test.ts"));
  const bad = sources.filter((f) => !/^(#!.*\n)?\/[/*]/.test(f.text));
  assertEquals(bad.map((f) => f.path), []);
});

Deno.test("no comment about a declaration stands above another one", () => {
  const doubled = code.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) =>
      /^\s*(\/\*\*.*)?\*\/$/.test(line) && /^\s*\/\*\*/.test(lines[i + 1] ?? "")
        ? [`${path}:${i + 1}`]
        : []
    )
  );
  assertEquals(doubled, []);
});

Deno.test("no file carries a mark of unfinished work or silences a checker", () => {
  // Spelled in two halves, or this file would find itself.
  const marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|");
  const silencers = ["@ts-" + "ignore", "@ts-" + "nocheck", "@ts-" + "expect-error"].join("|");
  const ignores = "deno-" + "lint-ignore";
  const pattern = new RegExp(`\\b(?:${marks})\\b|${silencers}|${ignores}`);
  assertEquals(findings(text, (line) => pattern.exec(line)?.[0] ?? null), []);
});

Deno.test("no file names a path of one machine or the host of a registry", () => {
  const paths = ["/" + "work/", "/tmp/" + "brief", "/home/[a-z]+/" + "dvisor"].join("|");
  const hosts = ["registry\\.npm" + "js\\.org", "dl\\.deno" + "\\.land"].join("|");
  const pattern = new RegExp(`(?:^|[^\\w/.])(?:${paths})|${hosts}`);
  assertEquals(findings(text, (line) => pattern.exec(line)?.[0] ?? null), []);
});

Deno.test("pages name the caller, the waiter, the owner: no somebody, and no task hears", () => {
  const pages = text.filter((file) => file.path.endsWith(".md"));
  assertEquals(pages.flatMap((page) => bannedWords(page)), []);
});

Deno.test("bannedWords looks at prose, and not at code, quotations and names of files", () => {
  const lines = [
    'The waiter hears of it. `who` and [who](who.md) say "nobody".',
    "",
    "    who | wc",
    "",
    "```ts",
    "const whoever = 1;",
    "```",
    "A task whose owner IS TOLD of",
    "the end; Nobody waits.",
  ];
  const page = { path: "p.md", text: lines.join("\n"), lines };
  assertEquals(bannedWords(page), [
    "p.md:1: hears",
    "p.md:1: who",
    "p.md:8: IS TOLD",
    "p.md:9: Nobody",
  ]);
  assertEquals(bannedWords(page, [`p.md: ${lines[0]}`, `p.md: ${lines[7]}`]), ["p.md:9: Nobody"]);
});

Deno.test("modules do not import each other in circles", () => {
  const cycles = findCycles(importGraph(code)).map((c) => c.join(" -> "));
  assertEquals(cycles, []);
});

Deno.test("findCycles finds a cycle, and type imports make none", () => {
  const file = (path: string, text: string): SourceFile => ({ path, text, lines: [] });
  const files = [
    file("a/a.ts", `import { b } from "./b.ts";\nimport type { C } from "./c.ts";\n`),
    file("a/b.ts", `import {\n  c,\n} from "../a/c.ts";\n`),
    file("a/c.ts", `export { a } from "./a.ts";\n`),
    file("a/d.ts", `import "./c.ts";\n`),
  ];
  assertEquals(findCycles(importGraph(files)), [["a/a.ts", "a/b.ts", "a/c.ts", "a/a.ts"]]);
  assertEquals(findCycles(importGraph(files.slice(0, 2))), []);
});

Deno.test("each top folder has a README.md", () => {
  const has = (path: string): boolean => {
    try {
      Deno.statSync(`${ROOT}/${path}`);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  };
  const missing = TOP_FOLDERS.filter((f) => has(f) && !has(`${f}/README.md`));
  assertEquals(missing, []);
});
