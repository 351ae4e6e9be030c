/**
 * The comments of a source file, for the tidy tests: line by line, with all other text blank. Not a
 * parser: a comment is a line that begins as one, what follows ` // ` or `  # ` behind code, and in
 * Python a text in three quotes that begins its line.
 */

import type { SourceFile } from "./source_files.ts";

const DOCSTRING = '"""';

/** What is behind a mark of a comment in a line of code, in its columns. */
function trailing(line: string, mark: RegExp): string {
  const found = mark.exec(line);
  if (found === null) return "";
  const before = line.slice(0, found.index);
  // Behind an odd number of quotes the mark is in a text.
  const isInText = ['"', "'", "`"].some((quote) => before.split(quote).length % 2 === 0);
  return isInText ? "" : " ".repeat(found.index) + line.slice(found.index);
}

function ofTypeScript(lines: readonly string[]): string[] {
  let isOpen = false;
  return lines.map((line) => {
    if (isOpen || /^\s*\/\*/.test(line)) {
      isOpen = !line.includes("*/");
      return line.replace(/^(\s*)\/?\*+/, "$1 ").replace(/\*\/.*$/, "");
    }
    if (/^\s*\/\//.test(line)) return line.replace("//", "  ");
    return trailing(line, /\s\/\/ /).replace("//", "  ");
  });
}

function ofPython(lines: readonly string[]): string[] {
  let isOpen = false;
  return lines.map((line) => {
    const opens = !isOpen && line.trimStart().startsWith(DOCSTRING);
    if (isOpen || opens) {
      const marks = line.split(DOCSTRING).length - 1;
      if (marks % 2 === 1) isOpen = !isOpen;
      return line.replaceAll(DOCSTRING, "   ");
    }
    if (/^\s*#/.test(line)) return line.replace("#", " ");
    return trailing(line, /\s\s# /).replace("#", " ");
  });
}

/** The lines of a file with its comments alone; marks of comments and other text are blank. */
export function commentLines(file: SourceFile): string[] {
  return file.path.endsWith(".py") ? ofPython(file.lines) : ofTypeScript(file.lines);
}

/** The same without code and quotations in it. */
export function commentProse(file: SourceFile): string[] {
  const blank = (part: string): string => part.replaceAll(/[^\n]/g, " ");
  return commentLines(file).join("\n")
    .replaceAll(/`[^`\n]+(?:\n[^`\n]+)?`/g, blank)
    .replaceAll(/"[^"\n]*(?:\n[^"\n]+)?"/g, blank)
    .split("\n");
}
