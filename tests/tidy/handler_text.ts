/**
 * What the text of a system call's handler shows of its arguments: which it reads, itself or in
 * functions that it passes them to. A look at text, not at types: it finds arguments that no code
 * reads.
 */

import type { SourceFile } from "./source_files.ts";

/** `export function name(...) ... {` up to the brace at the left margin that ends it. */
const FUNCTION = /^(?:export )?function (\w+)\(([^]*?)^\}/gm;
const READ = /\b(?:a|args)\.\w+\((\w+)(?: [^)]*)?\)/g;
/** The arguments as a whole go to another function: `other(t, a, ...)`. */
const HANDED_ON = /\b(\w+)\((?:[^()]*, )?(?:a|args)\b(?![.\w])/g;

export class HandlerTexts {
  readonly #bodies: Map<string, string[]> = new Map();

  constructor(files: readonly SourceFile[]) {
    for (const { text } of files) {
      for (const [whole, name = ""] of text.matchAll(FUNCTION)) {
        this.#bodies.set(name, [...this.#bodies.get(name) ?? [], whole]);
      }
    }
  }

  has(name: string): boolean {
    return this.#bodies.has(name);
  }

  /** The arguments that are read, by index; null when one is read by a variable index. */
  argumentsRead(name: string): Set<number> | null {
    const read = new Set<number>(), seen = new Set<string>(), left = [name];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      for (const body of this.#bodies.get(next) ?? []) {
        for (const [, index = ""] of body.matchAll(READ)) {
          if (!/^\d$/.test(index)) return null;
          read.add(Number(index));
        }
        for (const [, callee = ""] of body.matchAll(HANDED_ON)) left.push(callee);
      }
    }
    return read;
  }

  /** Whether the handler does nothing but return 0. */
  isEmpty(name: string): boolean {
    const bodies = this.#bodies.get(name) ?? [];
    return bodies.some((body) => /\{\s*return 0;\s*\}$/.test(body));
  }
}
