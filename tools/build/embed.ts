/**
 * Tells the entry stub of a compiled binary where its program is. Knows nothing of the format in
 * which `deno compile` appends files: it looks for the program's own bytes.
 */

import { programUrl } from "./entry_stub.ts";

/** The offset of the only occurrence of `needle` in `bytes`. Throws for none and for several. */
export function findOnly(bytes: Uint8Array, needle: Uint8Array, what: string): number {
  const found: number[] = [];
  const first = needle[0] ?? 0;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + needle.length > bytes.length) break;
    let i = 1;
    while (i < needle.length && bytes[at + i] === needle[i]) i++;
    if (i === needle.length) found.push(at);
  }
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new Error(`${what} is in the compiled file ${found.length} times, expected once`);
}

/**
 * Completes the URL in the stub of `binary`, which `deno compile` made of `program` on our base.
 *
 * @throws Error if the program or the URL is not found exactly once
 */
export function embedProgram(binary: Uint8Array, program: Uint8Array): void {
  const encoder = new TextEncoder();
  const offset = findOnly(binary, program, "the program");
  const url = findOnly(binary, encoder.encode(`${programUrl(0, 0)}\0`), "the program's URL");
  binary.set(encoder.encode(programUrl(offset, program.length)), url);
}
