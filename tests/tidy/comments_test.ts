/** Comments are narrow, use the field's nouns, and name files that there are. */

import { assertEquals } from "@std/assert";
import * as rules from "./comment_rules.ts";
import { commentLines, commentProse } from "./comments.ts";
import { type SourceFile, sourceFiles } from "./source_files.ts";

const files = sourceFiles((name) => /\.(ts|py)$/.test(name));
const names = new rules.Names(files);

const RULES: readonly ((file: SourceFile) => string[])[] = [
  rules.wideComments,
  rules.bannedInComments,
  (file) => rules.missingInComments(file, names),
];

Deno.test("comments: 100 columns, caller and waiter for `who`, and files that there are", () => {
  assertEquals(files.flatMap((file) => RULES.flatMap((rule) => rule(file))), []);
});

function fileOf(path: string, ...lines: string[]): SourceFile {
  return { path, lines, text: lines.join("\n") };
}

Deno.test("comments are distinguished from code, in both languages", () => {
  const ts = fileOf(
    "a.ts",
    "/** One. */",
    "/**",
    " * Two",
    " */",
    'const url = "http://x // who"; // three',
    "// four",
    "who(); /* five */",
  );
  assertEquals(
    commentLines(ts).map((line) => line.trim()),
    ["One.", "", "Two", "", "three", "four", ""],
  );
  const py = fileOf(
    "a.py",
    '"""One"""',
    'TEXT = """',
    "# two",
    '"""',
    "def f():",
    '    """Three',
    '    four."""',
    "    return 5  # six",
    '    # seven "eight" `nine`',
  );
  const comments = ["One", "", "", "", "", "Three", "four.", "six"];
  assertEquals(commentLines(py).map((line) => line.trim()), [
    ...comments,
    'seven "eight" `nine`',
  ]);
  assertEquals(commentProse(py).map((line) => line.trim()), [...comments, "seven"]);
});

Deno.test("each rule finds an example of its fault", () => {
  const file = fileOf(
    "kernel/a.ts",
    `// ${"x".repeat(98)}`,
    '// The user who asks for `who` of "nobody": fine. Who waits is',
    "// told; see comments.ts, tidy/comments.ts, ../tests/tidy/comments.ts and gone.ts",
    `const long = "${"x".repeat(100)}";`,
  );
  assertEquals(rules.wideComments(file), ["kernel/a.ts:1: 101"]);
  assertEquals(rules.bannedInComments(file), ["kernel/a.ts:2: Who", "kernel/a.ts:2: is told"]);
  assertEquals(rules.missingInComments(file, names), ["kernel/a.ts:3: gone.ts"]);
});
