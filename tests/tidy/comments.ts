/**
 * The comments of a source file, for the tidy tests: line by line, with all other text blank. Not a
 * parser: a comment is a line that begins as one, what follows ` // ` or `  # ` behind code, and in
 * Python a text in three quotes that begins its line.
 */

import type { SourceFile } from "./source_files.ts";

const DOCSTRING = '"""';

/** The text after the mark of a comment in a line of code, at its columns. */
function trailing(line: string, mark: RegExp): string {
  for (const { index } of line.matchAll(mark)) {
    const before = line.slice(0, index);
    // Behind an odd number of quotes the mark is in a text.
    if (['"', "'", "`"].every((quote) => before.split(quote).length % 2 === 1)) {
      return " ".repeat(index) + line.slice(index);
    }
  }
  return "";
}

function ofTypeScript(lines: readonly string[]): string[] {
  let isOpen = false;
  return lines.map((line) => {
    if (isOpen || /^\s*\/\*/.test(line)) {
      isOpen = !line.includes("*/");
      return line.replace(/\*\/.*$/, "").replace(/^(\s*)\/?\*+/, "$1 ");
    }
    if (/^\s*\/\//.test(line)) return line.replace("//", "  ");
    return trailing(line, /\s\/\/ /g).replace("//", "  ");
  });
}

function ofPython(lines: readonly string[]): string[] {
  let open: "" | "comment" | "text" = "";
  return lines.map((line) => {
    const isOpening = open === "" && line.trimStart().startsWith(DOCSTRING);
    const isComment = open === "comment" || isOpening, isText = open === "text";
    if (line.split(DOCSTRING).length % 2 === 0) {
      open = open !== "" ? "" : isOpening ? "comment" : "text";
    }
    if (isComment) return line.replaceAll(DOCSTRING, "   ");
    if (isText) return "";
    if (/^\s*#/.test(line)) return line.replace("#", " ");
    return trailing(line, /\s\s# /g).replace("#", " ");
  });
}

/** The lines of a file with its comments alone; marks of comments and other text are blank. */
export function commentLines(file: SourceFile): string[] {
  return file.path.endsWith(".py") ? ofPython(file.lines) : ofTypeScript(file.lines);
}

/** The comment lines without code and quotations. */
export function commentProse(file: SourceFile): string[] {
  const blank = (part: string): string => part.replaceAll(/[^\n]/g, " ");
  return commentLines(file).join("\n")
    .replaceAll(/`[^`\n]+(?:\n[^`\n]+)?`/g, blank)
    .replaceAll(/"[^"\n]*(?:\n[^"\n]+)?"/g, blank)
    .split("\n");
}
