/**
 * Rules for comments of .ts and .py files: width, words, and names of files. Pages have theirs in
 * page_words.ts; `comments.ts` tells comments from code.
 */

import { commentLines, commentProse } from "./comments.ts";
import type { SourceFile } from "./source_files.ts";

const MAX_WIDTH = 100;

/** `who` is for persons: a process, a task, a call has a noun. */
const PERSONS = "users?|persons?|people|attackers?|operators?|administrators?|developers?|authors?";
const BANNED = new RegExp(
  [
    `(?<!\\b(?:${PERSONS}),?\\s+)\\b[Ww]ho\\b`,
    "\\b[Ww]hom\\b",
    "\\b[Ww]hoever\\b",
    "\\b(?:[Ss]ome|[Nn]o|[Aa]ny|[Ee]very)body\\b",
    "\\bhears?\\b",
    "\\b(?:is|are|was|were|be|been)\\s+told\\b",
  ].join("|"),
  "g",
);

/** A file of the project, by its path or its name: what a web address or a pattern has is none. */
const FILE = /(?<![\w/.*<:-])(?:\.{1,2}\/)*(?:[a-z]\w*\/)*[a-z]\w*\.(?:ts|py)\b(?![\w/*])/g;

/** "path:line: N columns" of each line with a comment that is too wide. */
export function wideComments(file: SourceFile): string[] {
  const comments = commentLines(file);
  return file.lines.flatMap((line, i) => {
    const width = [...line].length;
    return width > MAX_WIDTH && comments[i]?.trim() !== ""
      ? [`${file.path}:${i + 1}: ${width}`]
      : [];
  });
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** "path:line: words" of each word of a comment that has a better one. */
export function bannedInComments(file: SourceFile): string[] {
  const text = commentProse(file).join("\n");
  return [...text.matchAll(BANNED)].map(({ 0: words, index }) =>
    `${file.path}:${lineAt(text, index)}: ${words.replaceAll(/\s+/g, " ")}`
  );
}

/** "path:line: name" of each file that a comment names and that `Names` does not have. */
export function missingInComments(file: SourceFile, names: Names): string[] {
  const text = commentLines(file).join("\n");
  return [...text.matchAll(FILE)].flatMap(({ 0: name, index }) =>
    names.has(name, file.path) ? [] : [`${file.path}:${lineAt(text, index)}: ${name}`]
  );
}

/** The files that comments may name: by a path from the comment's file, or by the end of a path. */
export class Names {
  readonly #ends: ReadonlySet<string>;

  constructor(files: readonly SourceFile[]) {
    this.#ends = new Set(files.flatMap(({ path }) => {
      const parts = path.split("/");
      return parts.map((_, i) => parts.slice(i).join("/"));
    }));
  }

  has(name: string, from: string): boolean {
    return this.#ends.has(name) ||
      this.#ends.has(new URL(name, `file:///${from}`).pathname.slice(1));
  }
}
