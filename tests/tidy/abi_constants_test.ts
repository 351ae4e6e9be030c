/** Constants of C headers are declared in ffi/abi alone, where a test compares them with C. */

import { assertEquals } from "@std/assert";
import { isTestCode } from "../../tools/lint/layers.ts";
import { sourceFiles } from "./source_files.ts";

const STATEMENT = /^(?:export )?const ([^;{(["'`]*)/gm;
const EXPORTED = /^export const ([^;{(["'`]*)/gm;
const NAME = /(?:^|,)\s*(SYS_\w+|[A-Z][A-Z0-9_]+)\s*(?::\s*number\s*)?=/g;

function constantsOf(text: string, statement: RegExp): string[] {
  return [...text.matchAll(statement)].flatMap(([, list = ""]) =>
    [...list.matchAll(NAME)].map(([, name = ""]) => name)
  );
}

Deno.test("a constant of a C header is declared in one file of ffi/abi, and in no other", () => {
  const code = sourceFiles((name) => name.endsWith(".ts")).filter(({ path }) => !isTestCode(path));
  const headers = new Set<string>(), twice: string[] = [];
  for (const isHeader of [true, false]) {
    for (const { path, text } of code) {
      if (path.startsWith("ffi/abi/") !== isHeader) continue;
      for (const name of constantsOf(text, isHeader ? EXPORTED : STATEMENT)) {
        if (headers.has(name)) twice.push(`${path}: ${name}`);
        else if (isHeader) headers.add(name);
      }
    }
  }
  assertEquals(twice, []);
});

Deno.test("layouts of ffi/abi are pure: a part of the binary has those that it uses", () => {
  const unmarked = sourceFiles((name) => name.endsWith(".ts")).filter(({ path }) =>
    path.startsWith("ffi/abi/") && !isTestCode(path)
  ).flatMap(({ path, lines }) =>
    lines.filter((line) => /^(?:export )?const \w+ = (?:layout|union)\(/.test(line))
      .map((line) => `${path}: ${line}`)
  );
  assertEquals(unmarked, []);
});
