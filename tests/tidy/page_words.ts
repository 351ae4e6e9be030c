/**
 * Words that pages do not use, as a thing of the field has a name: the caller, the waiter, the
 * owner. Quoted text, code and names of files are not looked at. Comments of sources have
 * comment_rules.ts.
 */

import type { SourceFile } from "./source_files.ts";

const WORDS = "who|whom|whoever|somebody|nobody|anybody|everybody|hears?";
const BANNED = new RegExp(`\\b(?:${WORDS}|(?:is|are|was|were|be|been) told)\\b`, "gi");

/**
 * Lines that may have one: "path: line". The page of compatibility is made from the kernel's
 * tables, whose notes are changed there; `who` is an argument of getrusage(2).
 */
const EXCEPTIONS: readonly string[] = [
  "docs/compatibility.md: ### `getrusage`: who",
];

/** The page without code, quotations and addresses, line by line. */
function proseOf({ text }: SourceFile): string[] {
  const blank = (part: string) => part.replaceAll(/[^\n]/g, " ");
  return text
    .replaceAll(/^(`{3,})[^\n]*\n[^]*?^\1$/gm, blank)
    .replaceAll(/(?<=\n\n|^)(?: {4,}[^\n]*\n?|\n(?= {4}))+/g, blank)
    .replaceAll(/`[^`]+`/g, blank)
    .replaceAll(/"[^"\n]*(?:\n[^"\n]+)?"/g, blank)
    .replaceAll(/\]\([^)]*\)/g, blank)
    .split("\n");
}

/** "path:line: word" of each banned word of a page, in lines that are no exception. */
export function bannedWords(
  page: SourceFile,
  exceptions: readonly string[] = EXCEPTIONS,
): string[] {
  return proseOf(page).flatMap((line, i) => {
    if (exceptions.includes(`${page.path}: ${page.lines[i]}`)) return [];
    return [...line.matchAll(BANNED)].map(([word]) => `${page.path}:${i + 1}: ${word}`);
  });
}
